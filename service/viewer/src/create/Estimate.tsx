// What the atlas would take, asked anew whenever the form changes.

import { type Signal, useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { Problem, post } from "../api";
import { bytesSpoken, spoken, stageNamed } from "../jobs";
import { say } from "../parts/said";
import { count } from "../parts/words";

export interface DryRun {
  id: string;
  spec: { levels: number[]; samples: number };
  stages: Record<string, { total: number; done: number; bytes: number; cpu_seconds: number }>;
  chunks: number;
  bytes: number;
  cpu_seconds: number;
  wall_seconds: number | null;
  rates: "measured" | "partly-measured" | "assumed";
}

const WAIT = 450; // milliseconds after the last change

/** The estimate of a request; null asks for none. `problem` is what the service says against it. */
export function useEstimate(request: Record<string, unknown> | null, problem: Signal<Problem | null>): Signal<DryRun | null> {
  const found = useSignal<DryRun | null>(null), text = JSON.stringify(request);
  useEffect(() => {
    if (!request) { found.value = null; problem.value = null; return; }
    let gone = false;
    const timer = setTimeout(() => {
      post<DryRun>("v1/atlases", { ...request, dry_run: true }).then(
        (run) => { if (!gone) { found.value = run; problem.value = null; say(`Estimate: ${inShort(run)}`); } },
        (error: unknown) => { if (!gone && error instanceof Problem) { found.value = null; problem.value = error; } },
      );
    }, WAIT);
    return () => { gone = true; clearTimeout(timer); };
  }, [text]);
  return found;
}

function inShort({ chunks, wall_seconds, bytes }: DryRun): string {
  if (!chunks) return "it is made already";
  return `${wall_seconds === null ? "no worker to make it" : spoken(wall_seconds)}, ${bytesSpoken(bytes)}`;
}

const RATES: Record<DryRun["rates"], string> = {
  measured: "By what jobs took here.",
  "partly-measured": "Partly by what jobs took here, partly assumed.",
  assumed: "Assumed: no job has finished here yet.",
};

export function Estimate({ run }: { run: DryRun }) {
  const stages = Object.entries(run.stages).filter(([, { total, done }]) => total > done);
  return (
    <div class="estimate">
      {run.chunks === 0 ? <p class="large">It is made already.</p> : (
        <p class="large">{run.wall_seconds === null ? "No worker is there to make it" : spoken(run.wall_seconds)}<span class="quiet"> · {bytesSpoken(run.bytes)}</span></p>
      )}
      <p class="quiet">{count(run.spec.samples)} samples a layer, {run.spec.levels.length === 1 ? "level" : "levels"} of {run.spec.levels.join(", ")} cells a side.</p>
      {stages.length > 0 && (
        <details>
          <summary>Stage by stage</summary>
          <table><thead><tr><th scope="col">Stage</th><th scope="col" class="numeric">Chunks</th><th scope="col" class="numeric">Processor</th></tr></thead>
            <tbody>{stages.map(([name, { total, done, cpu_seconds }]) => <tr key={name}><th scope="row">{stageNamed(name)}</th><td class="numeric">{count(total - done)}</td><td class="numeric">{spoken(cpu_seconds).replace("about ", "")}</td></tr>)}</tbody></table>
          <p class="quiet">{RATES[run.rates]}</p>
        </details>
      )}
    </div>
  );
}
