// On an atlas's page: compare its model with another, or two of its layers; and the comparisons that there are.

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { Problem, listOf, post } from "../api";
import { Busy } from "../parts/Busy";
import { ProblemLine } from "../parts/Problem";
import type { Job } from "../types";
import type { View } from "../view";
import type { ComparisonJob } from "./told";

interface Model { id: string; name: string; state: string; layers: { name: string }[] | null }

const ALL = "*";
const address = (id: string) => `./?comparison=${encodeURIComponent(id)}`;

export function VersionsPanel({ view }: { view: View }) {
  const models = useSignal<Model[] | null>(null), problem = useSignal<Error | null>(null);
  useEffect(() => { listOf<Model>("v1/models").then((found) => { models.value = found.filter((model) => model.state === "ready"); }, (error: Error) => { problem.value = error; }); }, []);
  if (problem.value) return <ProblemLine problem={problem.value} />;
  if (!models.value) return <Busy />;
  return <><h2>Compare models</h2><Form view={view} models={models.value} /><Made view={view} models={models.value} /></>;
}

function Form({ view, models }: { view: View; models: Model[] }) {
  const own = view.atlas.value.spec.model ?? "", layers = view.atlas.value.layers.map((layer) => layer.name);
  const other = useSignal(models.find((model) => model.id !== own)?.id ?? own), layer = useSignal(view.layer.peek()), beside = useSignal("");
  const sending = useSignal(false), problem = useSignal<Problem | null>(null);
  const there = models.find((model) => model.id === other.value)?.layers?.map((one) => one.name) ?? [], same = other.value === own;
  const choices = there.filter((name) => !same || name !== layer.value);
  const suggested = choices.includes(beside.value) ? beside.value : choices.includes(layer.value) ? layer.value : (choices.find((name) => layers.includes(name)) ?? choices[0] ?? "");
  const every = !same && layers.length > 1 && layers.every((name) => there.includes(name)), all = every && layer.value === ALL;
  const ask = async (event: Event) => {
    event.preventDefault();
    sending.value = true;
    problem.value = null;
    try {
      const job = await post<Job>("v1/comparisons", { kind: "models", atlas: view.atlas.peek().id, other: other.value, ...(all ? {} : { layers: [layer.value], other_layers: [suggested] }) });
      location.assign(address(job.id));
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      problem.value = error;
      sending.value = false;
    }
  };
  return (
    <form class="ask" onSubmit={ask}>
      <p class="quiet">Lay another model's samples, or another layer's, out beside this one's on one map, and see which cells were gained, lost and moved, and where it is right more or less often.</p>
      <label>Layer of this atlas <select value={layer.value} onChange={(event) => { layer.value = event.currentTarget.value; }}>{every && <option value={ALL}>all {layers.length}</option>}{layers.map((name) => <option key={name}>{name}</option>)}</select></label>
      <label>Compare with <select value={other.value} onChange={(event) => { other.value = event.currentTarget.value; if (layer.value === ALL) layer.value = view.layer.peek(); }}>
        {models.map((model) => <option key={model.id} value={model.id}>{model.id === own ? `${model.name} (this model: another layer)` : model.name}</option>)}
      </select></label>
      {!all && <label>Its layer <select value={suggested} onChange={(event) => { beside.value = event.currentTarget.value; }}>{choices.map((name) => <option key={name}>{name}</option>)}</select></label>}
      <button type="submit" class="primary" disabled={sending.value || !(all || suggested)}>{sending.value ? "Asking…" : "Compare"}</button>
      {problem.value && <ProblemLine problem={problem.value} />}
    </form>
  );
}

/** The comparisons of this atlas's model that there are. */
function Made({ view, models }: { view: View; models: Model[] }) {
  const found = useSignal<ComparisonJob[] | null>(null);
  useEffect(() => {
    listOf<ComparisonJob>(`v1/comparisons?atlas=${encodeURIComponent(view.atlas.peek().id)}`).then((jobs) => { found.value = jobs.filter((job) => job.request?.kind === "models").reverse(); }, () => { found.value = []; });
  }, []);
  if (!found.value?.length) return null;
  return (
    <section aria-label="Comparisons">
      <h3>Compared before</h3>
      <ul class="made">{found.value.map((job) => <li key={job.id}><a href={address(job.id)}>{named(job, models)}</a> <span class="quiet">{told(job)}</span></li>)}</ul>
    </section>
  );
}

function named({ request }: ComparisonJob, models: Model[]): string {
  const with_ = models.find((model) => model.id === request.other)?.name;
  const own = (request.layers as string[] | undefined) ?? [], other = (request.other_layers as string[] | undefined) ?? own;
  const layers = own.map((layer, n) => (layer === other[n] ? layer : `${layer} → ${other[n]}`)).join(", ");
  return with_ ? `${with_}: ${layers}` : layers;
}

function told({ state, created }: ComparisonJob): string {
  return [state === "succeeded" ? "" : state, created?.slice(0, 10)].filter(Boolean).join(" · ");
}
