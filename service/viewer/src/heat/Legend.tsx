// What the colours of a heat map stand for, below the map, where it covers nothing; the cell that is pointed at is marked on it.

import { IconButton } from "../parts/IconButton";
import type { View } from "../view";
import { heatOf, titleOf } from "./heat";
import { type HeatDocument, MEASURES, endsOf, told, unitOf } from "./scale";

export function Legend({ view }: { view: View }) {
  const heat = heatOf(view), of = heat.of.value, shown = heat.shown.value;
  return (
    <section class="heat-legend" aria-label="Heat map">
      <strong title={shown?.class?.name}>{titleOf(view, of)}</strong>
      <IconButton icon="close" name="Take the heat map away" onClick={() => { heat.of.value = ""; }} />
      {heat.problem.value ? <p class="failed">{heat.problem.value.message}</p> : shown ? <Scale view={view} shown={shown} /> : <p class="quiet">Loading…</p>}
    </section>
  );
}

function Scale({ view, shown }: { view: View; shown: HeatDocument }) {
  const heat = heatOf(view), sign = heat.sign.value, [low, high] = endsOf(shown, sign);
  const pointed = view.hovered.value ?? view.selected.value;
  const n = pointed?.side === shown.side ? shown.column.findIndex((column, place) => column === pointed.column && shown.row[place] === pointed.row) : -1;
  const value = n < 0 ? null : shown.value[n]!;
  const at = value === null || high === low ? null : Math.min(1, Math.max(0, (value - low) / (high - low)));
  const signed = low < 0 && high > 0;
  const kind = signed ? "both" : low < 0 ? "low" : MEASURES[shown.measure]?.bad ? "bad" : "high";
  return (
    <>
      <div class="across">
        <div class={`scale ${kind}`}>{at !== null && <span class="mark" style={{ left: `${100 * at}%` }} />}</div>
        <div class="ends"><span>{told(low, shown.measure)}</span>{signed && <span>0</span>}<span>{told(high, shown.measure)}</span></div>
      </div>
      <p class="quiet">{n < 0 ? said(shown, sign) : pointedSaid(shown, n)}</p>
    </>
  );
}

function said(shown: HeatDocument, sign: string): string {
  if (typeof shown.channel === "number") return "Its mean activation in each cell";
  if (!shown.class) return MEASURES[shown.measure]?.says ?? "";
  const what = sign === "negative" ? "takes from" : sign === "positive" ? "adds to" : "adds to or takes from";
  return `What each cell ${what} the class, in ${unitOf(shown.measure)}`;
}

function pointedSaid(shown: HeatDocument, n: number): string {
  const value = shown.value[n];
  if (value === null || value === undefined) return "Nothing is known of this cell";
  const range = shown.low ? `, 95 %: ${told(shown.low[n]!, shown.measure)} to ${told(shown.high![n]!, shown.measure)} of ${shown.images![n]!.toLocaleString("en")} images` : "";
  return `This cell: ${told(value, shown.measure)} ${unitOf(shown.measure)}${range}`.trim();
}
