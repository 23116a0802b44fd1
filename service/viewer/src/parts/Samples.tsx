// Samples as a grid of crops, page by page.

import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { Page } from "../api";
import type { SampleDocument } from "../types";
import { Busy } from "./Busy";
import { ProblemLine } from "./Problem";
import { brief, count } from "./words";

const SHOWN = 30;

export interface Asked { token: string | null; size: number; wrong: boolean }
export type SamplePage = Page<SampleDocument> & { total: number };

interface Props {
  heading: (total: number) => string;
  ask: (asked: Asked) => Promise<SamplePage>;
  /** Counts up as long as samples may still come: then they are asked for again where there were none. */
  looks?: number;
  /** Whether those of wrong answers can be asked for here. */
  answers?: boolean;
  /** Place the picture that a sample is from; left out where that cannot be. */
  onPlace?: (sample: SampleDocument) => Promise<void>;
  /** A crop is pointed at, or none. */
  onPoint?: (sample: SampleDocument | null) => void;
}

/** Give it another `key` whenever other samples are to be shown. */
export function Samples({ heading, ask, looks, answers = true, onPlace, onPoint }: Props) {
  const page = useSignal<SamplePage | null>(null), problem = useSignal<Error | null>(null);
  const tokens = useSignal<(string | null)[]>([null]), place = useSignal(0), shown = useSignal(0), wrong = useSignal(false), known = useSignal(false), chosen = useSignal<SampleDocument | null>(null);
  useEffect(() => {
    let gone = false;
    ask({ token: tokens.value[place.value] ?? null, size: SHOWN, wrong: wrong.value }).then(
      (found) => {
        if (gone) return;
        const after = [...tokens.peek()];
        after[place.peek() + 1] = found.next_page_token;
        tokens.value = after;
        shown.value = place.peek();
        known.value ||= found.items.some((sample) => sample.right !== null);
        page.value = found;
        problem.value = null;
      },
      (error: Error) => { if (!gone) problem.value = error; },
    );
    return () => { gone = true; };
  }, [place.value, wrong.value, page.value?.total === 0 ? looks : 0]);
  useEffect(() => () => onPoint?.(null), []);
  if (problem.value) return <section class="samples" aria-label="Samples"><ProblemLine problem={problem.value} /></section>;
  const found = page.value;
  if (!found) return <section class="samples" aria-label="Samples"><Busy>Looking for samples…</Busy></section>;
  if (found.total === 0 && looks !== undefined) return <section class="samples" aria-label="Samples"><p class="note">The samples are still to come.</p></section>;
  const first = shown.value * SHOWN, turn = (by: number) => () => { place.value += by; };
  return (
    <section class="samples" aria-label="Samples">
      <h3>{heading(found.total)}</h3>
      {answers && known.value && (
        <label class="wrong-only">
          <input type="checkbox" checked={wrong.value} onChange={(event) => { tokens.value = [null]; place.value = 0; wrong.value = event.currentTarget.checked; }} />
          Only of images that the network got wrong
        </label>
      )}
      {found.items.some((sample) => sample.right === false) && <p class="quiet small">Framed in red: the network got the image wrong.</p>}
      <ul class="crops">{found.items.map((sample) => <Crop key={sample.sample} sample={sample} onPoint={onPoint} onChoose={() => { chosen.value = sample; }} />)}</ul>
      {found.total > SHOWN && (
        <nav class="pager" aria-label="Pages of samples">
          <button type="button" disabled={place.value === 0} onClick={turn(-1)}>Previous</button>
          <span>{count(first + 1)}–{count(first + found.items.length)}</span>
          <button type="button" disabled={!tokens.value[place.value + 1]} onClick={turn(1)}>Next</button>
        </nav>
      )}
      {chosen.value && <Chosen key={chosen.value.sample} sample={chosen.value} onPlace={onPlace} />}
    </section>
  );
}

/** What a sample is, in a line. */
function said(sample: SampleDocument): string {
  const label = sample.label && brief(sample.label.name), predicted = sample.predicted && brief(sample.predicted.name);
  if (sample.right === false) return `${label}, taken for ${predicted}`;
  return label ?? (predicted ? `taken for ${predicted}` : "");
}

/** Address of a sample's crop, kept with it or cut anew from its image; null where none are kept. */
export function cropOf(sample: SampleDocument, source: "stored" | "dataset" | "image"): string | null {
  return sample.crop && `${sample.crop.slice(1)}&source=${source}`;
}

function Crop({ sample, onPoint, onChoose }: { sample: SampleDocument; onPoint?: Props["onPoint"]; onChoose: () => void }) {
  const address = cropOf(sample, "stored"), text = said(sample) || String(sample.image);
  const point = (it: SampleDocument | null) => () => onPoint?.(it);
  return (
    <li>
      <button type="button" class={sample.right === false ? "crop wrong" : "crop"} title={`${text} · ${sample.image}`} onClick={onChoose}
        onPointerEnter={point(sample)} onPointerLeave={point(null)} onFocus={point(sample)} onBlur={point(null)}>
        {address ? <img src={address} alt={text} loading="lazy" width="20" height="20" /> : text}
      </button>
    </li>
  );
}

// One of them larger, cut anew from its image.
function Chosen({ sample, onPlace }: { sample: SampleDocument; onPlace: Props["onPlace"] }) {
  const address = cropOf(sample, "dataset"), figure = useRef<HTMLElement>(null), problem = useSignal<Error | null>(null);
  useEffect(() => { figure.current?.scrollIntoView({ block: "nearest" }); }, []);
  return (
    <figure class="chosen-sample" ref={figure}>
      {address && <img src={address} alt={said(sample)} />}
      <figcaption><strong>{said(sample) || "Sample"}</strong><br />{sample.image}<br />row {sample.row}, column {sample.column} of the layer
        {onPlace && address && <><br /><button type="button" onClick={() => onPlace(sample).catch((error: Error) => { problem.value = error; })}>Where does all of it land?</button></>}
        {problem.value && <ProblemLine problem={problem.value} />}
      </figcaption>
    </figure>
  );
}
