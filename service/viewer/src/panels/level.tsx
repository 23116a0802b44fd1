// What is said of a layer and of the level that is shown.

import { hasHeat, heatOf } from "../heat/heat";
import { Places } from "../names/Places";
import { type Fact, Facts } from "../parts/Facts";
import { MEANINGS, fewer } from "../parts/meanings";
import { count, decimal, percent } from "../parts/words";
import { panelOf } from "./open";
import type { View } from "../view";

const TOUCH = matchMedia("(hover: none)");

export function LevelDetails({ view }: { view: View }) {
  const layer = view.layerShown.value, level = view.level(), seeded = view.atlas.value.seeded;
  const qualities = layer?.qualities, icons = level?.qualities?.icons;
  return (
    <>
      <h2>{layer?.name ?? "Nothing yet"}</h2>
      <p class="quiet">{seeded === null
        ? "Every square is a cell of samples, the stronger its shade, the more there are. Like lies beside like."
        : "Every square is an icon: a picture made to excite the layer as the mean of the samples in its cell does. Like lies beside like."}</p>
      {seeded !== null && <p class="quiet">{seeded
        ? "The icons are seeded from data: each starts from an average of real patches. Compare them with the nearest real patches of a cell."
        : "The icons are pure: no picture of the dataset went into them."}</p>}
      {icons && <p class="quiet">A dot in an icon's corner marks it: low in contrast or fidelity, a copy, or grainy.</p>}
      {icons && hasHeat(view) && <p><button type="button" onClick={() => { heatOf(view).of.value = "fidelity"; panelOf(view).value = "heat"; }}>Find the least trustworthy icons</button></p>}
      <p class="quiet">{TOUCH.matches ? "Tap a cell to see what it is." : "Point at a cell or choose one to see what it is."}{view.source.live && !TOUCH.matches && " Drag with Shift to see all samples of a part of the map."}</p>
      <Places view={view} />
      {qualities && <><h3>The layer</h3><Facts rows={[
        samplesOf(qualities.samples, view.atlas.value.of ? undefined : view.atlas.value.spec.samples), ["Images", count(qualities.images)],
        ["Trustworthiness", decimal(qualities.layout?.trustworthiness), MEANINGS.trustworthiness],
        ["Continuity", decimal(qualities.layout?.continuity), MEANINGS.continuity],
      ]} /></>}
      {icons && level && <><h3>The level of {level.side} cells a side</h3><Facts rows={[
        ["Cells", count(level.qualities!.cells)], ["Samples shown", percent(level.qualities!.shown), MEANINGS.shown],
        ["Fidelity of icons", decimal(icons.whitened_cosine), MEANINGS.fidelity], ...beside(icons.beside),
        ["– slightly changed", decimal(icons.robust), MEANINGS.robust], ["Fit their own cell best", percent(icons.retrieval_top1), MEANINGS.nearest],
        ["Low in contrast", percent(icons.low_contrast_share), MEANINGS.contrast], ["Low in fidelity", percent(icons.low_fidelity_share), MEANINGS.low],
        ["Copies", percent(icons.copy_share), MEANINGS.copies], ["Grainy", percent(icons.grain_share), MEANINGS.grain],
      ]} /></>}
    </>
  );
}

// The atlas's card tells how many were asked for.
function samplesOf(had: number, asked: unknown): Fact {
  return typeof asked === "number" && asked > had ? ["Samples", `${count(had)} of ${count(asked)}`, fewer(asked)] : ["Samples", count(had), MEANINGS.samples];
}

// Fidelity of what the icons are measured beside.
function beside(rows: Record<string, { whitened_cosine?: number }> | undefined): Fact[] {
  return [
    ["– of the starts alone", decimal(rows?.start_alone?.whitened_cosine), MEANINGS.starts],
    ["– of nearest real patches", decimal(rows?.nearest_real_patch?.whitened_cosine), MEANINGS.patches],
  ];
}
