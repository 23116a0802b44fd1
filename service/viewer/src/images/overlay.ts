// Where the picture in front lands: a heat map over the map, its positions as points, and which of them is pointed at.

import { effect } from "@preact/signals";
import { boxOf } from "../linked/lit";
import type { AtlasMap, Frame } from "../map/map";
import type { Position } from "../types";
import { landingsOf } from "./landings";

const ORDER = 60, REACH = 14; // pixels from a point within which it is pointed at
const VEIL = 0.72, DOT = 4, MARKED = 8;

/** Draw the positions of the picture in front above a map, and point at them from there. */
export function showLanding(map: AtlasMap): (() => void) | void {
  if (map.view.prefix !== "") return undefined;
  const landings = landingsOf(map.view);
  const remove = map.addOverlay({
    order: ORDER,
    draw(context, frame) {
      const positions = landings.positions.peek();
      if (!positions.length) return;
      heat(context, frame, positions);
      for (const position of positions) dot(context, frame, position, DOT);
      const pointed = landings.pointed.peek();
      if (pointed) marked(context, frame, pointed);
    },
  });
  const end = effect(() => {
    landings.positions.value;
    landings.pointed.value;
    map.redraw();
  });
  const stop = new AbortController();
  map.element.addEventListener("pointermove", (event) => {
    const positions = landings.positions.peek();
    if (positions.length) landings.pointed.value = nearest(map, positions, event);
  }, { signal: stop.signal });
  map.element.addEventListener("pointerleave", () => { landings.pointed.value = null; }, { signal: stop.signal });
  return () => { remove(); end(); stop.abort(); };
}

function nearest(map: AtlasMap, positions: readonly Position[], event: PointerEvent): Position | null {
  const { left, top } = map.element.getBoundingClientRect();
  let best: Position | null = null, least = REACH;
  for (const position of positions) {
    const [x, y] = map.toScreen(position.x, position.y), far = Math.hypot(x + left - event.clientX, y + top - event.clientY);
    if (far < least) [best, least] = [position, far];
  }
  return best;
}

/** How many positions fall into each cell of a level, by row · side + column; those that could lie anywhere count nowhere. */
export function landed(positions: readonly Position[], side: number): Map<number, number> {
  const found = new Map<number, number>();
  for (const { cells, x, y, ambiguous } of positions) {
    if (ambiguous) continue;
    const cell = cells[String(side)] ?? { column: Math.min(side - 1, Math.floor(x * side)), row: side - 1 - Math.min(side - 1, Math.floor(y * side)) };
    const key = cell.row * side + cell.column;
    found.set(key, (found.get(key) ?? 0) + 1);
  }
  return found;
}

// A veil over the map, the thinner the more positions fall into a cell.
function heat(context: CanvasRenderingContext2D, frame: Frame, positions: readonly Position[]): void {
  const { side } = frame, cells = landed(positions, side), most = Math.max(1, ...cells.values());
  const [left, top] = frame.toScreen(0, 1), [right, bottom] = frame.toScreen(1, 0);
  const boxes = [...cells].map(([key, times]) => ({ box: boxOf(frame, side, key % side, Math.floor(key / side)), times }));
  context.fillStyle = frame.colour("--map");
  context.globalAlpha = VEIL;
  context.beginPath();
  context.rect(left, top, right - left, bottom - top);
  for (const { box: [x, y, size] } of boxes) context.rect(x, y, size, size);
  context.fill("evenodd");
  for (const { box: [x, y, size], times } of boxes) {
    context.globalAlpha = VEIL * 0.75 * (1 - Math.sqrt(times / most));
    context.fillRect(x, y, size, size);
  }
  context.globalAlpha = 1;
}

function dot(context: CanvasRenderingContext2D, frame: Frame, { x, y, ambiguous }: Position, radius: number): void {
  const [px, py] = frame.toScreen(x, y);
  context.beginPath();
  context.arc(px, py, radius, 0, 2 * Math.PI);
  context.lineWidth = 1.5;
  context.fillStyle = ambiguous ? frame.colour("--ground") : frame.colour("--accent");
  context.strokeStyle = ambiguous ? frame.colour("--accent") : frame.colour("--ground");
  context.fill();
  context.stroke();
}

function marked(context: CanvasRenderingContext2D, frame: Frame, position: Position): void {
  const [px, py] = frame.toScreen(position.x, position.y);
  for (const [width, name] of [[5, "--ground"], [2.5, "--accent"]] as const) {
    context.beginPath();
    context.arc(px, py, MARKED, 0, 2 * Math.PI);
    context.lineWidth = width;
    context.strokeStyle = frame.colour(name);
    context.stroke();
  }
}
