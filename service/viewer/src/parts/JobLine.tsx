// A job that somebody waits for: how far it is, and what came of it.

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { Problem, json } from "../api";
import type { Job } from "../types";
import { count } from "./words";

const POLL = 700;

/** A job as it stands, looked at until it has ended; null until it is known. */
export function useJob<T extends Job>(path: string | null): T | null {
  const job = useSignal<T | null>(null);
  useEffect(() => {
    job.value = null;
    if (path === null) return;
    let timer = 0, gone = false;
    const look = async () => {
      try {
        const found = await json<T>(path);
        if (!gone) job.value = found;
      } catch (error) {
        if (!(error instanceof Problem && error.passing)) return;
      }
      if (!gone && (job.value === null || ["queued", "running"].includes(job.value.state))) timer = window.setTimeout(look, POLL);
    };
    void look();
    return () => { gone = true; clearTimeout(timer); };
  }, [path]);
  return job.value;
}

/** Progress of a job, or why it ended without a result; nothing once it has succeeded. */
export function JobLine({ job, doing }: { job: Job | null; doing: string }) {
  if (!job || job.state === "queued") return <p class="quiet" role="status">{doing}: waiting…</p>;
  if (job.state === "failed") return <p class="failed" role="alert">{job.error?.detail ?? "It failed."}</p>;
  if (job.state === "cancelled") return <p class="quiet" role="status">It was cancelled.</p>;
  if (job.state === "succeeded") return null;
  const stages = Object.values(job.progress), all = stages.reduce((sum, { total }) => sum + total, 0);
  const done = stages.reduce((sum, { fraction, total }) => sum + fraction * total, 0), seconds = job.eta_seconds;
  return (
    <div class="job-line" role="status">
      <progress value={done} max={all || 1} aria-label={doing} />
      <p class="quiet">{doing}: {Math.floor((100 * done) / (all || 1))} %{seconds ? `, about ${count(Math.ceil(seconds))} s to go` : ""}</p>
    </div>
  );
}
