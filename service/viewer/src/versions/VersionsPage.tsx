// Two models, or two layers, side by side on their coupled map, and what changed from one to the other.

import { type Signal, effect, useSignal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import { bound, number, text } from "../address";
import { cameraCodec, placeCodec } from "../map/codecs";
import { mapOf } from "../map/map";
import { Stage } from "../map/stage";
import { Busy } from "../parts/Busy";
import { Choice } from "../parts/Choice";
import { ProblemLine } from "../parts/Problem";
import { Accuracy } from "./Accuracy";
import { CellCard } from "./CellCard";
import { Changes } from "./Changes";
import { Summary } from "./Summary";
import { Trust } from "./Trust";
import { type Coupled, coupled } from "./coupled";
import { showHalf, shownOf } from "./overlays";
import { type ComparisonJob, HALVES, type Versions, titles } from "./told";

const TABS = [["summary", "Summary"], ["changes", "Cells"], ["accuracy", "Accuracy"], ["trust", "Trust"]] as const;
const page = { prefix: "" };

export interface PartProps { job: ComparisonJob; found: Versions; halves: Coupled }

export function VersionsPage({ job }: { job: ComparisonJob }) {
  const found = job.description as Versions;
  const at = useAddressed("map", 0, number(0, 0)), tab = useAddressed("tab", "summary", text("summary"));
  const layer = found.layers[at.value] ?? found.layers[0]!, halves = useSignal<Coupled | null>(null), problem = useSignal<Error | null>(null);
  useEffect(() => {
    let gone = false;
    halves.value = null;
    coupled(layer).then((made) => { if (gone) made.close(); else halves.value = made; }, (error: Error) => { problem.value = error; });
    return () => { gone = true; halves.value?.close(); };
  }, [layer]);
  const names = titles(found, layer);
  return (
    <main class="versions" id="main">
      <header>
        <h1>{names.old} <span class="quiet">→</span> {names.new}</h1>
        <p class="quiet">{found.layers.length === 1 ? layer.layer : ""} on {found.dataset.name}{job.atlas && <> · <a href={`./?atlas=${encodeURIComponent(job.atlas)}`}>the atlas</a></>}</p>
        {found.layers.length > 1 && (
          <Choice label="Layers" value={String(found.layers.indexOf(layer))} onPick={(n) => { at.value = Number(n); }}
            options={found.layers.map((one, n) => ({ value: String(n), text: one.layer === one.other ? one.layer : `${one.layer} → ${one.other}` }))} />
        )}
        <Showing labelled={found.accuracy !== null} />
      </header>
      <div class="halves">
        {halves.value ? HALVES.map((which) => <Shown key={`${layer.layer} ${which}`} halves={halves.value!} which={which} title={names[which]} />)
          : problem.value ? <ProblemLine problem={problem.value} /> : <Busy>Loading both maps…</Busy>}
      </div>
      <aside class="panel" aria-label="What changed">
        <h2 class="unseen">What changed</h2>
        {halves.value && <CellCard key={layer.layer} job={job} found={found} halves={halves.value} />}
        <Choice label="What changed" value={tab.value} controls="changed" onPick={(id) => { tab.value = id; }} options={TABS.map(([value, title]) => ({ value, text: title }))} />
        <div id="changed">{halves.value && <Part tab={tab.value} job={job} found={found} halves={halves.value} />}</div>
      </aside>
    </main>
  );
}

function Part({ tab, ...props }: PartProps & { tab: string }) {
  switch (tab) {
    case "changes": return <Changes {...props} />;
    case "accuracy": return <Accuracy {...props} />;
    case "trust": return <Trust {...props} />;
    default: return <Summary {...props} />;
  }
}

function Shown({ halves, which, title }: { halves: Coupled; which: "old" | "new"; title: string }) {
  const view = halves.view[which];
  useEffect(() => {
    const ends = [
      bound(view, "cell", view.selected, placeCodec(() => halves.side)),
      effect(() => { const map = mapOf(view).value; return map ? showHalf(map) ?? undefined : undefined; }),
      ...(which === "old" ? [bound(view, "at", view.camera, cameraCodec)] : []),
    ];
    return () => { for (const end of ends) end(); };
  }, [view]);
  return (
    <figure class="half">
      <figcaption><strong>{title}</strong> <span class="quiet">{which === "old" ? "before" : "after"}</span></figcaption>
      <Stage view={view} />
    </figure>
  );
}

/** What is drawn over the maps, with what its colours mean. */
function Showing({ labelled }: { labelled: boolean }) {
  const shown = shownOf.value, all = [["marks", "changed cells"], ["names", "names"], ["points", "samples"], ...(labelled ? [["accuracy", "accuracy"]] : [])] as [keyof typeof shown, string][];
  return (
    <div class="showing" role="group" aria-label="Show">
      {all.map(([name, title]) => (
        <label key={name}><input type="checkbox" checked={shown[name]} onChange={(event) => { shownOf.value = { ...shownOf.peek(), [name]: event.currentTarget.checked }; }} /> {title}</label>
      ))}
      {shown.marks && <p class="legend"><span class="tag for">+</span> gained <span class="tag against">−</span> lost <span class="tag moved">→</span> moved</p>}
      {shown.accuracy && <p class="legend"><span class="key against" /> less often right <span class="key for" /> more often right <span class="quiet">(full colour: by 30 points)</span></p>}
    </div>
  );
}

/** A signal that a key of the address holds. */
function useAddressed<T>(key: string, first: T, codec: Parameters<typeof bound<T>>[3]): Signal<T> {
  const value = useSignal(first);
  const end = useMemo(() => bound(page, key, value, codec), []);
  useEffect(() => end, []);
  return value;
}
