// Two classes compared on one picture: a map of its own, on which x is what tells them apart.

import { className, classesOf } from "../classes";
import type { Attach } from "../map/attachments";
import type { Frame } from "../map/map";
import { amount } from "../parts/words";
import type { View } from "../view";

export interface Compared { first: number; second: number; atlas: string; layer: string; scale: number; samples: number; images: number }

/** What the view's map compares, null where it is another map. */
export function comparedIn(view: View): Compared | null {
  const { manifest } = view.atlas.value, selected = manifest?.selected;
  if (selected?.kind !== "classes") return null;
  const scale = manifest!.layers[selected.layer]?.layout?.scale ?? 0;
  return { first: selected.classes[0], second: selected.classes[1], atlas: selected.atlas, layer: selected.layer, scale, samples: selected.samples, images: selected.images };
}

/** The difference that a column stands for, in logits. */
export const differenceAt = (compared: Compared, column: number, side: number): number => compared.scale * (2 * ((column + 0.5) / side) - 1);

/** The line in the middle, where a sample adds to both alike; what the sides mean stands below the map. */
export const attachAxes: Attach = (map) => map.addOverlay({ order: 55, draw: (context, frame) => { if (comparedIn(map.view)) middle(context, frame); } });

function middle(context: CanvasRenderingContext2D, frame: Frame): void {
  const [x, top] = frame.toScreen(0.5, 1), [, bottom] = frame.toScreen(0.5, 0);
  context.strokeStyle = frame.colour("--quiet");
  context.setLineDash([4, 4]);
  context.beginPath();
  context.moveTo(x, top);
  context.lineTo(x, bottom);
  context.stroke();
  context.setLineDash([]);
}

/** What lies to the left, on the line and to the right, in words: of the axis below the map, and of its picture. */
export function axisOf(view: View): [left: string, middle: string, right: string] | null {
  const compared = comparedIn(view);
  if (!compared) return null;
  const end = amount(compared.scale);
  return [`\u2190\u00a0${end} logits more to ${className(view, compared.first)}`, "0", `${end} logits more to ${className(view, compared.second)}\u00a0\u2192`];
}

/** Whether classes of the view's map can be compared: of a whole atlas of a service, once it is made. */
export function canCompare(view: View): boolean {
  const { state, manifest } = view.atlas.value;
  return view.source.live && state === "succeeded" && !manifest?.selected && classesOf(view).value.length > 1;
}
