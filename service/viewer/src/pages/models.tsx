// The models of a service.

import { count, percent } from "../parts/words";
import type { Model } from "../registered";
import type { PageProps } from ".";
import { Registry } from "./registry";

export default function ModelsPage({ query }: PageProps) {
  const none = <p>A model is a card, a small JSON file that says what it takes, with its weights or its ONNX file.</p>;
  return <Registry kind="models" title="Models" none={none} told={told} adding={query.has("add")} />;
}

function told({ state, reasons, card, layers, classes, accuracy }: Model): string {
  if (state === "refused") return reasons[0] ?? "It cannot be used.";
  if (state === "inspecting") return "A worker is looking at it.";
  const right = accuracy?.top1 === null || accuracy?.top1 === undefined ? [] : [`right on ${percent(accuracy.top1)}`];
  return [`${card.format === "onnx" ? "ONNX" : card.architecture ?? card.format}`, `${count(layers.length)} layers`, classes === null ? "no classes" : `${count(classes)} classes`, ...right].join(" · ");
}
