// A cell followed through the layers: at each the cells that hold most of its samples, with their icons.

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { Problem, json } from "../api";
import { clearClassOf } from "../clarity";
import { mapOf } from "../map/map";
import { Busy } from "../parts/Busy";
import { ProblemLine } from "../parts/Problem";
import { brief, count, percent } from "../parts/words";
import { ServiceSource } from "../source";
import type { CellDocument, Layer } from "../types";
import type { Place, View } from "../view";
import { type Flow, follow, half } from "./flows";
import { litOf } from "./lit";

const SHOWN = 5; // cells of each layer

/** Whether there are layers to follow a cell through. */
export const isThrough = (view: View): boolean => view.source.live && view.atlas.value.layers.length > 1;

export function Through({ view }: { view: View }) {
  const place = view.selected.value, from = view.layer.value;
  const layers = view.atlas.value.layers.filter((layer) => layer.levels.some((level) => level.ready));
  if (!place) return <p class="quiet">Choose a cell on the map: here you see where its samples, the same places of the same images, lie at every layer.</p>;
  return (
    <section class="through" aria-label="Through the layers">
      <h2>Through the layers</h2>
      <p class="quiet">Where the samples of column {place.column}, row {place.row} of {from} lie at every layer: the same places of the same images.</p>
      <ol>{layers.map((layer) => <Row key={`${from} ${layer.name} ${place.side} ${place.column} ${place.row}`} view={view} from={from} place={place} layer={layer} />)}</ol>
    </section>
  );
}

/** The level of a layer whose cells are as many, or next to that. */
function levelLike(layer: Layer, side: number): number {
  const sides = layer.levels.filter((level) => level.ready).map((level) => level.side);
  return sides.reduce((best, one) => (Math.abs(one - side) < Math.abs(best - side) ? one : best), sides[0]!);
}

function Row({ view, from, place, layer }: { view: View; from: string; place: Place; layer: Layer }) {
  const flow = useSignal<Flow | null>(null), problem = useSignal<Problem | null>(null);
  const side = levelLike(layer, place.side);
  useEffect(() => {
    follow(view.source, from, place, layer.name, layer.levels.map((level) => level.side), side).then(
      (found) => { flow.value = found; },
      (error: Problem) => { problem.value = error; },
    );
  }, []);
  const found = flow.value, own = layer.name === from;
  return (
    <li class={own ? "own" : ""}>
      <h3>{layer.name}{own && <small> · here</small>}</h3>
      {problem.value ? <ProblemLine problem={problem.value} /> : !found ? <Busy>Following…</Busy> : found.followed === 0
        ? <p class="quiet">None of its samples can be followed here: other places of their images stand for them.</p>
        : <>
            <ul class="flow">{found.column.slice(0, SHOWN).map((_, n) => <Successor key={n} view={view} flow={found} n={n} />)}</ul>
            {!own && <p class="quiet">{said(found)}</p>}
          </>}
    </li>
  );
}

function said(flow: Flow): string {
  const all = flow.followed === flow.samples ? `All ${count(flow.samples)} samples` : `${count(flow.followed)} of ${count(flow.samples)} samples can be followed: they`;
  const cells = flow.column.length;
  return cells === 1 ? `${all} lie in one cell.` : `${all} lie in ${count(cells)} cells, half of them in ${count(half(flow))}.`;
}

function Successor({ view, flow, n }: { view: View; flow: Flow; n: number }) {
  const place = { side: flow.side, column: flow.column[n]!, row: flow.row[n]! }, name = useSignal<string | null>(null);
  const url = (view.source as ServiceSource).level(flow.layer, flow.side) + `/cells/${place.column}-${place.row}`;
  const filled = useSignal(true);
  useEffect(() => {
    json<CellDocument>(url).then(async (cell) => {
      const first = await clearClassOf(view, flow.layer, flow.side, cell);
      name.value = first ? brief(first.name) : "";
    }, () => { filled.value = false; });
  }, [url]);
  const title = `${percent(flow.share[n])} in column ${place.column}, row ${place.row} of ${flow.layer}${name.value ? `: ${name.value}` : ""}`;
  const light = (on: boolean) => () => { if (view.layer.peek() === flow.layer) litOf(view).value = on ? flow : null; };
  return (
    <li>
      <button type="button" title={title} aria-label={title} onClick={() => goTo(view, flow.layer, place)}
        onPointerEnter={light(true)} onPointerLeave={light(false)} onFocus={light(true)} onBlur={light(false)}>
        {filled.value && view.atlas.value.seeded !== null ? <img src={`${url}/icon`} alt="" loading="lazy" width="52" height="52" /> : <span class="blank" />}
        <strong>{percent(flow.share[n])}</strong>
        <span class="name">{name.value ?? ""}</span>
      </button>
    </li>
  );
}

/** Show a cell of any layer, chosen and in the middle. */
export function goTo(view: View, layer: string, { side, column, row }: Place): void {
  view.selected.value = null;
  view.layer.value = layer;
  view.selected.value = { side, column, row };
  mapOf(view).value?.flyTo({ x: (column + 0.5) / side, y: 1 - (row + 0.5) / side });
}
