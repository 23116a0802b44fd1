// Lighting what belongs to something pointed at elsewhere: cells shine through a veil, samples are points.

import { effect, signal } from "@preact/signals";
import type { AtlasMap, Frame, Overlay } from "../map/map";
import { type View, feature } from "../view";

/** Cells of a level with shares from 0 to 1, the largest first, and places of the plane. */
export interface Lit {
  side: number;
  column: readonly number[];
  row: readonly number[];
  share: readonly number[];
  points: readonly (readonly [x: number, y: number])[];
}

/** What is lit on a map; null for nothing. */
export const litOf = feature((_: View) => signal<Lit | null>(null));

const ORDER = 55;
const VEIL = 0.68, DOT = 2.6;

/** Draw what is lit above a map. */
export function lightUp(map: AtlasMap): () => void {
  const lit = litOf(map.view);
  const overlay: Overlay = { order: ORDER, draw: (context, frame) => { if (lit.peek()) draw(context, frame, lit.peek()!); } };
  const ends = [map.addOverlay(overlay), effect(() => { lit.value; map.redraw(); })];
  return () => { for (const end of ends) end(); };
}

/** Left, top and side of a cell of any level, in CSS pixels of the map. */
export function boxOf(frame: Frame, side: number, column: number, row: number): [left: number, top: number, size: number] {
  const [left, top] = frame.toScreen(column / side, 1 - row / side), [right] = frame.toScreen((column + 1) / side, 0);
  return [left, top, right - left];
}

function draw(context: CanvasRenderingContext2D, frame: Frame, { side, column, row, share, points }: Lit): void {
  const boxes = column.map((one, n) => boxOf(frame, side, one, row[n]!));
  const most = Math.max(1e-9, share[0] ?? 0);
  const [left, top] = frame.toScreen(0, 1), [right, bottom] = frame.toScreen(1, 0);
  context.fillStyle = frame.colour("--map");
  context.globalAlpha = VEIL;
  context.beginPath();
  context.rect(left, top, right - left, bottom - top);
  for (const [x, y, size] of boxes) context.rect(x, y, size, size);
  context.fill("evenodd");
  boxes.forEach(([x, y, size], n) => {
    context.globalAlpha = VEIL * (1 - Math.sqrt(share[n]! / most)); // what holds few samples shines less
    context.fillRect(x, y, size, size);
  });
  context.globalAlpha = 1;
  context.strokeStyle = frame.colour("--accent");
  boxes.forEach(([x, y, size], n) => {
    context.lineWidth = 1 + 2 * (share[n]! / most);
    context.strokeRect(x, y, size, size);
  });
  dots(context, frame, points);
}

function dots(context: CanvasRenderingContext2D, frame: Frame, points: Lit["points"]): void {
  context.fillStyle = frame.colour("--accent");
  context.strokeStyle = frame.colour("--ground");
  context.lineWidth = 1;
  for (const [x, y] of points) {
    const [px, py] = frame.toScreen(x, y);
    context.beginPath();
    context.arc(px, py, DOT, 0, 2 * Math.PI);
    context.fill();
    context.stroke();
  }
}
