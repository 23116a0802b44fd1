// One model: whether it can be used, how good it is, what it takes, and its layers.

import { Body } from "../parts/Body";
import { Facts } from "../parts/Facts";
import { LayerTable } from "../parts/Layers";
import { Removal } from "../parts/Removal";
import { StandingBadge } from "../parts/Standing";
import { Ghosts, Wrong } from "../parts/States";
import { count, percent } from "../parts/words";
import { type Model, useOne } from "../registered";
import type { PageProps } from ".";

const FROM = { href: "?models", text: "Models" };

export default function ModelPage({ query }: PageProps) {
  const asked = useOne("models", query.get("model") ?? "");
  const model = asked.value.value, problem = asked.problem.value;
  if (problem && !model) return <Body title="Model" from={FROM}><Wrong problem={problem} what="The model" again={asked.again} back={{ href: "?models", text: "See the models" }} /></Body>;
  if (!model) return <Body title="Model" from={FROM}><Ghosts count={3} kind="line" /></Body>;
  const ready = model.state === "ready";
  return (
    <Body title={model.name} from={FROM} lead={<StandingBadge standing={model.state} />} actions={<>
      <Removal kind="models" id={model.id} name={model.name} />
      {ready && model.classes !== null && <a class="button" href={`?audits&add&model=${model.id}`}>Audit it</a>}
      {ready && <a class="button primary" href={`?new&model=${model.id}`}>Make an atlas</a>}
    </>}>
      {model.state === "inspecting" && <p class="note">A worker is looking at its layers and, where there is a dataset, how often it is right. This page follows.</p>}
      {model.state === "refused" && <Notes title="Why it cannot be used" kind="wrong" lines={model.reasons} />}
      {model.warnings.length > 0 && <Notes title="Look at this first" kind="warn" lines={model.warnings} />}
      <div class="two">
        <section class="sheet" aria-labelledby="accuracy"><h2 id="accuracy">Accuracy</h2><Accuracy model={model} /></section>
        <section class="sheet" aria-labelledby="takes"><h2 id="takes">What it takes</h2><Facts rows={taken(model)} /></section>
      </div>
      {model.layers.length > 0 && <section aria-labelledby="layers"><h2 id="layers">Layers</h2><LayerTable layers={model.layers} /></section>}
      {model.card.labels && <section aria-labelledby="classes"><h2 id="classes">Classes</h2><p class="names">{model.card.labels.slice(0, MOST).map((label, n) => <span key={n}>{label}</span>)}{model.card.labels.length > MOST && <span class="quiet">and {count(model.card.labels.length - MOST)} more</span>}</p></section>}
    </Body>
  );
}

const MOST = 60; // classes that are named

function Notes({ title, kind, lines }: { title: string; kind: "wrong" | "warn"; lines: string[] }) {
  return <section class={`notes ${kind}`}><h2>{title}</h2><ul>{lines.map((line) => <li key={line}>{line}</li>)}</ul></section>;
}

function Accuracy({ model: { accuracy, classes, state } }: { model: Model }) {
  if (accuracy?.top1 !== null && accuracy?.top1 !== undefined) {
    const rows: [string, number | null][] = [["Right at first", accuracy.top1], ["Right among five", accuracy.top5]];
    return (
      <>
        {rows.filter(([, share]) => share !== null).map(([name, share]) => (
          <div key={name} class="meter"><span>{name}</span><strong>{percent(share)}</strong><span class="track" aria-hidden="true"><span class="fill" style={{ width: `${100 * share!}%` }} /></span></div>
        ))}
        <p class="quiet">On {count(accuracy.images)} images{accuracy.dataset && <> of <a href={`?dataset=${accuracy.dataset}`}>the dataset it was measured on</a></>}.</p>
      </>
    );
  }
  if (classes === null && state === "ready") return <p class="quiet">It has no logits, so there is nothing to be right about. Atlases show what its layers see.</p>;
  return <p class="quiet">Not measured. Register it together with a labelled dataset, and wrong preprocessing or shifted labels are found before they cost an atlas.</p>;
}

function taken({ card: { format, architecture, input }, classes, convertible }: Model): [string, string][] {
  const list = (values: number[]) => values.map((value) => Number(value.toFixed(3))).join(", ");
  return [
    ["Format", format === "onnx" ? "ONNX" : `${format}${architecture ? `, ${architecture}` : ""}`],
    ["Input", `${input.channels} × ${input.height} × ${input.width}, ${input.order}`],
    ["Resized to", input.resize ? `${input.resize} px${input.crop ? ", centre cut out" : ""}` : "–"],
    ["Mean", list(input.mean)],
    ["Deviation", list(input.std)],
    ["Classes", classes === null ? "none" : count(classes)],
    ["Icons", convertible === null ? "–" : convertible ? "can be drawn" : "none: it has no gradients here"],
  ];
}
