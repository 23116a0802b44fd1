// The datasets of a service.

import { count } from "../parts/words";
import type { Dataset } from "../registered";
import type { PageProps } from ".";
import { Registry } from "./registry";

export default function DatasetsPage({ query }: PageProps) {
  const none = <p>A dataset is a card, a small JSON file, and the pictures that it names: a zip or tar here, or a place that the service may read.</p>;
  return <Registry kind="datasets" title="Datasets" none={none} told={told} adding={query.has("add")} />;
}

function told({ state, reasons, images, class_counts, skipped }: Dataset): string {
  if (state === "refused") return reasons[0] ?? "It cannot be used.";
  if (state === "inspecting") return "A worker is listing it.";
  const classes = class_counts ? [`${count(Object.keys(class_counts).length)} classes`] : ["not labelled"];
  return [`${count(images)} images`, ...classes, ...(skipped.length ? [`${count(skipped.length)} skipped`] : [])].join(" · ");
}
