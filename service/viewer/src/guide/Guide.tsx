// How to read the map: three steps in the panels' place, each on the atlas's own data.

import { useEffect, useRef } from "preact/hooks";
import { Busy } from "../parts/Busy";
import { CellIcon } from "../parts/CellIcon";
import { IconButton } from "../parts/IconButton";
import { brief, count, decimal } from "../parts/words";
import { cropOf } from "../parts/Samples";
import type { SampleDocument } from "../types";
import type { View } from "../view";
import { STEPS, guideOf } from "./steps";
import type { Story } from "./story";

const LANDING = 700; // milliseconds between two patches that land
const STILL = matchMedia("(prefers-reduced-motion: reduce)");

/** The button that opens it. */
export function GuideButton({ view }: { view: View }) {
  const { step } = guideOf(view);
  const toggle = () => { step.value = step.value === null ? 1 : null; };
  return <IconButton icon="question" name="How to read this" pressed={step.value !== null} onClick={toggle} />;
}

export function Guide({ view }: { view: View }) {
  const { step, story } = guideOf(view), heading = useRef<HTMLHeadingElement>(null), at = step.value;
  const open = at !== null;
  useEffect(() => {
    if (!open) return undefined;
    const escape = (event: KeyboardEvent) => { if (event.key === "Escape" && !event.defaultPrevented) step.value = null; };
    addEventListener("keydown", escape);
    return () => removeEventListener("keydown", escape);
  }, [open]);
  useEffect(() => { if (at !== null) heading.current?.focus({ preventScroll: true }); }, [at]);
  if (at === null) return null;
  const told = story.value, close = () => { step.value = null; };
  return (
    <section class="guide" aria-label="How to read this map">
      <div class="top"><h2 ref={heading} tabIndex={-1}>{TITLES[at - 1]}</h2><IconButton icon="close" name="Close the guide" onClick={close} /></div>
      <nav aria-label="Steps">
        <span class="quiet">Step {at} of {STEPS}</span>
        {at > 1 && <button type="button" onClick={() => { step.value = at - 1; }}>Back</button>}
        {at < STEPS ? <button type="button" class="primary" onClick={() => { step.value = at + 1; }}>Next</button> : <button type="button" class="primary" onClick={close}>Explore the map</button>}
      </nav>
      {told ? <Step view={view} step={at} story={told} /> : <Busy>Looking for an example…</Busy>}
    </section>
  );
}

const TITLES = ["The network looks at patches", "A cell averages what lands in it", "An icon shows the average"];

function Step({ view, step, story }: { view: View; step: number; story: Story }) {
  if (step === 1) return <Landing view={view} story={story} />;
  return step === 2 ? <Averaging story={story} /> : <Showing view={view} story={story} />;
}

function Landing({ view, story }: { view: View; story: Story }) {
  const { landed } = guideOf(view), { picture, layer } = story, [first] = picture;
  useEffect(() => {
    landed.value = STILL.matches ? picture.length : 1;
    const timer = setInterval(() => { landed.value < picture.length ? (landed.value += 1) : clearInterval(timer); }, LANDING);
    return () => clearInterval(timer);
  }, [story]);
  if (!first) return <p>At the layer {layer} every patch of a picture excites the network in its own way: that is its activation. Patches that do it alike lie close together on the map, whatever pictures they are from.</p>;
  return (
    <>
      <div class="landing-picture">
        <img src={`${first.crop!.slice(1)}&source=image`} alt={first.label ? `A picture of ${brief(first.label.name)}` : "A picture of the dataset"} />
        {picture.slice(0, landed.value).map((sample, n) => <Patch key={sample.sample} sample={sample} number={n + 1} newest={n + 1 === landed.value} />)}
      </div>
      <p>This picture{first.label && <> of <strong>{brief(first.label.name)}</strong></>} is from the dataset. At the layer {layer} each patch excites the network in its own way: that is its activation. The numbered patches land where their numbers are on the map. <strong>Like lies beside like.</strong></p>
    </>
  );
}

// The patch as a square on the picture; the newest one is drawn, the others are numbers only, because patches overlap.
function Patch({ sample, number, newest }: { sample: SampleDocument; number: number; newest: boolean }) {
  const [left, top, right, bottom] = sample.field, percent = (share: number) => `${100 * share}%`;
  return (
    <>
      {newest && <span class="patch" style={{ left: percent(left), top: percent(top), width: percent(right - left), height: percent(bottom - top) }} />}
      <span class="number" style={{ left: percent((left + right) / 2), top: percent((top + bottom) / 2) }}>{number}</span>
    </>
  );
}

function Averaging({ story: { cell, mates } }: { story: Story }) {
  const crops = mates.filter((one) => one.crop !== null);
  return (
    <>
      {crops.length > 0 && <ul class="mates">{crops.map((one) => <li key={one.sample}><img src={cropOf(one, "stored")!} alt="" width="40" height="40" /></li>)}</ul>}
      <p><strong>{count(cell.count)} patches of {count(cell.images)} pictures</strong> landed in the cell that is lit{crops.length > 0 && crops.length < cell.count ? "; here are some of them" : ""}. Their activations are averaged: a cell stands for what they have in common.</p>
    </>
  );
}

function Showing({ view, story: { place, cell, layer } }: { view: View; story: Story }) {
  const seeded = view.atlas.value.seeded, address = (n: number) => view.source.exemplar(layer, place.side, place.column, place.row, n);
  const patches = (cell.exemplars ?? []).slice(0, 4).filter((_, n) => address(n) !== null), fidelity = cell.icon?.whitened_cosine;
  if (seeded === null) return <p>This atlas was made without icons: the stronger a cell's shade, the more samples it has. Choose any cell to see the real patches nearest to its average.</p>;
  return (
    <>
      <div class="icon-and-patches">
        <figure><CellIcon view={view} layer={layer} place={place} label="The icon of the cell" /><figcaption>The icon</figcaption></figure>
        {patches.length > 0 && <figure><ul>{patches.map((one, n) => <li key={n}><img src={address(n)!} alt={String(one.image)} /></li>)}</ul><figcaption>Real patches</figcaption></figure>}
      </div>
      <p>{seeded ? "Beginning with an average of real patches," : "Beginning with noise,"} a picture is changed step by step until it excites the layer as the average does: <strong>the icon, what the layer sees in all of them.</strong>{fidelity !== undefined && <> How well it does is its fidelity: here {decimal(fidelity)}, where 1 is exactly so.</>} An orange dot on the map marks icons that fall short.</p>
      <p class="quiet">Zoom in for finer cells; choose a cell to see all about it.</p>
    </>
  );
}
