// A comparison, by its kind: of two models, or of two classes, which is a map as an atlas is.

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { Problem, json } from "../api";
import { Busy } from "../parts/Busy";
import { Message } from "../parts/Problem";
import { sentence } from "../parts/words";
import { VersionsPage } from "../versions/VersionsPage";
import type { ComparisonJob } from "../versions/told";
import type { PageProps } from ".";
import AtlasPage from "./atlas";

const POLL = 1500;

export default function ComparisonPage({ query }: PageProps) {
  const job = useSignal<ComparisonJob | null>(null), problem = useSignal<Error | null>(null), id = query.get("comparison") ?? "";
  useEffect(() => {
    let timer = 0, gone = false;
    const look = async () => {
      try {
        const found = await json<ComparisonJob>(`v1/comparisons/${encodeURIComponent(id)}`);
        if (gone) return;
        job.value = found;
        problem.value = null;
        if (["queued", "running"].includes(found.state)) timer = window.setTimeout(look, POLL);
      } catch (error) {
        problem.value = error as Error;
        if (error instanceof Problem && error.passing && !gone) timer = window.setTimeout(look, 2 * POLL);
      }
    };
    void look();
    return () => { gone = true; clearTimeout(timer); };
  }, [id]);
  const found = job.value;
  if (!found) return problem.value ? <Message title={problem.value instanceof Problem && problem.value.status === 404 ? "There is no such comparison here" : "The comparison cannot be shown"}><p>{sentence(problem.value.message)}</p><p><a href="./">Back to the atlases</a></p></Message> : <Busy />;
  if (found.request.kind === "classes") return <AtlasPage query={new URLSearchParams({ atlas: id })} />;
  return found.description ? <VersionsPage job={found} /> : <Standing job={found} />;
}

/** A comparison that is not complete. */
function Standing({ job }: { job: ComparisonJob }) {
  const stages = Object.entries(job.progress);
  if (job.state === "failed" || job.state === "cancelled") return <Message title={`The comparison ${job.state === "failed" ? "failed" : "was cancelled"}`}><p>{job.error?.detail ?? "Ask for it again from the atlas's page."}</p></Message>;
  return (
    <Message title="Comparing two models">
      <p class="quiet">Both look at the same images, then both are laid out on one map. This page shows it as soon as it is there.</p>
      {stages.map(([name, { fraction, done, total }]) => <label key={name} class="stage-line">{name} <progress value={fraction} max={1} /> {done} of {total}</label>)}
    </Message>
  );
}
