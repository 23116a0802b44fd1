// Maps of selections: ask for one, watch it being made, open those there are.

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { listOf, post } from "../api";
import { classesOf } from "../classes";
import { JobLine, useJob } from "../parts/JobLine";
import { brief, count } from "../parts/words";
import type { Job } from "../types";
import type { View } from "../view";
import { type Selection, requestOf, selecting } from "./selection";

interface Request { kind: string; samples: number; images: number; label?: number | null; predicted?: number | null; speaks_for?: number | null; by?: string; wrong?: boolean; right?: boolean; box?: unknown; polygon?: unknown; cells?: unknown }
type SelectionJob = Job & { request: Request };

/** What was selected, in a few words. */
export function titleOf(view: View, request: Request): string {
  const classes = classesOf(view).value, labels = view.atlas.value.manifest?.dataset?.classes ?? [];
  const named = (names: string[], index: number) => brief(names[index] ?? String(index));
  if (request.kind === "class") return `${named(classes, request.label!)}, by ${request.by}`;
  const parts = [
    typeof request.label === "number" && named(labels, request.label),
    typeof request.predicted === "number" && `taken for ${named(classes, request.predicted)}`,
    typeof request.speaks_for === "number" && `for ${named(classes, request.speaks_for)}`,
    (request.wrong || request.kind === "errors") && "got wrong", request.right && "got right",
    (request.box || request.polygon || request.cells) && "a part of the map",
  ].filter(Boolean);
  return parts.join(", ");
}

export function MadeAtlases({ view, selection }: { view: View; selection: Selection }) {
  const made = useSignal<SelectionJob[]>([]), asked = useSignal<string | null>(null), failed = useSignal<string | null>(null);
  const root = view.source.root, of = view.atlas.value.manifest?.selected, some = selecting(view).value;
  const list = () => void listOf<SelectionJob>(`${root}/selections`).then((jobs) => { made.value = jobs; }, () => null);
  useEffect(() => { if (!of) list(); }, [root, of]);
  if (of || view.atlas.value.state !== "succeeded") return null;
  const ask = async () => {
    failed.value = null;
    try {
      asked.value = (await post<SelectionJob>(`${root}/selections`, requestOf(selection, view.layer.peek()))).id;
      list();
    } catch (error) {
      failed.value = (error as Error).message;
    }
  };
  const watched = [...new Set([asked.value, ...made.value.filter(({ state }) => state === "running" || state === "queued").map(({ id }) => id)])].filter((id) => id !== null);
  const done = made.value.filter(({ id, state }) => state === "succeeded" && !watched.includes(id));
  return (
    <section aria-label="Atlases of selections">
      {some && <button type="button" class="primary" onClick={() => void ask()}>Make an atlas of this</button>}
      {failed.value && <p class="failed" role="alert">{failed.value}</p>}
      {watched.map((id) => <Watched key={id} view={view} path={`${root}/selections/${id}`} onDone={list} />)}
      {done.length > 0 && <h3>Atlases of selections</h3>}
      <ul class="links">{done.map((job) => <li key={job.id}><Opened view={view} job={job} /></li>)}</ul>
    </section>
  );
}

function Watched({ view, path, onDone }: { view: View; path: string; onDone: () => void }) {
  const job = useJob<SelectionJob>(path);
  useEffect(() => { if (job?.state === "succeeded") onDone(); }, [job?.state]);
  return job?.state === "succeeded" ? <p class="ready"><Opened view={view} job={job} /></p> : <JobLine job={job} doing="Making an atlas of it" />;
}

function Opened({ view, job }: { view: View; job: SelectionJob }) {
  return <><a href={`./?selection=${job.id}`}>{titleOf(view, job.request)}</a> <span class="quiet">{count(job.request.samples)} samples of {count(job.request.images)} images</span></>;
}
