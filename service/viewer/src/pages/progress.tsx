// How far the job is that makes what is looked at; nothing once it has succeeded.

import { count } from "../parts/words";
import type { View } from "../view";

export function Progress({ view }: { view: View }) {
  const { state, progress, error, etaSeconds } = view.atlas.value, lost = view.problem.value;
  if (state === "succeeded") return null;
  const said = state === "failed" ? `Failed: ${error?.detail ?? "no reason given"}` : state === "queued" ? "Waiting for a worker" : state === "running" ? "Running" : "Cancelled";
  return (
    <section class="progress" aria-label="Progress">
      <span class={state === "failed" ? "state failed" : "state"}>{lost?.passing ? "Connection lost, trying again" : said}{view.running.value && etaSeconds !== null && !lost && `, ${lasting(etaSeconds)} to go`}</span>
      {Object.entries(progress ?? {}).map(([name, { done, running, total, fraction }]) => (
        <label class={running ? "stage-progress active" : "stage-progress"} key={name}>{name}
          <progress value={fraction} max={1} aria-label={name} /> <span>{count(done)} of {count(total)}</span>
        </label>
      ))}
    </section>
  );
}

function lasting(seconds: number): string {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}
