// A sample that is pointed at elsewhere, marked on the map.

import { effect, signal } from "@preact/signals";
import { type View, feature } from "../view";
import type { Attach } from "./attachments";
import type { Frame } from "./map";

/** Its place in the plane. */
export const markedOf = feature((_: View) => signal<{ x: number; y: number } | null>(null));

export const attachMarked: Attach = (map) => {
  const marked = markedOf(map.view);
  const off = map.addOverlay({
    order: 70,
    draw(context, frame) {
      if (marked.peek()) spot(context, frame, marked.peek()!, 7, "--accent");
    },
  });
  const end = effect(() => { marked.value; map.redraw(); });
  return () => { off(); end(); };
};

/** A dot that is seen on light and on dark pictures. */
export function spot(context: CanvasRenderingContext2D, frame: Frame, { x, y }: { x: number; y: number }, radius: number, colour: string, hollow = false): void {
  context.beginPath();
  context.arc(...frame.toScreen(x, y), radius, 0, 2 * Math.PI);
  context.fillStyle = frame.colour(colour);
  if (!hollow) context.fill();
  for (const [width, edge] of hollow ? ([[3.6, "--mark"], [1.6, colour]] as const) : ([[2, "--mark"]] as const)) {
    context.lineWidth = width;
    context.strokeStyle = frame.colour(edge);
    context.stroke();
  }
}
