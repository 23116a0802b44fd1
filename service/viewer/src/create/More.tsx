// What few need to change.

import { useAsked } from "../parts/asked";
import { listOf } from "../api";
import { NumberField, Select } from "../parts/Field";
import type { Job } from "../types";
import type { Form } from "./request";

interface Props { form: Form; wrong: (pointer: string) => string | null; onChange: (change: Partial<Form>) => void }

export function More({ form, wrong, onChange }: Props) {
  const atlases = useAsked(() => listOf<Job>("v1/jobs?kind=atlas&state=succeeded"), "anchors");
  const anchors = (atlases.value.value ?? []).map(({ id, name, created }) => ({ value: id, text: `${name ?? id.slice(0, 8)} (${(created ?? "").slice(0, 10)})` }));
  const open = MORE.some((pointer) => wrong(pointer) !== null);
  return (
    <details open={open || undefined}>
      <summary>More options</summary>
      <div class="fields">
        <Select label="Attribution to classes" value={form.attribution} onPick={(attribution) => onChange({ attribution })} wrong={wrong("/attribution")}
          options={[{ value: "auto", text: "What suits the layer" }, { value: "ablation", text: "Ablation: set to zero and look" }, { value: "jvp", text: "Activation times gradient" }, { value: "none", text: "None: cells speak for no class" }]} />
        <Select label="Laid out against" none="nothing" options={anchors} value={form.anchor} onPick={(anchor) => onChange({ anchor })} wrong={wrong("/anchor")} help="An atlas whose points stay where they are, so that both can be compared." />
        <NumberField label="Images at most" placeholder="all" min={1} step={1} value={form.images} onInput={(images) => onChange({ images })} wrong={wrong("/images")} />
        <NumberField label="Images of a class at most" placeholder="all" min={1} step={1} value={form.images_per_class} onInput={(images_per_class) => onChange({ images_per_class })} wrong={wrong("/images_per_class")} />
        <NumberField label="Seed" placeholder="0" min={0} step={1} value={form.seed} onInput={(seed) => onChange({ seed })} wrong={wrong("/seed")} help="The same seed gives the same atlas." />
        <Select label="Optimiser of the layout" options={[{ value: "batch", text: "Ours" }, { value: "umap", text: "umap-learn's: slower" }]} value={form.optimiser} onPick={(optimiser) => onChange({ optimiser })} wrong={wrong("/layout/optimiser")} />
        <NumberField label="Neighbours" placeholder="15" min={2} max={200} step={1} value={form.neighbours} onInput={(neighbours) => onChange({ neighbours })} wrong={wrong("/layout/neighbours")} help="More: the whole in order. Fewer: small groups apart." />
        <NumberField label="Least distance" placeholder="0.05" min={0} max={0.99} step="any" value={form.minimum_distance} onInput={(minimum_distance) => onChange({ minimum_distance })} wrong={wrong("/layout/minimum_distance")} />
        <NumberField label="Epochs" placeholder="200" min={10} max={2000} step={1} value={form.epochs} onInput={(epochs) => onChange({ epochs })} wrong={wrong("/layout/epochs")} />
      </div>
      <p><label class="check-line"><input type="checkbox" checked={form.preview} onChange={(event) => onChange({ preview: event.currentTarget.checked })} /> Show quick icons until the final ones are drawn</label></p>
      <p><label class="check-line"><input type="checkbox" checked={form.keep} onChange={(event) => onChange({ keep: event.currentTarget.checked })} /> Keep the attribution of every sample</label></p>
    </details>
  );
}

const MORE = ["/attribution", "/anchor", "/images", "/images_per_class", "/seed", "/layout"];
