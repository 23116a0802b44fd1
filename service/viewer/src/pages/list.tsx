// The atlases of a service, the newest first, with how far those are that are being made.

import { useSignal } from "@preact/signals";
import { useMemo } from "preact/hooks";
import { useAsked } from "../parts/asked";
import { listOf } from "../api";
import { isRunning, useJobs } from "../jobs";
import { Body } from "../parts/Body";
import { Icon } from "../parts/Icon";
import { Empty, Ghosts, Wrong } from "../parts/States";
import { AtlasCard, type Names } from "../parts/AtlasCard";
import { count } from "../parts/words";
import type { Job } from "../types";

const MANY = 8; // atlases from which on there is something to search and sort
const SORTS = { newest: "Newest first", oldest: "Oldest first", name: "By name", model: "By model" } as const;
type Sort = keyof typeof SORTS;

export default function ListPage() {
  const jobs = useJobs<Job>("v1/atlases", "v1/jobs?kind=atlas&state=queued&state=running");
  const names = useNames();
  const search = useSignal(""), sort = useSignal<Sort>("newest");
  const all = jobs.value.value, named = names.value.value ?? NOTHING;
  const shown = useMemo(() => (all ? chosen(all, named, search.value, sort.value) : []), [all, named, search.value, sort.value]);
  return (
    <Body title="Atlases" lead={all ? told(all) : undefined} actions={<a class="button primary" href="?new"><Icon name="plus" />New atlas</a>}>
      {jobs.problem.value && <Wrong problem={jobs.problem.value} what="The atlases" again={jobs.again} held={all !== null} />}
      {!all && !jobs.problem.value && <Ghosts count={6} />}
      {all && all.length >= MANY && (
        <form class="filters" role="search" onSubmit={(event) => event.preventDefault()}>
          <label class="search"><Icon name="search" /><span class="unseen">Search atlases</span>
            <input type="search" placeholder="Name, model, dataset or layer" value={search.value} onInput={(event) => { search.value = event.currentTarget.value; }} />
          </label>
          <label class="inline">Order <select value={sort.value} onChange={(event) => { sort.value = event.currentTarget.value as Sort; }}>
            {Object.entries(SORTS).map(([key, text]) => <option key={key} value={key}>{text}</option>)}
          </select></label>
          <p class="quiet" role="status">{search.value ? `${count(shown.length)} of ${count(all.length)}` : ""}</p>
        </form>
      )}
      {all && !all.length && <First />}
      {all && all.length > 0 && !shown.length && <Empty title="No atlas matches"><p>Nothing is called “{search.value}”. <button type="button" onClick={() => { search.value = ""; }}>Show all</button></p></Empty>}
      {shown.length > 0 && <ul class="cards">{shown.map((job) => <li key={job.id}><AtlasCard job={job} names={named} onChange={jobs.again} /></li>)}</ul>}
    </Body>
  );
}

const NOTHING: Names = { model: {}, dataset: {} };

/** From ids to the names of models and datasets. */
function useNames() {
  return useAsked<Names>(async () => {
    const of = async (path: string) => Object.fromEntries((await listOf<{ id: string; name: string }>(path)).map(({ id, name }) => [id, name]));
    const [model, dataset] = await Promise.all([of("v1/models"), of("v1/datasets")]);
    return { model, dataset };
  }, "names");
}

function told(all: Job[]): string {
  const running = all.filter(isRunning).length;
  const words = all.length === 1 ? "One atlas" : `${count(all.length)} atlases`;
  return all.length ? `${words}${running ? `, ${running === all.length ? "all" : count(running)} being made` : ""}` : "";
}

function chosen(all: Job[], names: Names, search: string, sort: Sort): Job[] {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  const text = (job: Job) => [job.name, names.model[job.spec.model ?? ""], names.dataset[job.spec.dataset ?? ""], ...(job.spec.layers ?? []), job.id].join(" ").toLowerCase();
  const found = all.filter((job) => { const said = text(job); return words.every((word) => said.includes(word)); });
  const key = (job: Job) => (sort === "name" ? job.name ?? names.model[job.spec.model ?? ""] : names.model[job.spec.model ?? ""]) ?? "";
  if (sort === "oldest") return found.slice().reverse();
  return sort === "newest" ? found : found.sort((a, b) => key(a).localeCompare(key(b)));
}

function First() {
  return (
    <Empty title="No atlas yet">
      <p>An atlas shows what a layer of a network sees, on one map: what it is made of, where its classes lie, and what it takes for what.</p>
      <ol>
        <li>Register a <a href="?models">model</a> and a <a href="?datasets">dataset</a>, here or with <code>atlas models add</code>.</li>
        <li><a href="?new">Make an atlas</a> of them, and watch it appear.</li>
      </ol>
      <p>Or run <code>atlas demo</code>: a small network, its pictures and its atlas in about a minute.</p>
    </Empty>
  );
}
