// What is said of a cell.

import { Bars } from "../parts/Bars";
import { CellIcon } from "../parts/CellIcon";
import { type Fact, Facts } from "../parts/Facts";
import { MARKS } from "../parts/marks";
import { amount, brief, count, decimal, percent, seeding } from "../parts/words";
import { TILE_SIDE } from "../source";
import type { CellDocument, IconMeasures } from "../types";
import type { Place, View } from "../view";

export function CellDetails({ view, place, cell }: { view: View; place: Place; cell: CellDocument | null }) {
  const { side, column, row } = place, seeded = view.atlas.value.seeded, [first] = cell?.classes ?? [];
  const preview = view.source.tile(view.layer.value, side, Math.floor(column / TILE_SIDE), Math.floor(row / TILE_SIDE))?.preview;
  return (
    <>
      <figure class="cell">
        {seeded !== null && <CellIcon view={view} place={place} />}
        <figcaption>
          <h2 title={first?.name}>{first ? brief(first.name) : "Cell"}</h2>
          <p>Column {column}, row {row} of {side}. {seeding(seeded)}.</p>
          {preview && <p class="note">A preview: the icon itself is still to come.</p>}
        </figcaption>
      </figure>
      {cell && <Known view={view} place={place} cell={cell} />}
    </>
  );
}

function Known({ view, place, cell }: { view: View; place: Place; cell: CellDocument }) {
  const marks = (cell.icon?.marks ?? []).map((mark) => MARKS[mark]?.long ?? mark);
  return (
    <>
      <Classes cell={cell} />
      {(cell.few_images ?? cell.images < 3) && <p class="note">Fewer than three different images fell into this cell.</p>}
      {marks.length > 0 && <p class="note">This icon is marked. {marks.join(" ")}</p>}
      <h3>The cell</h3>
      <Facts rows={[
        ["Samples", count(cell.count)], ["Images", count(cell.images)],
        ["Coherence", decimal(cell.coherence), "Length of the mean of the unit activations, 0 to 1: is the mean a fair summary?"],
        ["Mean pair cosine", decimal(cell.pair_cosine), "Cosine between two of its activations; does not rise by itself in small cells"],
      ]} />
      {cell.icon && <><h3>Fidelity of the icon</h3><Facts rows={fidelity(cell.icon)} /></>}
      <Exemplars view={view} place={place} cell={cell} />
    </>
  );
}

function Classes({ cell }: { cell: CellDocument }) {
  if (cell.classes === null) return <p class="note">The classes that it adds to are still to come.</p>;
  if (!cell.classes.length) return null;
  const strongest = Math.max(1e-9, ...cell.classes.map((one) => Math.abs(one.attribution)));
  const rows = cell.classes.map((one) => ({
    name: brief(one.name), title: one.name, value: amount(one.attribution), share: one.attribution / strongest,
    more: `largest for ${percent(one.share)} of the samples, in ${count(one.images)} ${one.images === 1 ? "image" : "images"}`,
  }));
  return <><h3>Adds to the classes</h3><Bars rows={rows} /></>;
}

function fidelity(icon: IconMeasures): Fact[] {
  const rank = icon.retrieval_rank;
  return [
    ["Whitened cosine", decimal(icon.whitened_cosine), "Between the cell's direction and what its icon excites, as served"],
    ["After blur, turn and zoom", decimal(icon.robust)],
    ["Own cell is nearest", rank === 0 ? "yes" : rank === undefined ? "–" : `rank ${rank + 1}`],
    ["Contrast", decimal(icon.contrast)], ["High frequencies", decimal(icon.high_frequency)],
    ["Like its start", decimal(icon.start_correlation), "Correlation with the picture that it started from; over 0.95 is a copy"],
    ["Like a real patch", decimal(icon.exemplar_correlation), "Highest correlation with one of the cell's nearest real patches; over 0.95 is a copy"],
  ];
}

function Exemplars({ view, place, cell }: { view: View; place: Place; cell: CellDocument }) {
  const found = cell.exemplars ?? [], { side, column, row } = place;
  const address = (n: number) => view.source.exemplar(view.layer.value, side, column, row, n);
  if (!found.length) return null;
  if (address(0) === null) return <><h3>Nearest real patches are in</h3><ul class="exemplars names">{found.map((one) => <li>{one.image}</li>)}</ul></>;
  return (
    <>
      <h3>Nearest real patches</h3>
      <ul class="exemplars">{found.map((one, n) => <li key={n}><img src={address(n)!} alt={one.image} title={one.image} loading="lazy" /></li>)}</ul>
    </>
  );
}
