// A rectangle of the map: drawn by a tool, or with Shift and the arrows; what is in it is asked for by who shows it.

import { effect, signal } from "@preact/signals";
import { bound } from "../address";
import { type Place, type View, feature } from "../view";
import type { Attach } from "./attachments";
import { STEPS, middle } from "./keys";
import type { AtlasMap, Pointed, Tool } from "./map";

/** A rectangle of the plane, y up. */
export interface Box { x0: number; y0: number; x1: number; y1: number }

export const boxOf = feature((view: View) => {
  const box = signal<Box | null>(null);
  bound(view, "box", box, {
    parse: (text) => { const [x0, y0, x1, y1] = text.split(",").map(Number); return [x0, y0, x1, y1].every(Number.isFinite) ? { x0: x0!, y0: y0!, x1: x1!, y1: y1! } : undefined; },
    format: (it) => it && [it.x0, it.y0, it.x1, it.y1].map((value) => Number(value.toFixed(4))).join(","),
    fallback: null,
  });
  return box;
});

const within = (value: number) => Math.min(1, Math.max(0, value));
const between = (a: Pointed, b: Pointed): Box => ({
  x0: within(Math.min(a.x, b.x)), x1: within(Math.max(a.x, b.x)), y0: within(Math.min(a.y, b.y)), y1: within(Math.max(a.y, b.y)),
});

export const attachBox: Attach = (map) => {
  if (!map.view.source.live) return;
  const { view } = map, box = boxOf(view);
  const off = map.addOverlay({
    order: 50,
    draw(context, frame) {
      const shown = drawn.peek() ?? box.peek();
      if (!shown) return;
      const [left, top] = frame.toScreen(shown.x0, shown.y1), [right, bottom] = frame.toScreen(shown.x1, shown.y0);
      context.fillStyle = frame.colour("--accent");
      context.globalAlpha = 0.14;
      context.fillRect(left, top, right - left, bottom - top);
      context.globalAlpha = 1;
      for (const [colour, width] of [["--mark", 4], ["--accent", 2]] as const) {
        context.lineWidth = width;
        context.strokeStyle = frame.colour(colour);
        context.strokeRect(left, top, right - left, bottom - top);
      }
    },
  });
  const drawn = signal<Box | null>(null), untool = map.addTool(tool(drawn, (made) => { box.value = made; view.selected.value = view.hovered.value = null; }));
  const ends = [
    off, untool, stretchByKeys(map), map.onLetGo(() => { box.value = null; }),
    effect(() => { box.value; drawn.value; map.redraw(); }),
    effect(() => { if (view.selected.value) box.value = null; }),
  ];
  return () => { for (const end of ends) end(); };
};

function tool(drawn: { value: Box | null }, done: (box: Box) => void): Tool {
  let corner: Pointed | null = null;
  return {
    id: "box", title: "Choose a part of the map (Shift and drag)", icon: "box", cursor: "crosshair", shift: true,
    down: (at) => { corner = at; },
    move: (at) => { drawn.value = corner && between(corner, at); },
    up: () => {
      if (drawn.value) done(drawn.value);
      drawn.value = corner = null;
    },
    cancel: () => { drawn.value = corner = null; },
  };
}

// Shift and the arrows stretch a rectangle of cells from the chosen one.
function stretchByKeys({ element, view }: AtlasMap): () => void {
  const box = boxOf(view);
  let from: Place | null = null, to: Place | null = null;
  const key = (event: KeyboardEvent) => {
    const by = STEPS[event.key], cells = view.cells.peek();
    if (!by || !cells || !event.shiftKey || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const { side } = cells, last = side - 1, { x, y } = view.camera.peek(), chosen = view.selected.peek();
    if (chosen || !box.peek() || !from || !to) from = to = chosen ?? middle(cells, x * side - 0.5, (1 - y) * side - 0.5);
    if (!from || !to) return;
    const held = (place: number) => Math.min(last, Math.max(0, place));
    to = { side, column: held(to.column + by[0]), row: held(to.row + by[1]) };
    view.selected.value = null;
    box.value = {
      x0: Math.min(from.column, to.column) / side, x1: (Math.max(from.column, to.column) + 1) / side,
      y0: 1 - (Math.max(from.row, to.row) + 1) / side, y1: 1 - Math.min(from.row, to.row) / side,
    };
  };
  element.addEventListener("keydown", key);
  return () => element.removeEventListener("keydown", key);
}
