// All work of a service, or what was asked of one atlas: how far it is, what came of it, and an end to it.

import { useSignal } from "@preact/signals";
import { useAsked } from "../parts/asked";
import { json } from "../api";
import { KIND_NAMES, STATES, cancel, isRunning, kindNamed, useJobs, when } from "../jobs";
import { Body } from "../parts/Body";
import { resultOf, saidOf } from "../parts/asking";
import { Progress, StateBadge } from "../parts/Standing";
import { Empty, Ghosts, Wrong } from "../parts/States";
import { say } from "../parts/said";
import { count } from "../parts/words";
import { useRegistered } from "../registered";
import type { Job } from "../types";
import type { PageProps } from ".";

export default function JobsPage({ query }: PageProps) {
  const atlas = query.get("jobs"), of = atlas ? `atlas=${encodeURIComponent(atlas)}` : "";
  const jobs = useJobs<Job>(`v1/jobs?${of}`, `v1/jobs?state=queued&state=running&${of}`);
  const about = useAsked<Job | null>(async () => (atlas ? json<Job>(`v1/jobs/${encodeURIComponent(atlas)}`) : null), `about ${atlas}`);
  const models = useRegistered("models");
  const labels = (job: Job) => models.value.value?.find(({ id }) => id === job.spec.model)?.card.labels;
  const kind = useSignal(""), state = useSignal("");
  const all = jobs.value.value, name = about.value.value?.name ?? "an atlas";
  const shown = (all ?? []).filter((job) => (!kind.value || job.kind === kind.value) && (!state.value || (state.value === "running" ? isRunning(job) : job.state === state.value)));
  return (
    <Body title={atlas ? `Asked of ${name}` : "Jobs"} from={atlas ? { href: `?atlas=${atlas}`, text: name } : undefined} lead={all ? `${count(all.length)} ${all.length === 1 ? "job" : "jobs"}` : undefined}
      actions={atlas ? <a class="button" href="?jobs">See all jobs</a> : undefined}>
      {jobs.problem.value && <Wrong problem={jobs.problem.value} what="The jobs" again={jobs.again} held={all !== null} />}
      {!all && !jobs.problem.value && <Ghosts count={4} kind="line" />}
      {all && all.length > 0 && (
        <div class="filters">
          <label class="inline">Kind <select value={kind.value} onChange={(event) => { kind.value = event.currentTarget.value; }}>
            <option value="">all</option>{KIND_NAMES.map(([key, text]) => <option key={key} value={key}>{text}</option>)}
          </select></label>
          <label class="inline">State <select value={state.value} onChange={(event) => { state.value = event.currentTarget.value; }}>
            <option value="">all</option>{Object.entries(STATES).filter(([key]) => key !== "queued").map(([key, text]) => <option key={key} value={key}>{text}</option>)}
          </select></label>
          <p class="quiet" role="status">{shown.length < all.length ? `${count(shown.length)} of ${count(all.length)}` : ""}</p>
        </div>
      )}
      {all && !all.length && <Empty title="Nothing was asked for yet"><p>{atlas ? "Selections, comparisons, icons and patch tests are asked for on the map." : "Atlases, audits and what is asked of atlases are listed here with how far they are."}</p>
        <p><a class="button primary" href={atlas ? `?atlas=${atlas}` : "?new"}>{atlas ? "Open the map" : "Make an atlas"}</a></p></Empty>}
      {all && all.length > 0 && !shown.length && <p class="quiet">No job is of this kind and state.</p>}
      {shown.length > 0 && <ul class="lines">{shown.map((job) => <li key={job.id}><Line job={job} labels={labels(job)} onChange={jobs.again} /></li>)}</ul>}
    </Body>
  );
}

function Line({ job, labels, onChange }: { job: Job; labels: string[] | null | undefined; onChange: () => void }) {
  const result = resultOf(job), said = saidOf(job, labels), running = isRunning(job);
  return (
    <article class="line" aria-label={`${kindNamed(job.kind)}: ${said}`}>
      <div>
        <p class="quiet">{kindNamed(job.kind)} · {when(job.created)}</p>
        <h2>{result && (result.always || job.state === "succeeded") ? <a href={result.href} target={result.file ? "_blank" : undefined}>{said}</a> : said}</h2>
        <Progress job={job} label={`Progress of ${said}`} />
        {job.error && <p class="failed">{job.error.detail}</p>}
      </div>
      {running && <button type="button" aria-label={`Cancel ${said}`} onClick={() => { void cancel(job.id).then(() => { say(`${said} is cancelled`); onChange(); }); }}>Cancel</button>}
      <StateBadge state={job.state} />
    </article>
  );
}
