// Comparing two classes: choose them, or take a pair that the model confuses; on a comparison, what it shows and the patch test.

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { listOf, post } from "../api";
import { className, classesOf } from "../classes";
import { ClassSearch } from "../parts/ClassSearch";
import { JobLine, useJob } from "../parts/JobLine";
import { amount, brief, count, percent } from "../parts/words";
import type { ClassName, Job } from "../types";
import { PatchTest } from "../patches/PatchTest";
import type { View } from "../view";
import { type Compared, comparedIn, differenceAt } from "./classes";
import { Ends } from "./Ends";

interface Pair { classes: [ClassName, ClassName]; images: number; confused: [number, number] | null; share: number | null; probability: number }
type ComparisonJob = Job & { request: { kind: string; classes: [number, number] } };

const SUGGESTED = 6;

export function ComparePanel({ view }: { view: View }) {
  const compared = comparedIn(view);
  return compared ? <Comparison view={view} compared={compared} /> : <Asking view={view} />;
}

function Asking({ view }: { view: View }) {
  const first = useSignal<number | null>(null), second = useSignal<number | null>(null), asked = useSignal<string | null>(null), failed = useSignal<string | null>(null);
  const classes = classesOf(view).value, ready = first.value !== null && second.value !== null && first.value !== second.value;
  const ask = async (pair: [number, number]) => {
    [first.value, second.value] = pair;
    failed.value = null;
    try {
      const job = await post<Job>("v1/comparisons", { kind: "classes", atlas: view.atlas.peek().id, classes: pair, layer: view.layer.peek() });
      asked.value = `v1/comparisons/${job.id}`;
    } catch (error) {
      failed.value = (error as Error).message;
    }
  };
  return (
    <div class="compare">
      <h2 class="unseen">Compare two classes</h2>
      <p class="quiet">Two classes on a map of their own: what adds more to the first lies on the left, what adds more to the second on the right. It shows what the model tells them apart by.</p>
      <ClassSearch label="On the left" classes={classes} value={first.value} onPick={(it) => { first.value = it; }} />
      <ClassSearch label="On the right" classes={classes} value={second.value} onPick={(it) => { second.value = it; }} />
      <button type="button" class="primary" disabled={!ready} onClick={() => void ask([first.value!, second.value!])}>Compare</button>
      {failed.value && <p class="failed" role="alert">{failed.value}</p>}
      {asked.value && <Coming key={asked.value} view={view} path={asked.value} />}
      <Suggestions view={view} onPick={(pair) => void ask(pair)} />
      <Made view={view} again={asked.value} />
    </div>
  );
}

// Nobody is taken away from the map unasked: once the comparison is there, it is announced and a link leads to it.
function Coming({ view, path }: { view: View; path: string }) {
  const job = useJob<ComparisonJob>(path);
  if (job?.state !== "succeeded") return <JobLine job={job} doing="Comparing" />;
  const [one, other] = job.request.classes.map((label) => className(view, label));
  return (
    <div class="ready" role="status">
      <p>The comparison of {one} and {other} is ready, a map of its own.</p>
      <a class="button primary" href={`./?comparison=${job.id}#panel=compare`}>Open {one} and {other}</a>
    </div>
  );
}

function Suggestions({ view, onPick }: { view: View; onPick: (pair: [number, number]) => void }) {
  const pairs = useSignal<Pair[]>([]), root = view.source.root;
  useEffect(() => { void listOf<Pair>(`${root}/confusions`).then((found) => { pairs.value = found.slice(0, SUGGESTED); }, () => null); }, [root]);
  if (!pairs.value.length) return null;
  return (
    <section aria-label="Often confused">
      <h3>Often confused</h3>
      <ul class="links">
        {pairs.value.map(({ classes: [one, other], share, images, confused, probability }) => (
          <li key={`${one.index}-${other.index}`}>
            <button type="button" class="as-link" onClick={() => onPick([one.index, other.index])}>{brief(one.name)} and {brief(other.name)}</button>{" "}
            <span class="quiet">{share === null ? `mean probability ${percent(probability)}` : `${count(confused![0] + confused![1])} of ${count(images)} images confused`}</span>
          </li>
        ))}
      </ul>
    </section>
  );
}

function Made({ view, again }: { view: View; again: string | null }) {
  const jobs = useSignal<ComparisonJob[]>([]), id = view.atlas.value.id;
  useEffect(() => {
    void listOf<ComparisonJob>(`v1/comparisons?atlas=${id}`).then((found) => { jobs.value = found.filter(({ request, state }) => request.kind === "classes" && state === "succeeded"); }, () => null);
  }, [id, again]);
  if (!jobs.value.length) return null;
  return (
    <section aria-label="Comparisons">
      <h3>Comparisons</h3>
      <ul class="links">{jobs.value.map(({ id: comparison, request: { classes: [one, other] } }) => <li key={comparison}><a href={`./?comparison=${comparison}#panel=compare`}>{className(view, one)} and {className(view, other)}</a></li>)}</ul>
    </section>
  );
}

function Comparison({ view, compared }: { view: View; compared: Compared }) {
  const chosen = view.selected.value, cell = chosen && view.cells.value?.has(chosen.column, chosen.row) ? chosen : null, pointed = view.hovered.value ?? cell;
  const [first, second] = [className(view, compared.first), className(view, compared.second)];
  const difference = pointed && differenceAt(compared, pointed.column, pointed.side);
  const right = cell ? differenceAt(compared, cell.column, cell.side) > 0 : true;
  return (
    <div class="compare">
      <h2>{first} and {second}</h2>
      <p>What does the model tell {first} and {second} apart by? Here are the {count(compared.samples)} samples, of {count(compared.images)} images at {compared.layer}, that add most to either.</p>
      <details open>
        <summary>How to read it</summary>
        <p class="quiet">Across: what a sample adds to {second} less what it adds to {first}, {amount(compared.scale)} logits or more at the edges. In the middle it adds to both alike. Upwards: like lies beside like, no more. A name on the map is the class of the samples about it, which may be a third one.</p>
        <p class="quiet">What lies at an edge is what the model goes by. Where that belongs to the class itself, good. Where it is a background, a tool or a text beside it, a picture of the other class could be mistaken for it: the patch test tells whether it is.</p>
      </details>
      <Ends view={view} compared={compared} />
      <p role="status">{difference === null ? "Point at a cell to see which class it speaks for, choose one to test it." : `This cell adds about ${amount(Math.abs(difference))} logits more to ${difference > 0 ? second : first}.`}</p>
      {cell && view.source.live && <PatchTest key={`${cell.column}-${cell.row}`} view={view} cell={cell} target={right ? compared.second : compared.first} base={right ? compared.first : compared.second} />}
      <h3>Where next</h3>
      <ul class="links">
        {[[compared.first, first], [compared.second, second]].map(([label, name]) => <li key={label}><a href={`./?atlas=${compared.atlas}#layer=${encodeURIComponent(compared.layer)}&heat=class-${label}&panel=heat`}>Where {name} lies on the whole map</a></li>)}
        <li><a href={`./?atlas=${compared.atlas}#layer=${encodeURIComponent(compared.layer)}&panel=compare`}>Back to the whole atlas, to compare others</a></li>
      </ul>
    </div>
  );
}
