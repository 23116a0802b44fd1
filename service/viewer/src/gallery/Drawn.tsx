// Pictures on request: a button that asks for them, how far they are, and then they.

import type { ComponentChildren } from "preact";
import { Problem } from "../api";
import { Busy } from "../parts/Busy";
import { ProblemLine } from "../parts/Problem";
import { count } from "../parts/words";
import type { Job } from "../types";
import type { View } from "../view";
import { type IconPicture, type Wanted, requestsOf } from "./icons";

interface Props { view: View; wanted: Wanted; /** Of the button. */ ask: string; children: (pictures: IconPicture[], seeded: boolean) => ComponentChildren }

export function Drawn({ view, wanted, ask, children }: Props) {
  const layer = view.layer.value, requests = requestsOf(view), job = requests.of(layer, wanted).value;
  const start = () => void requests.ask(layer, wanted);
  if (view.atlas.value.state !== "succeeded") return <p class="quiet">Once the atlas is made, more icons can be drawn.</p>;
  if (job instanceof Problem) return <ProblemLine problem={job} onAgain={start} />;
  if (!job) return <button type="button" onClick={start}>{ask}</button>;
  if (job.state === "failed" || job.state === "cancelled") {
    return <ProblemLine problem={new Error(job.error?.detail ?? "It was cancelled.")} onAgain={start} />;
  }
  return job.description ? <>{children(job.description.pictures, job.description.seeded_from_data)}</> : <Drawing job={job} />;
}

function Drawing({ job }: { job: Job }) {
  const stages = Object.values(job.progress), total = stages.reduce((sum, stage) => sum + stage.total, 0);
  const done = stages.reduce((sum, stage) => sum + stage.fraction * stage.total, 0);
  if (job.state === "queued" || !total) return <Busy>Waiting for a worker…</Busy>;
  return (
    <div role="status">
      <progress value={done} max={total} aria-label="Drawing" />
      <p class="quiet">Drawing: {Math.floor((100 * done) / total)} %{job.eta_seconds ? `, about ${count(Math.ceil(job.eta_seconds))} s to go` : ""}</p>
    </div>
  );
}
