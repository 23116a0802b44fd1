// Registering a model or a dataset from the browser: pick or drop its card and the files that the card names.

import { useSignal } from "@preact/signals";
import { useId } from "preact/hooks";
import { Problem } from "../api";
import { go } from "../frame/navigate";
import { Icon } from "../parts/Icon";
import { say } from "../parts/said";
import { bytesSpoken } from "../jobs";
import { type Kind, ONE, useRegistered } from "../registered";
import { type Step, register } from "./card";

const EXAMPLES: Record<Kind, string> = {
  models: `{
  "name": "pan-vision",
  "format": "onnx",
  "source": "pan-vision.onnx",
  "labels": "labels.txt",
  "input": { "channels": 3, "height": 224, "width": 224,
    "resize": 256, "crop": "center",
    "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225] }
}`,
  datasets: `{
  "name": "kitchen-2026",
  "source": "kitchen.zip",
  "classes": "labels.txt"
}`,
};
const FILES: Record<Kind, string> = {
  models: "its card, and the files that the card names: weights (.safetensors) or an ONNX file, and a list of labels",
  datasets: "its card, and the zip, tar or manifest that the card names. Pictures lie in a folder for each class",
};

export function Register({ kind }: { kind: Kind }) {
  const files = useSignal<File[]>([]), dataset = useSignal(""), over = useSignal(false);
  const step = useSignal<Step | null>(null), problem = useSignal<Problem | null>(null), told = useId();
  const take = (list: FileList | null | undefined) => { if (list?.length) { files.value = [...list]; problem.value = null; } };
  const start = async (event: Event) => {
    event.preventDefault();
    problem.value = null;
    try {
      const made = await register(kind, files.value, dataset.value || null, (now) => { step.value = now; });
      say(`${made.name} is registered`);
      go(`?${ONE[kind]}=${made.id}`);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      problem.value = error;
    }
    step.value = null;
  };
  return (
    <form class="sheet register" onSubmit={start} aria-label={`Register a ${ONE[kind]}`}>
      <label class={over.value ? "drop over" : "drop"} onDragOver={(event) => { event.preventDefault(); over.value = true; }} onDragLeave={() => { over.value = false; }}
        onDrop={(event) => { event.preventDefault(); over.value = false; take(event.dataTransfer?.files); }}>
        <Icon name="upload" />
        <span><strong>Pick or drop the files of a {ONE[kind]}</strong><br /><span class="quiet" id={told}>{FILES[kind]}.</span></span>
        <input type="file" multiple aria-describedby={told} onChange={(event) => take(event.currentTarget.files)} />
      </label>
      {files.value.length > 0 && <ul class="picked">{files.value.map((file) => <li key={file.name}><span>{file.name}</span><span class="quiet">{bytesSpoken(file.size)}</span></li>)}</ul>}
      {kind === "models" && <MeasuredOn value={dataset.value} onPick={(id) => { dataset.value = id; }} />}
      {step.value && <div class="going"><progress aria-label={step.value.text} {...(step.value.share === null ? {} : { value: step.value.share, max: 1 })} /><p>{step.value.text}</p></div>}
      {problem.value && <p class="failed" role="alert">{problem.value.message}</p>}
      <div class="row">
        <button type="submit" class="primary" disabled={!files.value.length || step.value !== null}>Register</button>
        <details><summary>What is in a card?</summary><pre tabIndex={0} aria-label="Example of a card">{EXAMPLES[kind]}</pre>
          <p class="quiet">From a terminal: <code>atlas {kind} add card.json</code>, which also takes folders.</p></details>
      </div>
    </form>
  );
}

function MeasuredOn({ value, onPick }: { value: string; onPick: (id: string) => void }) {
  const datasets = useRegistered("datasets");
  const labelled = (datasets.value.value ?? []).filter(({ state, class_counts }) => state === "ready" && class_counts);
  if (!labelled.length) return null;
  return (
    <label class="inline">Measure its accuracy on <select value={value} onChange={(event) => onPick(event.currentTarget.value)}>
      <option value="">no dataset</option>
      {labelled.map(({ id, name }) => <option key={id} value={id}>{name}</option>)}
    </select></label>
  );
}
