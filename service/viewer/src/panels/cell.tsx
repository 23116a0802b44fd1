// What is said of a cell: its icon and how far that is to be trusted, the classes it adds to, what it is the average of.

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { json } from "../api";
import { showClass } from "../gallery/showing";
import { clearClass, headed, scaleFor } from "../clarity";
import { Bars } from "../parts/Bars";
import { CellIcon } from "../parts/CellIcon";
import { Facts } from "../parts/Facts";
import { IconButton } from "../parts/IconButton";
import { MEANINGS } from "../parts/meanings";
import { amount, brief, count, decimal, percent } from "../parts/words";
import { ServiceSource, TILE_SIDE } from "../source";
import type { CellDocument, ClassName } from "../types";
import type { Place, View } from "../view";
import { Trust } from "./trust";

export function CellDetails({ view, place, cell }: { view: View; place: Place; cell: CellDocument | null }) {
  const { side, column, row } = place, seeded = view.atlas.value.seeded, first = clearClass(view, view.layer.value, side, cell);
  const preview = view.source.tile(view.layer.value, side, Math.floor(column / TILE_SIDE), Math.floor(row / TILE_SIDE))?.preview;
  return (
    <>
      <figure class="cell">
        {seeded !== null && <CellIcon view={view} place={place} pixels={640} />}
        <figcaption>
          <div class="top">
            <h2 title={first?.name}>{headed(first, cell)}</h2>
            <IconButton icon="close" name="Let the cell go" onClick={() => { view.selected.value = null; }} />
          </div>
          <p class="quiet">Column {column}, row {row} of {side}.</p>
          <Seeding seeded={seeded} />
          {preview && <p class="note">A preview: the icon itself is still to come.</p>}
        </figcaption>
      </figure>
      {cell && <Known view={view} place={place} cell={cell} />}
    </>
  );
}

/** Whether pictures of the dataset went into the icon; always said beside one. */
function Seeding({ seeded }: { seeded: boolean | null }) {
  if (seeded === null) return <p class="badge">No icons</p>;
  return seeded
    ? <p class="badge seeded" title="It starts from an average of real patches, so some of what it shows may be theirs">Seeded from data</p>
    : <p class="badge" title="No picture of the dataset went into it">Pure: no data in the picture</p>;
}

function Known({ view, place, cell }: { view: View; place: Place; cell: CellDocument }) {
  const all = view.layerShown.value?.qualities?.samples;
  return (
    <>
      <Exemplars view={view} place={place} cell={cell} />
      <Classes view={view} place={place} cell={cell} />
      {(cell.few_images ?? cell.images < 3) && <p class="note">Fewer than three different images fell into this cell.</p>}
      <h3>The average of</h3>
      <Facts rows={[
        ["Samples", all ? `${count(cell.count)} (${percent(cell.count / all)} of the layer's)` : count(cell.count)], ["Images", count(cell.images)],
        ["Coherence", decimal(cell.coherence), MEANINGS.coherence],
        ["Alike in pairs", decimal(cell.pair_cosine), MEANINGS.cosine],
      ]} />
      <p class="quiet small">{coherent(cell.coherence)}</p>
      {cell.icon && <Trust icon={cell.icon} />}
    </>
  );
}

function coherent(coherence: number | null): string {
  if (coherence === null) return "";
  if (coherence >= 0.8) return "Its samples point the same way: the average is a fair summary.";
  return coherence >= 0.5 ? "Its samples agree in part: the average leaves some of them out." : "Its samples differ much: the average shows little of any of them.";
}

interface Against extends ClassName { attribution: number }

function Classes({ view, place, cell }: { view: View; place: Place; cell: CellDocument }) {
  const against = useAgainst(view, place, cell);
  if (cell.classes === null) return <p class="note">The classes that it adds to are still to come.</p>;
  if (!cell.classes.length) return null;
  const scale = scaleFor(view, view.layer.value, place.side), clear = clearClass(view, view.layer.value, place.side, cell);
  if (scale === undefined) return null;
  const row = (one: Against, more?: string) => ({
    name: brief(one.name), title: one.name, value: amount(one.attribution), share: scale ? one.attribution / scale : 0, more,
    onPick: view.source.live ? () => showClass(view, one.index) : undefined,
  });
  return (
    <>
      <h3>Adds to the classes <span class="unit">logits</span></h3>
      <Bars rows={cell.classes.map((one) => row(one, one.share === 0 ? undefined : `largest for ${percent(one.share)} of the samples, in ${count(one.images)} ${one.images === 1 ? "image" : "images"}`))} />
      {scale > 0 && <p class="quiet small">{clear === null && "Almost nothing beside other cells: under a tenth of a full bar. "}A full bar is {amount(scale)} logits, what one cell in twenty of this level adds to its strongest class.</p>}
      {against.length > 0 && <><h3>Speaks most against <span class="unit">logits</span></h3><Bars rows={against.map((one) => row(one))} /></>}
    </>
  );
}

// The list of cells leaves these out: of a large level they would be many.
function useAgainst(view: View, { side, column, row }: Place, { classes }: CellDocument): Against[] {
  const found = useSignal<{ url: string; against: Against[] } | null>(null), { source } = view;
  const url = source instanceof ServiceSource && classes?.length ? `${source.level(view.layer.value, side)}/cells/${column}-${row}` : null;
  useEffect(() => {
    if (url) json<{ against: Against[] }>(url).then(({ against }) => { found.value = { url, against }; }, () => undefined);
  }, [url]);
  return found.value && found.value.url === url ? found.value.against : [];
}

function Exemplars({ view, place, cell }: { view: View; place: Place; cell: CellDocument }) {
  const found = cell.exemplars ?? [], { side, column, row } = place;
  const address = (n: number) => view.source.exemplar(view.layer.value, side, column, row, n);
  if (!found.length) return null;
  if (address(0) === null) return <><h3>Nearest real patches are in</h3><ul class="exemplars names">{found.map((one) => <li>{one.image}</li>)}</ul></>;
  return (
    <>
      <h3>Nearest real patches</h3>
      <ul class="exemplars">{found.map((one, n) => <li key={`${column} ${row} ${n}`}><img src={address(n)!} alt={one.image} title={one.image} loading="lazy" /></li>)}</ul>
    </>
  );
}
