// Starting an audit: a model, the labelled pictures to look for faults in, and what must hold.

import { useSignal } from "@preact/signals";
import { Problem, post } from "../api";
import { go } from "../frame/navigate";
import { useRegistered } from "../registered";
import type { Job } from "../types";
import { Field, NumberField, Select } from "./Field";
import { wrongAt, wrongElsewhere } from "./wrongs";

const FIELDS = ["/model", "/dataset", "/base", "/baseline", "/drift", "/policy", "/seed", "/max_minutes"];

export function AuditForm({ query }: { query: URLSearchParams }) {
  const model = useSignal(query.get("model") ?? ""), dataset = useSignal(query.get("dataset") ?? ""), base = useSignal(""), baseline = useSignal(""), drift = useSignal("");
  const policy = useSignal(""), seed = useSignal<number | null>(null), minutes = useSignal<number | null>(null);
  const problem = useSignal<Problem | null>(null), busy = useSignal(false);
  const models = (useRegistered("models").value.value ?? []).filter(({ state, classes }) => state === "ready" && classes !== null);
  const datasets = (useRegistered("datasets").value.value ?? []).filter(({ state, class_counts }) => state === "ready" && class_counts);
  const named = (all: { id: string; name: string }[]) => all.map(({ id, name }) => ({ value: id, text: name }));
  const start = async (event: Event) => {
    event.preventDefault();
    busy.value = true;
    const asked = { model: model.value, dataset: dataset.value, base: base.value || null, baseline: baseline.value || null, drift: drift.value || null, policy: policy.value || null, seed: seed.value, max_minutes: minutes.value };
    try {
      const job = await post<Job>("v1/audits", Object.fromEntries(Object.entries(asked).filter(([, value]) => value !== null)));
      go(`?audit=${job.id}`);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      problem.value = error;
    }
    busy.value = false;
  };
  const wrong = (field: string) => wrongAt(problem.value, field), rest = wrongElsewhere(problem.value, FIELDS);
  return (
    <form class="sheet form" onSubmit={start} aria-label="Start an audit">
      <div class="fields">
        <Select label="Model" none="Choose a model" options={named(models)} value={model.value} onPick={(id) => { model.value = id; }} wrong={wrong("/model")} help={models.length ? undefined : <>None with classes is ready. <a href="?models&add">Register one</a></>} />
        <Select label="Dataset" none="Choose a dataset" options={named(datasets)} value={dataset.value} onPick={(id) => { dataset.value = id; }} wrong={wrong("/dataset")} help="Labelled, 200 images or more. Half is mapped, half is tested on. Take training data or a fair sample of it." />
        <Select label="Test on another dataset" none="the other half of it" options={named(datasets)} value={base.value} onPick={(id) => { base.value = id; }} wrong={wrong("/base")} />
        <Select label="Baseline" none="none" options={named(models.filter(({ id }) => id !== model.value))} value={baseline.value} onPick={(id) => { baseline.value = id; }} wrong={wrong("/baseline")} help="The model of the last release: what changed for the worse?" />
        <Select label="Compare for drift with" none="none" options={named(datasets.filter(({ id }) => id !== dataset.value))} value={drift.value} onPick={(id) => { drift.value = id; }} wrong={wrong("/drift")} help="Pictures that the model is used on now." />
        <NumberField label="Minutes at most" placeholder="as the policy says" min={0} step="any" value={minutes.value} onInput={(value) => { minutes.value = value; }} wrong={wrong("/max_minutes")} />
      </div>
      <details>
        <summary>Policy and seed</summary>
        <div class="fields">
          <NumberField label="Seed" placeholder="as the policy says" min={0} step={1} value={seed.value} onInput={(value) => { seed.value = value; }} wrong={wrong("/seed")} />
        </div>
        <Field label="Policy" help="TOML. Left empty, the default policy holds." wrong={wrong("/policy")}>
          {(known) => <textarea {...known} rows={8} spellcheck={false} placeholder={'[audit]\nchecks = ["shortcuts", "regions"]'} value={policy.value} onInput={(event) => { policy.value = event.currentTarget.value; }} />}
        </Field>
      </details>
      {rest && <p class="failed" role="alert">{rest}</p>}
      <div class="row"><button type="submit" class="primary" disabled={!model.value || !dataset.value || busy.value}>Start the audit</button></div>
    </form>
  );
}
