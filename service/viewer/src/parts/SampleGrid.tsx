// The samples of a place as a grid of crops, page by page.

import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { Page, Problem } from "../api";
import type { SampleDocument } from "../types";
import { Busy } from "./Busy";
import { ProblemLine } from "./Problem";
import { brief, count } from "./words";

export const SHOWN = 30;

export interface Question { token: string | null; size: number; wrong: boolean }
export type Ask = (question: Question) => Promise<Page<SampleDocument>>;

interface Props {
  /** What is asked, as text: another one starts on its first page. */
  about: string;
  ask: Ask;
  heading: (total: number) => string;
  /** A crop is pointed at, or none. */
  onPoint?: (sample: SampleDocument | null) => void;
}

interface State { about: string; place: number; tokens: (string | null)[]; wrong: boolean; known: boolean; page: Page<SampleDocument> | null; problem: Problem | null; chosen: SampleDocument | null }

const fresh = (about: string): State => ({ about, place: 0, tokens: [null], wrong: false, known: false, page: null, problem: null, chosen: null });

/** What a sample is, in a line. */
export function saidOf(sample: SampleDocument): string {
  const label = sample.label && brief(sample.label.name), predicted = sample.predicted && brief(sample.predicted.name);
  if (sample.right === false) return `${label}, taken for ${predicted}`;
  return label ?? (predicted ? `taken for ${predicted}` : "");
}

/** Where the picture of a sample is: as it was kept with it, or cut from its image anew; null where none are kept. */
export function cropOf(sample: SampleDocument, source: "stored" | "dataset"): string | null {
  return sample.crop && `${sample.crop.replace(/^\//, "")}&source=${source}`;
}

export function SampleGrid({ about, ask, heading, onPoint }: Props) {
  const state = useSignal(fresh(about)), asked = useRef({});
  const load = async (place: number, change: Partial<State> = {}) => {
    const mine = (asked.current = {}), before = { ...state.peek(), ...change };
    try {
      const page = await ask({ token: before.tokens[place] ?? null, size: SHOWN, wrong: before.wrong });
      if (mine !== asked.current) return; // another page was asked for meanwhile
      const tokens = [...before.tokens.slice(0, place + 1), page.next_page_token];
      state.value = { ...before, place, page, tokens, problem: null, chosen: null, known: before.known || page.items.some((sample) => sample.right !== null) };
    } catch (error) {
      if (mine === asked.current) state.value = { ...before, problem: error as Problem };
    }
  };
  useEffect(() => {
    state.value = fresh(about);
    void load(0);
    return () => { asked.current = {}; onPoint?.(null); };
  }, [about]);
  const { page, problem, place, wrong, known, tokens, chosen } = state.value;
  if (problem) return <section class="samples" aria-label="Samples"><ProblemLine problem={problem} onAgain={() => load(place)} /></section>;
  if (!page) return <section class="samples" aria-label="Samples"><Busy>Looking for samples…</Busy></section>;
  const total = page.total ?? page.items.length;
  return (
    <section class="samples" aria-label="Samples">
      <h3>{heading(total)}</h3>
      {known && (
        <label class="check"><input type="checkbox" checked={wrong} onChange={(event) => load(0, { wrong: event.currentTarget.checked, tokens: [null] })} /> Only of images that the network got wrong</label>
      )}
      <ul class="crops">
        {page.items.map((sample) => <Crop key={sample.sample} sample={sample} onPoint={onPoint} onChoose={() => { state.value = { ...state.peek(), chosen: sample }; }} />)}
      </ul>
      {total > SHOWN && (
        <nav class="pager" aria-label="Pages of samples">
          <button type="button" disabled={place === 0} onClick={() => load(place - 1)}>Previous</button>
          <span>{count(place * SHOWN + 1)}–{count(place * SHOWN + page.items.length)}</span>
          <button type="button" disabled={!tokens[place + 1]} onClick={() => load(place + 1)}>Next</button>
        </nav>
      )}
      {chosen && <Chosen sample={chosen} />}
    </section>
  );
}

function Crop({ sample, onPoint, onChoose }: { sample: SampleDocument; onPoint?: Props["onPoint"]; onChoose: () => void }) {
  const address = cropOf(sample, "stored"), text = saidOf(sample) || String(sample.image);
  const point = () => onPoint?.(sample), leave = () => onPoint?.(null);
  return (
    <li>
      <button type="button" class={sample.right === false ? "crop wrong" : "crop"} title={`${text} · ${sample.image}`}
        onPointerEnter={point} onPointerLeave={leave} onFocus={point} onBlur={leave} onClick={onChoose}>
        {address ? <img src={address} alt={text} loading="lazy" width={20} height={20} /> : text}
      </button>
    </li>
  );
}

// One of them larger, cut anew from its image.
function Chosen({ sample }: { sample: SampleDocument }) {
  const figure = useRef<HTMLElement>(null), address = cropOf(sample, "dataset");
  useEffect(() => figure.current!.scrollIntoView({ block: "nearest" }), [sample]);
  return (
    <figure class="chosen" ref={figure}>
      {address && <img src={address} alt={saidOf(sample)} />}
      <figcaption><strong>{saidOf(sample) || "Sample"}</strong><br />{String(sample.image)}<br />row {sample.row}, column {sample.column} of the layer</figcaption>
    </figure>
  );
}
