// Asking for an atlas: of which model, dataset and layers, how fine, and what it will take.

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { Problem, post } from "../api";
import { Estimate, useEstimate } from "../create/Estimate";
import { LayerPicker } from "../create/LayerPicker";
import { More } from "../create/More";
import { Fineness, Pictures } from "../create/Shape";
import { type Form, START, requestOf, startLayers } from "../create/request";
import { go } from "../frame/navigate";
import { Body } from "../parts/Body";
import { Field, Select } from "../parts/Field";
import { wrongAt, wrongElsewhere } from "../parts/wrongs";
import { useRegistered } from "../registered";
import type { Job } from "../types";
import type { PageProps } from ".";

const FIELDS = ["/name", "/model", "/dataset", "/layers", "/samples", "/levels", "/recipe", "/privacy", "/attribution", "/anchor", "/images", "/images_per_class", "/seed", "/layout"];

export default function CreatePage({ query }: PageProps) {
  const form = useSignal<Form>({ ...START, model: query.get("model") ?? "", dataset: query.get("dataset") ?? "" });
  const problem = useSignal<Problem | null>(null), busy = useSignal(false);
  const models = useRegistered("models").value.value, datasets = useRegistered("datasets").value.value;
  const change = (some: Partial<Form>) => { form.value = { ...form.value, ...some }; };
  const { model: modelId, dataset, layers } = form.value, model = models?.find(({ id }) => id === modelId);
  useEffect(() => { if (model) change({ layers: startLayers(model.layers) }); }, [model?.id, model?.state]);
  const whole = Boolean(modelId && dataset && layers.length), request = requestOf(form.value);
  const run = useEstimate(whole ? request : null, problem).value;
  const wrong = (pointer: string) => wrongAt(problem.value, pointer), rest = wrongElsewhere(problem.value, FIELDS);
  const named = (all: { id: string; name: string; state: string }[] | null | undefined) => (all ?? []).filter(({ state }) => state === "ready").map(({ id, name }) => ({ value: id, text: name }));
  const make = async (event: Event) => {
    event.preventDefault();
    busy.value = true;
    try {
      const job = await post<Job>("v1/atlases", request);
      go(`?atlas=${job.id}`);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      problem.value = error;
    }
    busy.value = false;
  };
  return (
    <Body title="New atlas" from={{ href: "./", text: "Atlases" }}>
      <form class="create form" onSubmit={make}>
        <div class="stack">
          <section class="sheet">
            <div class="fields">
              <Select label="Model" none="Choose a model" options={named(models)} value={modelId} onPick={(id) => change({ model: id, layers: [] })} wrong={wrong("/model")} help={models && !named(models).length ? <>None is ready. <a href="?models&add">Register one</a></> : modelId ? <a href={`?model=${modelId}`}>Look at it</a> : undefined} />
              <Select label="Dataset" none="Choose a dataset" options={named(datasets)} value={dataset} onPick={(id) => change({ dataset: id })} wrong={wrong("/dataset")} help={datasets && !named(datasets).length ? <>None is ready. <a href="?datasets&add">Register one</a></> : dataset ? <a href={`?dataset=${dataset}`}>Look at it</a> : undefined} />
              <Field label="Name" help="For people; it can be left empty." wrong={wrong("/name")}>{(known) => <input {...known} type="text" maxLength={200} value={form.value.name} onInput={(event) => change({ name: event.currentTarget.value })} />}</Field>
            </div>
          </section>
          {model && model.layers.length > 0 && <section class="sheet"><LayerPicker layers={model.layers} picked={layers} wrong={wrong("/layers")} onPick={(picked) => change({ layers: picked })} /></section>}
          <section class="sheet"><Fineness form={form.value} wrong={wrong} onChange={change} /></section>
          <section class="sheet"><Pictures form={form.value} wrong={wrong} onChange={change} /></section>
          <section class="sheet"><More form={form.value} wrong={wrong} onChange={change} /></section>
        </div>
        <aside class="sheet side" aria-label="Estimate">
          <h2>What it takes</h2>
          {run ? <Estimate run={run} /> : <p class="quiet">{problem.value ? "It cannot be made as asked." : whole ? "Estimating…" : "Choose a model, a dataset and layers."}</p>}
          {rest && <p class="failed" role="alert">{rest}</p>}
          <button type="submit" class="primary" disabled={!whole || busy.value || problem.value !== null}>{run && run.chunks === 0 ? "Open the atlas" : "Make the atlas"}</button>
        </aside>
      </form>
    </Body>
  );
}
