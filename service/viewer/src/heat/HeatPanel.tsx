// The heat map panel: any class or a measure, its sign, how it is shown, and the cells where it is strongest.

import { classesOf } from "../classes";
import { mapOf } from "../map/map";
import { CellIcon } from "../parts/CellIcon";
import { ClassSearch } from "../parts/ClassSearch";
import { Radios } from "../parts/Radios";
import type { View } from "../view";
import { Weakest } from "./Weakest";
import { type Look, type Sign, heatOf } from "./heat";
import { type HeatDocument, MEASURES, channelIn, classIn, extremes, told } from "./scale";

const LISTED = 6;

export function HeatPanel({ view }: { view: View }) {
  const heat = heatOf(view), of = heat.of.value, label = classIn(of), classes = classesOf(view).value;
  return (
    <div class="heat">
      <h2 class="unseen">Heat map</h2>
      {view.source.hasClasses && classes.length > 0 && <ClassSearch label="A class" classes={classes} value={label} onPick={(index) => { heat.of.value = index === null ? "" : `class-${index}`; }} />}
      <div class="field">
        <label for="measure">{view.source.hasClasses ? "Or a measure" : "A measure"}</label>
        <select id="measure" value={of in MEASURES ? of : ""} onChange={(event) => { heat.of.value = event.currentTarget.value; }}>
          <option value="">None</option>
          {view.source.measures.map((name) => <option key={name} value={name}>{MEASURES[name]!.title}</option>)}
        </select>
      </div>
      {channelIn(of) !== null && <p class="quiet">Of channel {channelIn(of)}: its mean activation in each cell.</p>}
      {of === "" ? <p class="quiet">{view.source.hasClasses ? "Choose a class to see where on the map the model finds something that speaks for it, or against it." : "Choose a measure of cells. Classes take a service: it keeps what every cell adds to each."}{view.source.live && view.source.hasClasses && " What is no class, a background perhaps, is found by a picture of it: drop one on the map."}</p> : <Shown view={view} />}
    </div>
  );
}

function Shown({ view }: { view: View }) {
  const heat = heatOf(view), of = heat.of.value, shown = heat.shown.value;
  return (
    <>
      {MEASURES[of] && <p class="quiet">{MEASURES[of].says}</p>}
      {classIn(of) !== null && <Radios label="Influence" value={heat.sign.value} onPick={(value) => { heat.sign.value = value as Sign; }}
        options={[["both", "Both"], ["positive", "Positive"], ["negative", "Negative"]]} />}
      <Radios label="Shown as" value={heat.look.value} onPick={(value) => { heat.look.value = value as Look; }} options={[["icons", "Fading icons"], ["colours", "Colours"]]} />
      <div class="field">
        <label for="intensity">Intensity <output>{heat.intensity.value.toFixed(1)}</output></label>
        <input id="intensity" type="range" min="0.5" max="2" step="0.1" value={heat.intensity.value} onInput={(event) => { heat.intensity.value = Number(event.currentTarget.value); }} />
      </div>
      {heat.problem.value && <p class="failed" role="alert">{heat.problem.value.message}</p>}
      {shown && <Lists view={view} shown={shown} sign={heat.sign.value} />}
    </>
  );
}

function Lists({ view, shown, sign }: { view: View; shown: HeatDocument; sign: Sign }) {
  const measure = MEASURES[shown.measure], active = typeof shown.channel === "number";
  const high = extremes(shown, LISTED, false).filter((n) => measure || shown.value[n]! > 0);
  const low = extremes(shown, LISTED, true).filter((n) => measure || shown.value[n]! < 0);
  const lists = [
    { title: measure?.highest ?? (active ? "Most active" : "Adds most"), cells: sign === "negative" && !measure ? [] : high },
    { title: measure?.lowest ?? (active ? "Most negative" : "Takes most"), cells: sign === "positive" && !measure ? [] : low },
  ];
  if (measure?.weakest) lists.reverse();
  return <>{lists.filter(({ cells }) => cells.length).map(({ title, cells }) => (measure?.weakest && title === measure.lowest
    ? <Weakest key={title} view={view} shown={shown} title={title} cells={cells} />
    : <CellList key={title} view={view} shown={shown} title={title} cells={cells} />))}
    {shown.enough > 1 && <p class="quiet small">Among cells of {shown.enough} samples or more.</p>}</>;
}

/** Choose a cell of a heat map and show it. */
export function choose(view: View, side: number, column: number, row: number): void {
  view.selected.value = { side, column, row };
  mapOf(view).value?.flyTo({ x: (column + 0.5) / side, y: 1 - (row + 0.5) / side, zoom: Math.max(view.camera.peek().zoom, side / 8) });
}

interface ListProps { view: View; shown: HeatDocument; title: string; cells: number[] }

function CellList({ view, shown, title, cells }: ListProps) {
  const { layer, side } = shown;
  return (
    <section aria-label={title}>
      <h3>{title}</h3>
      <ul class="cells">
        {cells.map((n) => {
          const column = shown.column[n]!, row = shown.row[n]!, value = told(shown.value[n]!, shown.measure);
          return (
            <li key={n}><button type="button" title={`Column ${column}, row ${row}`} aria-label={`${value}, column ${column}, row ${row}`} onClick={() => choose(view, side, column, row)}>
              <CellIcon view={view} layer={layer} place={{ side, column, row }} pixels={96} label="" /><span>{value}</span>
            </button></li>
          );
        })}
      </ul>
    </section>
  );
}
