// A thin edge around each cell in the dark and while a heat map fades icons: one that melts into the ground is still found.

import { effect } from "@preact/signals";
import type { Attach } from "../map/attachments";
import { displayOf } from "../map/display";
import { heatOf } from "./heat";

const LEAST = 12; // CSS pixels of a cell
const INSET = 0.01; // of a cell's side: within the gap between icons

export const attachEdges: Attach = (map) => {
  const { view } = map, heat = heatOf(view), { shown, density } = displayOf(view);
  const off = map.addOverlay({
    order: 23,
    draw(context, frame) {
      const cells = view.cells.peek(), faded = heat.shown.peek() !== null && heat.look.peek() === "icons";
      if (!cells || cells.side !== frame.side || frame.cellSize < LEAST || shown.peek() === "points" || density.peek() !== null || !(frame.dark || faded)) return;
      const { left, top, right, bottom } = frame.visible, inset = INSET * frame.cellSize;
      context.beginPath();
      for (let row = top; row <= bottom; row++) {
        for (let column = left; column <= right; column++) {
          const [x, y, size] = frame.cellBox(column, row);
          if (cells.has(column, row)) context.rect(x + inset, y + inset, size - 2 * inset, size - 2 * inset);
        }
      }
      context.strokeStyle = frame.colour("--line");
      context.stroke();
    },
  });
  const end = effect(() => { view.cells.value; shown.value; density.value; map.redraw(); });
  return () => { off(); end(); };
};
