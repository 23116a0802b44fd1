// The first panel: the cell that is chosen, a part of the map, else the layer and level.

import { useEffect } from "preact/hooks";
import { Problem } from "../api";
import { canPlace } from "../images/landings";
import { take } from "../images/taking";
import { boxOf } from "../map/box";
import { markedOf } from "../map/marked";
import { IconButton } from "../parts/IconButton";
import { NoService } from "../parts/NoService";
import { Samples, cropOf } from "../parts/Samples";
import { count } from "../parts/words";
import { samplesOfBox, samplesOfCell } from "../samples";
import type { SampleDocument } from "../types";
import type { View } from "../view";
import { CellDetails } from "./cell";
import { LevelDetails } from "./level";
import { shownCell } from "./shown";

const all = (total: number) => (total === 1 ? "Its only sample" : `All ${count(total)} samples`);

export function Details({ view }: { view: View }) {
  const { place, cell } = shownCell(view), at = place.value, box = boxOf(view).value;
  useEffect(() => { if (at) document.querySelector(".panel")?.scrollTo(0, 0); }, [at?.side, at?.column, at?.row]); // a new cell is told from its top
  return (
    <>
      {at ? <CellDetails view={view} place={at} cell={cell.value} /> : box ? <BoxDetails view={view} /> : <LevelDetails view={view} />}
      {view.source.live ? <Whole view={view} /> : <NoService />}
    </>
  );
}

function Whole({ view }: { view: View }) {
  const { source, layer, selected } = view, box = boxOf(view).value, cell = selected.value, name = layer.value;
  const common = {
    heading: all, onPoint: (sample: { x: number; y: number } | null) => { markedOf(view).value = sample; },
    onPlace: canPlace(view) ? (sample: SampleDocument) => placed(view, sample) : undefined,
    looks: view.running.value ? view.looks.value : undefined,
  };
  if (cell) return <Samples {...common} key={`${name} ${cell.side} ${cell.column} ${cell.row}`} ask={(asked) => samplesOfCell(source, name, cell, asked)} />;
  return box && <Samples {...common} key={`${name} ${Object.values(box).join()}`} ask={(asked) => samplesOfBox(source, name, box, asked)} />;
}

// The picture that a sample is from, placed as a new one would be: where all of it lies on the map.
async function placed(view: View, sample: SampleDocument): Promise<void> {
  const answer = await fetch(cropOf(sample, "image")!);
  if (!answer.ok) throw new Problem(answer.status, "The picture is no longer to be had.");
  const picture = await answer.blob();
  take(view, [new File([picture], String(sample.image).split("/").at(-1)!, { type: picture.type })]);
}

function BoxDetails({ view }: { view: View }) {
  const box = boxOf(view), { x0, x1, y0, y1 } = box.value!, span = (from: number, to: number) => `${from.toFixed(2)}–${to.toFixed(2)}`;
  return (
    <>
      <div class="top"><h2>A part of the map</h2><IconButton icon="close" name="Let the rectangle go" onClick={() => { box.value = null; }} /></div>
      <p class="quiet">x {span(x0, x1)}, y {span(y0, y1)} of the map, from its left and bottom edge.</p>
    </>
  );
}
