// An atlas in a list: how it looks, what it is of, how far it is.

import { json } from "../api";
import { cancel, isRunning, when } from "../jobs";
import type { Job } from "../types";
import { Confirm } from "./Confirm";
import { Icon } from "./Icon";
import { Progress, StateBadge } from "./Standing";
import { say } from "./said";
import { count } from "./words";

export interface Names { model: Record<string, string>; dataset: Record<string, string> }

const MOST_LAYERS = 3;

export function AtlasCard({ job, names, onChange }: { job: Job; names: Names; onChange: () => void }) {
  const { spec } = job, model = names.model[spec.model ?? ""] ?? "a model", dataset = names.dataset[spec.dataset ?? ""] ?? "a dataset";
  const called = job.name ?? model, layers = spec.layers ?? [];
  return (
    <article class="card">
      <Thumbnail job={job} />
      <div class="about">
        <h2><a class="whole" href={`?atlas=${job.id}`}>{called}</a></h2>
        <p class="quiet">{job.name ? `${model} on ${dataset}` : `on ${dataset}`}</p>
        <p class="quiet layers">{layers.slice(0, MOST_LAYERS).join(", ")}{layers.length > MOST_LAYERS && ` and ${layers.length - MOST_LAYERS} more`}</p>
        {typeof spec.anchor === "string" && job.state === "succeeded" && <p class="kin"><a href={`?atlas=${job.id}#beside=1&against=${spec.anchor}`}>Beside the atlas that it is laid out against</a></p>}
        {isRunning(job) && <Progress job={job} label={`Progress of ${called}`} />}
        {job.error && <p class="failed">{job.error.detail}</p>}
        <div class="foot">
          {job.state === "succeeded" ? <span class="quiet">up to {count(Number(spec.samples ?? 0))} samples a layer · {when(job.finished)}</span> : <StateBadge state={job.state} />}
          <span class="acts">{isRunning(job) ? (
            <button type="button" class="faint" aria-label={`Cancel ${called}`} onClick={() => { void cancel(job.id).then(() => { say(`${called} is cancelled`); onChange(); }); }}>Cancel</button>
          ) : (
            <Confirm text="Delete" label={`Delete ${called}`} title={`Delete ${called}?`} onDone={() => { say(`${called} is deleted`); onChange(); }}
              explain="Its map, and the selections, comparisons and icons asked of it, are gone for good. The model and the dataset stay."
              act={() => json(`v1/atlases/${job.id}`, { method: "DELETE" })} />
          )}</span>
        </div>
      </div>
    </article>
  );
}

function Thumbnail({ job }: { job: Job }) {
  const address = job.links?.thumbnail;
  return (
    <div class="thumbnail">
      {address ? <img src={address.slice(1)} alt="" width="320" height="320" loading="lazy" decoding="async" /> : <Icon name="map" />}
    </div>
  );
}
