// Pictures on request: a button that asks for them, how far they are, and then they.

import type { ComponentChildren } from "preact";
import { Problem } from "../api";
import { JobLine } from "../parts/JobLine";
import { ProblemLine } from "../parts/Problem";
import type { View } from "../view";
import { type IconPicture, type Wanted, requestsOf } from "./icons";

interface Props { view: View; wanted: Wanted; /** Of the button. */ ask: string; children: (pictures: IconPicture[], seeded: boolean) => ComponentChildren }

export function Drawn({ view, wanted, ask, children }: Props) {
  const layer = view.layer.value, requests = requestsOf(view), job = requests.of(layer, wanted).value;
  const start = () => void requests.ask(layer, wanted);
  if (view.atlas.value.state !== "succeeded") return <p class="quiet">Once the atlas is made, more icons can be drawn.</p>;
  if (job instanceof Problem) return <ProblemLine problem={job} onAgain={start} />;
  if (!job) return <button type="button" onClick={start}>{ask}</button>;
  if (job.description) return <>{children(job.description.pictures, job.description.seeded_from_data)}</>;
  return <><JobLine job={job} doing="Drawing" />{["failed", "cancelled"].includes(job.state) && <button type="button" onClick={start}>Try again</button>}</>;
}
