// What jobs are called, how far they are, and how those that run are followed.

import { useRef } from "preact/hooks";
import { type Asked, useAsked } from "./parts/asked";
import { json, listOf } from "./api";
import { count } from "./parts/words";
import type { Job, State } from "./types";

export const RUNNING: readonly State[] = ["queued", "running"];
export const isRunning = ({ state }: Pick<Job, "state">): boolean => RUNNING.includes(state);

export const STATES: Record<State, string> = {
  queued: "Waiting", running: "Running", succeeded: "Ready", failed: "Failed", cancelled: "Cancelled",
};

/** Stages in the words of who waits for them. */
const STAGES: Record<string, string> = {
  plan: "Planning", collect: "Reading images", attribute: "Attributing to classes", layout: "Laying out the map", cells: "Filling cells",
  preview: "First icons", render: "Drawing icons", publish: "Publishing", tests: "Testing", icons: "Drawing icons",
};
export const stageNamed = (stage: string): string => STAGES[stage] ?? stage.charAt(0).toUpperCase() + stage.slice(1);

const KINDS: Record<string, string> = {
  atlas: "Atlas", selection: "Selection", comparison: "Comparison", icons: "Icons", drift: "Drift", patches: "Patch test",
  audit: "Audit", projections: "Images placed",
};
export const KIND_NAMES = Object.entries(KINDS);
export const kindNamed = (kind: string): string => KINDS[kind] ?? kind;

/** How much of a job is done, 0 to 1, by its chunks. */
export function fractionOf({ progress }: Pick<Job, "progress">): number {
  const stages = Object.values(progress);
  const total = stages.reduce((sum, stage) => sum + stage.total, 0);
  return total ? stages.reduce((sum, stage) => sum + stage.fraction * stage.total, 0) / total : 0;
}

/** What a job is at, such as "Drawing icons, 34 of 120". */
export function nowAt({ state, progress }: Pick<Job, "state" | "progress">): string {
  const stages = Object.entries(progress);
  const at = stages.filter(([, stage]) => stage.running > 0).at(-1) ?? stages.find(([, stage]) => stage.done < stage.total);
  if (state === "queued" || !at) return "Waiting for a worker";
  const [name, { done, total }] = at;
  return total > 1 ? `${stageNamed(name)}, ${count(done)} of ${count(total)}` : stageNamed(name);
}

/** Seconds as people say them: "about 3 min". */
export function spoken(seconds: number): string {
  if (seconds < 60) return `about ${Math.max(1, Math.round(seconds))} s`;
  if (seconds < 5400) return `about ${Math.round(seconds / 60)} min`;
  return `about ${(seconds / 3600).toFixed(seconds < 36_000 ? 1 : 0)} h`;
}

export function bytesSpoken(bytes: number): string {
  const steps = ["B", "KB", "MB", "GB", "TB"];
  let n = 0, value = bytes;
  while (value >= 999.5 && n < steps.length - 1) { value /= 1000; n += 1; }
  return `${value < 10 && n > 0 ? value.toFixed(1) : Math.round(value)} ${steps[n]}`;
}

export const when = (time: string | null | undefined): string =>
  time ? new Date(time).toLocaleString("en", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", hour12: false }) : "–";

const PAUSE = 1500, SELDOM = 20_000; // milliseconds between looks at a list with jobs that run, and at one without

/**
 * Jobs of a list, the newest first. While some run these alone are asked for, which is little even of a long list.
 *
 * @param path Of the whole list.
 * @param runs Of those of it that run.
 */
export function useJobs<T extends Job>(path: string, runs: string): Asked<T[]> {
  const whole = useRef(true);
  const asked: Asked<T[]> = useAsked<T[]>(
    async () => {
      const held = asked.value.peek(), all = whole.current || !held?.some(isRunning);
      const found = all ? (await listOf<T>(path)).reverse() : await renewed(held!, runs);
      whole.current = false;
      return found;
    },
    path,
    (jobs) => (jobs.some(isRunning) ? PAUSE : SELDOM),
  );
  return { ...asked, again: () => { whole.current = true; asked.again(); } };
}

async function renewed<T extends Job>(held: T[], runs: string): Promise<T[]> {
  const running = new Map((await listOf<T>(runs)).map((job) => [job.id, job]));
  const ended = held.filter((job) => isRunning(job) && !running.has(job.id));
  const looked = await Promise.all(ended.map((job) => json<T>((job.links?.self ?? "").slice(1))));
  const now = new Map([...running, ...looked.map((job) => [job.id, job] as const)]);
  const known = new Set(held.map(({ id }) => id));
  const fresh = [...running.values()].filter(({ id }) => !known.has(id)).reverse();
  return [...fresh, ...held.map((job) => now.get(job.id) ?? job)];
}

/** Ask for an end to a job. */
export const cancel = (id: string): Promise<Job> => json<Job>(`v1/jobs/${id}/cancel`, { method: "POST" });
