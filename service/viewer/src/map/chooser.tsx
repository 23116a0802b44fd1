// Which layer is shown, and how many cells a side: as the zoom chooses, or by hand.

import { LayerThumb } from "../heat/LayerThumb";
import { Choice } from "../parts/Choice";
import type { View } from "../view";

export function LayerChooser({ view }: { view: View }) {
  const options = view.atlas.value.layers.map(({ name, levels }) => {
    const ready = levels.some((level) => level.ready);
    return { value: name, text: name, picture: ready && view.source.live ? <LayerThumb view={view} layer={name} /> : undefined, disabled: !ready, title: ready ? undefined : "Not made yet" };
  });
  return <div class="labelled"><span class="label">Layer</span><Choice label="Layer" value={view.layer.value} options={options} onPick={(name) => { view.layer.value = name; }} /></div>;
}

export function LevelChooser({ view }: { view: View }) {
  const levels = view.layerShown.value?.levels ?? [], fixed = view.side.value, shown = view.shownSide.value;
  if (levels.length < 2) return null;
  const options = [
    { value: "auto", text: fixed === null && shown ? `Auto: ${shown}` : "Auto", title: "As many as can be told apart" },
    ...levels.map(({ side, ready }) => ({ value: String(side), text: String(side), disabled: !ready, title: ready ? undefined : "Not made yet" })),
  ];
  const pick = (value: string) => { view.side.value = value === "auto" ? null : Number(value); };
  return <div class="labelled"><span class="label">Cells a side</span><Choice label="Cells a side" value={fixed === null ? "auto" : String(fixed)} options={options} onPick={pick} /></div>;
}
