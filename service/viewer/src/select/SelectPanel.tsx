// The selection panel: what is selected, how much that is, its patches, its images to keep, and a map of its own.

import { useSignal } from "@preact/signals";
import { classesOf } from "../classes";
import { json } from "../api";
import { besideOf } from "../linked/beside";
import { mapOf } from "../map/map";
import { markedOf } from "../map/marked";
import { ClassSearch } from "../parts/ClassSearch";
import { type SamplePage, Samples } from "../parts/Samples";
import { Radios } from "../parts/Radios";
import { count } from "../parts/words";
import type { View } from "../view";
import { Downloads } from "./Downloads";
import { MadeAtlases } from "./MadeAtlases";
import { type Selection, aimOf, clear, pathOf, queryOf, selecting, selectionOf } from "./selection";

export function SelectPanel({ view }: { view: View }) {
  const second = besideOf(view).other.value, aim = aimOf(view), shown = second && aim.value === "second" ? second : view;
  return (
    <>
      {second && <Radios label="Selected on" value={shown === view ? "first" : "second"} onPick={(value) => { aim.value = value as "first" | "second"; }}
        options={[["first", `The map of ${view.layer.value}`], ["second", `The second map, of ${second.layer.value}`]]} />}
      <Selected key={shown.prefix} view={shown} />
    </>
  );
}

function Selected({ view }: { view: View }) {
  const selection = selectionOf(view), some = selecting(view).value;
  return (
    <div class="select">
      <h2 class="unseen">Select</h2>
      <Tools view={view} selection={selection} some={some} />
      <Conditions view={view} selection={selection} />
      {some ? <Found view={view} selection={selection} /> : <p class="quiet">Draw around a part of the map, or say which images you mean. All that you ask for holds at once.</p>}
      {!some && <MadeAtlases view={view} selection={selection} />}
    </div>
  );
}

function Tools({ view, selection, some }: { view: View; selection: Selection; some: boolean }) {
  const map = mapOf(view).value, tools = map?.tools.value.filter(({ id }) => id === "lasso" || id === "box") ?? [];
  return (
    <div class="tools" role="group" aria-label="Part of the map">
      {tools.map((tool) => (
        <button key={tool.id} type="button" aria-pressed={map!.tool.value === tool} onClick={() => map!.use(map!.tool.peek() === tool ? null : tool)}>
          {tool.id === "lasso" ? "Lasso" : "Rectangle"}
        </button>
      ))}
      {(selection.box.value || selection.lasso.value) && <button type="button" class="as-link" onClick={() => { selection.box.value = selection.lasso.value = null; }}>Whole map</button>}
      {some && <button type="button" class="as-link end" onClick={() => clear(selection)}>Clear</button>}
    </div>
  );
}

function Conditions({ view, selection }: { view: View; selection: Selection }) {
  const { label, predicted, answer, speaksFor, by } = selection;
  const classes = classesOf(view).value, labels = view.atlas.value.manifest?.dataset?.classes ?? [];
  return (
    <>
      {labels.length > 0 && <ClassSearch label="Images of" classes={labels} value={label.value} onPick={(it) => { label.value = it; }} />}
      {labels.length > 0 && classes.length > 0 && <Radios label="That the model gets" value={answer.value} onPick={(it) => { answer.value = it as typeof answer.value; }}
        options={[["all", "Either"], ["right", "Right"], ["wrong", "Wrong"]]} />}
      {classes.length > 0 && (
        <details open={predicted.value !== null || speaksFor.value !== null}>
          <summary>More conditions</summary>
          <ClassSearch label="Taken for" classes={classes} value={predicted.value} onPick={(it) => { predicted.value = it; }} />
          <ClassSearch label="Samples that speak for" classes={classes} value={speaksFor.value} onPick={(it) => { speaksFor.value = it; }} />
          {speaksFor.value !== null && <Radios label="Namely" value={by.value} onPick={(it) => { by.value = it as typeof by.value; }} options={[["magnitude", "2,000 strongest"], ["rank", "First of all"]]} />}
        </details>
      )}
    </>
  );
}

type Counted = SamplePage & { images: number };

function Found({ view, selection }: { view: View; selection: Selection }) {
  const query = queryOf(selection), page = useSignal<Counted | null>(null), path = pathOf(view, "samples", query);
  const ask = async ({ token, size }: { token: string | null; size: number }) => (page.value = await json<Counted>(`${path}&page_size=${size}${token ? `&page_token=${token}` : ""}`));
  return (
    <>
      <p class="found" role="status">{page.value ? <><strong>{count(page.value.total)}</strong> {page.value.total === 1 ? "sample" : "samples"} of <strong>{count(page.value.images)}</strong> {page.value.images === 1 ? "image" : "images"}</> : "Counting…"}</p>
      {page.value && page.value.total > 0 && <Downloads view={view} query={query} />}
      <MadeAtlases view={view} selection={selection} />
      <Samples key={path} ask={ask} heading={() => "Their patches"} answers={false} onPoint={(sample) => { markedOf(view).value = sample; }} />
    </>
  );
}
