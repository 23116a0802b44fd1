// What is looked at: its name, of which model and dataset, and whether data went into its icons.

import { Fragment } from "preact";
import { useTitle } from "../frame/title";
import { copy } from "../offline";
import { RECIPES } from "../create/request";
import { saidOf } from "../parts/asking";
import { Explained } from "../parts/Facts";
import { seeding } from "../parts/words";
import type { Atlas } from "../types";
import type { View } from "../view";

export function Heading({ view }: { view: View }) {
  const { id, name, names, spec, seeded, of, manifest } = view.atlas.value, { live } = view.source;
  const model = names.model ?? spec.model, dataset = names.dataset ?? spec.dataset;
  const title = name || (of && saidOf(of, manifest?.model?.classes)) || model || "Atlas";
  useTitle(title);
  const linked = (key: "model" | "dataset", text = "") => (live ? <a href={`?${key}=${spec[key]}`}>{text}</a> : text);
  const parts = [title !== model && linked("model", model), <>on {linked("dataset", dataset)}</>, seeded !== null && <Recipe name={spec.recipe ?? ""} />].filter(Boolean);
  return (
    <header class="heading">
      {live && of?.atlas && <a href={`?atlas=${of.atlas}`}>The atlas</a>}
      <h1>{title}</h1>
      <p class="quiet subtitle">{parts.map((part, n) => <Fragment key={n}>{n > 0 && " · "}{part}</Fragment>)}</p>
      {live && !of && <a href={`?jobs=${id}`}>Its jobs</a>}
      {copy && <p class="badge">Offline copy</p>}
      <Seeding seeded={seeded} />
    </header>
  );
}

function Recipe({ name }: { name: string }) {
  const [title, text] = RECIPES[name as keyof typeof RECIPES] ?? [name, ""];
  return text ? <Explained word={`${title.toLowerCase()} icons`} says={`How the icons were drawn, the recipe “${name}”. ${text}`} /> : <>{title} icons</>;
}

function Seeding({ seeded }: Pick<Atlas, "seeded">) {
  return <p class={seeded ? "badge seeded" : "badge"} title={seeded ? "Each icon starts from an average of real patches" : undefined}>{seeding(seeded)}</p>;
}
