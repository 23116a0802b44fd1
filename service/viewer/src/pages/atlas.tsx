// One atlas: its map, and the panels beside it.

import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { bound, maybe, number, text } from "../address";
import { Problem } from "../api";
import { Guide } from "../guide/Guide";
import { heatOf } from "../heat/heat";
import { comesByLink, greet, guideOf } from "../guide/steps";
import { Stages } from "../linked/Stages";
import { cameraCodec, placeCodec } from "../map/codecs";
import { PANELS } from "../panels";
import { Chosen } from "../panels/Chosen";
import { panelOf } from "../panels/open";
import { Heading } from "./heading";
import { Progress } from "./progress";
import { Busy } from "../parts/Busy";
import { Choice } from "../parts/Choice";
import { Message } from "../parts/Problem";
import { sentence } from "../parts/words";
import { sourceOf } from "../source";
import { View } from "../view";
import type { PageProps } from ".";

export default function AtlasPage({ query }: PageProps) {
  const view = useSignal<View | null>(null), problem = useSignal<Error | null>(null), linked = useRef(false);
  const address = query.toString();
  useEffect(() => {
    const source = sourceOf(query)!;
    linked.current = comesByLink();
    let gone = false;
    source.refresh().then(
      (atlas) => { if (!gone) view.value = addressed(new View(source, atlas)); },
      (error: Error) => { problem.value = error; },
    );
    return () => { gone = true; view.value?.close(); };
  }, [address]);
  if (problem.value) return <Missing problem={problem.value} folder={query.has("folder")} />;
  return view.value ? <Shown view={view.value} linked={linked.current} /> : <Busy />;
}

/** Bind what every view has to the address. */
function addressed(view: View): View {
  bound(view, "layer", view.layer, text(""));
  bound(view, "side", view.side, maybe(number(0, 0)));
  bound(view, "cell", view.selected, placeCodec(() => view.side.peek()));
  bound(view, "at", view.camera, cameraCodec);
  return view;
}

function Missing({ problem, folder }: { problem: Error; folder: boolean }) {
  const missing = problem instanceof Problem && problem.status === 404;
  if (missing && folder) {
    return (
      <Message title="Nothing to show here">
        <p>There is no atlas beside this page. Open a folder made by atlas build, or start a service:</p>
        <pre>atlas open DIR{"\n"}atlas up</pre>
      </Message>
    );
  }
  return (
    <Message title={missing ? "There is no such atlas here" : "The atlas cannot be shown"}>
      <p>{sentence(problem.message)}</p>
      {missing ? <p><a href="./">See those there are</a></p> : <button type="button" onClick={() => location.reload()}>Try again</button>}
    </Message>
  );
}

function Shown({ view, linked }: { view: View; linked: boolean }) {
  useEffect(() => { if (!linked) greet(view); }, [view]);
  return (
    <main class="atlas" id="main">
      <Heading view={view} />
      <Progress view={view} />
      <Stages view={view} />
      <aside class="panel" aria-label="Details">{guideOf(view).step.value === null ? <Panels view={view} /> : <Guide view={view} />}</aside>
    </main>
  );
}

const OWN = ["details", "layers"]; // panels that are of the chosen cell themselves

function Panels({ view }: { view: View }) {
  const panels = PANELS.filter((panel) => panel.available(view)), open = panelOf(view);
  const shown = panels.find((panel) => panel.id === open.value) ?? panels[0];
  return (
    <>
      {panels.length > 1 && <Choice label="Panels" controls="details" value={shown!.id} onPick={(id) => { open.value = id; if (id === "compare") heatOf(view).of.value = ""; }} options={panels.map(({ id, title }) => ({ value: id, text: title }))} />}
      {shown && shown.id !== "details" && <h2 class="unseen">{shown.title}</h2>}
      {shown && !OWN.includes(shown.id) && <Chosen view={view} />}
      <div id="details">{shown && <shown.component view={view} />}</div>
    </>
  );
}
