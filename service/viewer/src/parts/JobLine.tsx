// A job that somebody waits for: how far it is, and what came of it.

import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { Problem, json } from "../api";
import { fractionOf, spoken } from "../jobs";
import type { Job } from "../types";

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
  return job.state === "succeeded" ? null : <Going key={job.id} job={job} doing={doing} />;
}

function Going({ job, doing }: { job: Job; doing: string }) {
  const share = useRef(0), began = useRef<{ at: number; share: number } | null>(null);
  share.current = Math.max(share.current, fractionOf(job)); // what a lost worker has to do again is no step back to who waits
  began.current ??= { at: performance.now(), share: share.current };
  const left = secondsLeft(share.current, began.current.share, (performance.now() - began.current.at) / 1000);
  return (
    <div class="job-line" role="status">
      <progress value={share.current} max={1} aria-label={doing} />
      <p class="quiet">{doing}: {Math.floor(100 * share.current)} %{left === null ? "" : `, ${spoken(left)} to go`}</p>
    </div>
  );
}

const KNOWN = 0.3; // share of a job that has to be seen done before its pace is known

/** Seconds left at the pace that was seen so far; null while too little was seen to know one. */
function secondsLeft(share: number, first: number, seconds: number): number | null {
  return share - first < KNOWN ? null : (seconds / (share - first)) * (1 - share);
}
