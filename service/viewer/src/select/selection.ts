// Which samples are selected: in a part of the map, by what is known of their images, by what they add to; all at once.

import { type Signal, computed, signal } from "@preact/signals";
import { bound, choice, maybe } from "../address";
import { quoted } from "../api";
import { type Box, boxOf } from "../map/box";
import { type View, feature } from "../view";

/** Corners in the plane. */
export type Corners = [x: number, y: number][];

export const ANSWERS = ["all", "right", "wrong"] as const;
export const WAYS = ["magnitude", "rank"] as const;

export interface Selection {
  /** A rectangle, which any map has; or what was drawn with the lasso. There is one of them at most. */
  box: Signal<Box | null>;
  lasso: Signal<Corners | null>;
  /** Class of the images, by index in the dataset's. */
  label: Signal<number | null>;
  /** What the model takes them for. */
  predicted: Signal<number | null>;
  answer: Signal<(typeof ANSWERS)[number]>;
  /** A class that samples add to. */
  speaksFor: Signal<number | null>;
  by: Signal<(typeof WAYS)[number]>;
}

/** Of two maps, the one that the panel selects on. */
export const aimOf = feature((view: View) => {
  const aim = signal<"first" | "second">("first");
  bound(view, "selects", aim, choice(["first", "second"] as const, "first"));
  return aim;
});

const index = maybe<number>({ parse: (it) => (/^\d+$/.test(it) ? Number(it) : undefined), format: String });

export const selectionOf = feature((view: View): Selection => {
  const selection: Selection = { box: boxOf(view), lasso: signal(null), label: signal(null), predicted: signal(null), answer: signal("all"), speaksFor: signal(null), by: signal("magnitude") };
  bound(view, "lasso", selection.lasso, maybe<Corners>({ parse: parseCorners, format: formatCorners }));
  bound(view, "label", selection.label, index);
  bound(view, "predicted", selection.predicted, index);
  bound(view, "answer", selection.answer, choice(ANSWERS, "all"));
  bound(view, "for", selection.speaksFor, index);
  bound(view, "by", selection.by, choice(WAYS, "magnitude"));
  return selection;
});

export const formatCorners = (corners: Corners): string => corners.flat().map((it) => Number(it.toFixed(4))).join(",");

export function parseCorners(text: string): Corners | undefined {
  const numbers = text.split(",").map(Number);
  if (numbers.length < 4 || numbers.length % 2 || !numbers.every((it) => it >= 0 && it <= 1)) return undefined;
  return Array.from({ length: numbers.length / 2 }, (_, n) => [numbers[2 * n]!, numbers[2 * n + 1]!]);
}

/** What is asked of the service for a selection, as a query; empty where nothing is selected. */
export function queryOf(selection: Selection): string {
  const { box, lasso, label, predicted, answer, speaksFor, by } = selection, query = new URLSearchParams();
  if (lasso.value) query.set("polygon", formatCorners(lasso.value));
  else if (box.value) query.set("bbox", cornersOf(box.value).join(","));
  if (label.value !== null) query.set("label", String(label.value));
  if (predicted.value !== null) query.set("predicted", String(predicted.value));
  if (answer.value !== "all") query.set(answer.value, "true");
  if (speaksFor.value !== null) {
    query.set("speaks_for", String(speaksFor.value));
    query.set("by", by.value);
  }
  return query.toString();
}

/** The same as a request for a map of its own. */
export function requestOf(selection: Selection, layer: string): Record<string, unknown> {
  const { box, lasso, label, predicted, answer, speaksFor, by } = selection;
  return {
    kind: "samples", layer,
    ...(lasso.value ? { polygon: parseCorners(formatCorners(lasso.value)) } : box.value && { box: cornersOf(box.value) }),
    ...(label.value !== null && { label: label.value }),
    ...(predicted.value !== null && { predicted: predicted.value }),
    ...(answer.value !== "all" && { [answer.value]: true }),
    ...(speaksFor.value !== null && { speaks_for: speaksFor.value, by: by.value }),
  };
}

const cornersOf = ({ x0, y0, x1, y1 }: Box): number[] => [x0, y0, x1, y1].map((it) => Number(it.toFixed(6)));

/** Path of a layer's `samples` or `images`. */
export const pathOf = (view: View, what: "samples" | "images", query: string): string =>
  `${view.source.root}/layers/${quoted(view.layer.value)}/${what}?${query}`;

export function clear(selection: Selection): void {
  for (const one of [selection.box, selection.lasso, selection.label, selection.predicted, selection.speaksFor]) one.value = null;
  selection.answer.value = "all";
}

/** Whether something is selected. */
export const selecting = feature((view: View) => computed(() => queryOf(selectionOf(view)) !== ""));
