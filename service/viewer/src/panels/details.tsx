// The first panel: the cell that is pointed at or chosen, a part of the map, else the layer and level.

import { boxOf } from "../map/box";
import { markedOf } from "../map/marked";
import { IconButton } from "../parts/IconButton";
import { NoService } from "../parts/NoService";
import { Samples } from "../parts/Samples";
import { count } from "../parts/words";
import { samplesOfBox, samplesOfCell } from "../samples";
import type { View } from "../view";
import { CellDetails } from "./cell";
import { LevelDetails } from "./level";
import { shownCell } from "./shown";

const all = (total: number) => (total === 1 ? "Its only sample" : `All ${count(total)} samples`);

export function Details({ view }: { view: View }) {
  const { place, cell } = shownCell(view), at = place.value, chosen = view.selected.value, box = boxOf(view).value;
  const same = at !== null && chosen !== null && at.side === chosen.side && at.column === chosen.column && at.row === chosen.row;
  return (
    <>
      {at ? <CellDetails view={view} place={at} cell={cell.value} /> : box ? <BoxDetails view={view} /> : <LevelDetails view={view} />}
      {!view.source.live && <NoService />}
      {view.source.live && <Whole view={view} shown={same || (at === null && box !== null)} />}
    </>
  );
}

// Page and all they stay while other cells are pointed at.
function Whole({ view, shown }: { view: View; shown: boolean }) {
  const { source, layer, selected } = view, box = boxOf(view).value, cell = selected.value, onPoint = (sample: { x: number; y: number } | null) => { markedOf(view).value = sample; };
  const common = { heading: all, onPoint };
  const name = layer.value;
  return (
    <div hidden={!shown}>
      {cell ? <Samples {...common} key={`${name} ${cell.side} ${cell.column} ${cell.row}`} ask={(asked) => samplesOfCell(source, name, cell, asked)} />
        : box && <Samples {...common} key={`${name} ${Object.values(box).join()}`} ask={(asked) => samplesOfBox(source, name, box, asked)} />}
    </div>
  );
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
