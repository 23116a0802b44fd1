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

export const attachAxes: Attach = (map) => map.addOverlay({ order: 55, draw: (context, frame) => { const compared = comparedIn(map.view); if (compared) axes(context, frame, map.view, compared); } });

const ROOM = 30; // pixels that a label takes beside the map

function axes(context: CanvasRenderingContext2D, frame: Frame, view: View, compared: Compared): void {
  const [left, top] = frame.toScreen(0, 1), [right, bottom] = frame.toScreen(1, 0), middle = (left + right) / 2;
  context.font = `600 13px ${getComputedStyle(document.body).fontFamily}`;
  context.strokeStyle = frame.colour("--quiet");
  context.setLineDash([4, 4]);
  context.beginPath();
  context.moveTo(middle, top);
  context.lineTo(middle, bottom);
  context.stroke();
  context.setLineDash([]);
  // Beside the map where there is room, else on it; about the middle, because the corners belong to the map's controls.
  const head = top >= ROOM ? top - 14 : Math.max(top + 14, 16), foot = frame.height - bottom >= ROOM ? bottom + 14 : Math.min(bottom - 14, frame.height - 16), edge = Math.min(Math.max((top + bottom) / 2, 40), frame.height - 40), limit = frame.width - 8;
  label(context, frame, `← adds more to ${className(view, compared.first)}`, middle - 14, head, "right");
  label(context, frame, `adds more to ${className(view, compared.second)} →`, middle + 14, head, "left");
  label(context, frame, "0", middle, foot, "center");
  const low = `−${amount(compared.scale)} logits`, high = `+${amount(compared.scale)} logits`, wide = context.measureText(high).width + ROOM;
  if (left >= wide) label(context, frame, low, left - 12, edge, "right");
  else label(context, frame, low, Math.max(left, 0) + 10, edge, "left");
  if (frame.width - right >= wide) label(context, frame, high, right + 12, edge, "left");
  else label(context, frame, high, Math.min(right, limit) - 8, edge, "right");
}

function label(context: CanvasRenderingContext2D, frame: Frame, text: string, x: number, y: number, align: CanvasTextAlign): void {
  context.textAlign = align;
  context.textBaseline = "middle";
  const width = context.measureText(text).width, start = align === "left" ? x : align === "right" ? x - width : x - width / 2;
  context.fillStyle = frame.colour("--raised");
  context.globalAlpha = 0.88;
  context.beginPath();
  context.roundRect(start - 6, y - 11, width + 12, 22, 5);
  context.fill();
  context.globalAlpha = 1;
  context.fillStyle = frame.colour("--ink");
  context.fillText(text, x, y);
}

/** Whether classes of the view's map can be compared: of a whole atlas of a service, once it is made. */
export function canCompare(view: View): boolean {
  const { state, manifest } = view.atlas.value;
  return view.source.live && state === "succeeded" && !manifest?.selected && classesOf(view).value.length > 1;
}
