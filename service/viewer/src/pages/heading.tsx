// What is looked at: its name, of which model and dataset, and whether data went into its icons.

import { GuideButton } from "../guide/Guide";
import { useTitle } from "../frame/title";
import { seeding } from "../parts/words";
import type { View } from "../view";

export function Heading({ view }: { view: View }) {
  const { name, names, spec, seeded } = view.atlas.value;
  const model = names.model ?? spec.model, dataset = names.dataset ?? spec.dataset, title = name || model || "Atlas";
  useTitle(title);
  const parts = [name && model, `on ${dataset}`, seeded !== null && `recipe ${spec.recipe}`].filter(Boolean);
  return (
    <header class="heading">
      <h1>{title}</h1>
      <p class="quiet subtitle">{parts.join(" · ")}</p>
      <GuideButton view={view} />
      <p class={seeded ? "badge seeded" : "badge"} title={seeded ? "Each icon starts from an average of real patches" : undefined}>{seeding(seeded)}</p>
    </header>
  );
}
