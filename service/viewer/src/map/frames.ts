// Frames around the cell that is pointed at and the one that is chosen.

import { effect } from "@preact/signals";
import type { Place } from "../view";
import type { Attach } from "./attachments";
import type { Frame } from "./map";

export const attachFrames: Attach = (map) => {
  const { hovered, selected, cells } = map.view;
  const off = map.addOverlay({
    order: 80,
    draw(context, frame) {
      if (hovered.peek()) outline(context, frame, hovered.peek()!, 1.5);
      if (selected.peek()) outline(context, frame, selected.peek()!, 3);
    },
  });
  const end = effect(() => { hovered.value; selected.value; cells.value; map.redraw(); });
  return () => { off(); end(); };
};

/** A frame that is seen on light and on dark pictures. Of a cell of another level the same part of the map. */
export function outline(context: CanvasRenderingContext2D, frame: Frame, { side, column, row }: Place, width: number, colour = "--mark"): void {
  const [left, top] = frame.toScreen(column / side, 1 - row / side), size = (frame.cellSize * frame.side) / side;
  for (const [name, more] of [["--mark-edge", 2], [colour, 0]] as const) {
    context.lineWidth = width + more;
    context.strokeStyle = frame.colour(name);
    context.strokeRect(left, top, size, size);
  }
}
