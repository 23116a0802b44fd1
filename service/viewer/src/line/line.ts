// A line across the map, and the cells along it.

import { type Signal, effect, signal } from "@preact/signals";
import { bound, maybe } from "../address";
import type { Attach } from "../map/attachments";
import type { AtlasMap, Frame, Tool } from "../map/map";
import { say } from "../parts/said";
import { Stroke, atMost } from "../select/outline";
import { formatCorners, parseCorners } from "../select/selection";
import { type Cells, type Place, type View, feature } from "../view";

export type Line = [x: number, y: number][];

const MOST_CORNERS = 6;
const LEAST = 8; // CSS pixels, below which a drag was a slip
export const MOST_ICONS = 24;

export const lineOf = feature((view: View): Signal<Line | null> => {
  const line = signal<Line | null>(null);
  bound(view, "line", line, maybe<Line>({ parse: parseCorners, format: formatCorners }));
  return line;
});

/** Points evenly along a line, both ends counted. */
export function stations(line: Line, count: number): Line {
  const lengths = line.slice(1).map(([x, y], n) => Math.hypot(x - line[n]![0], y - line[n]![1]));
  const whole = lengths.reduce((sum, it) => sum + it, 0);
  return Array.from({ length: count }, (_, n) => {
    let left = count > 1 ? (whole * n) / (count - 1) : 0, part = 0;
    while (part < lengths.length - 1 && left > lengths[part]!) left -= lengths[part++]!;
    const share = lengths[part] ? Math.min(1, left / lengths[part]!) : 0, [from, to] = [line[part]!, line[part + 1]!];
    return [from[0] + share * (to[0] - from[0]), from[1] + share * (to[1] - from[1])];
  });
}

/** The filled cells along a line, each once, in its order; of many only some, evenly. */
export function cellsAlong(line: Line, cells: Cells, most = MOST_ICONS): Place[] {
  const { side } = cells, length = stationsLength(line), seen = new Set<number>(), found: Place[] = [];
  for (const [x, y] of stations(line, Math.max(2, Math.ceil(length * side * 4)))) {
    const column = Math.min(side - 1, Math.floor(x * side)), row = Math.min(side - 1, Math.max(0, side - 1 - Math.floor(y * side)));
    const place = row * side + column;
    if (seen.has(place) || !cells.has(column, row)) continue;
    seen.add(place);
    found.push({ side, column, row });
  }
  if (found.length <= most) return found;
  return Array.from({ length: most }, (_, n) => found[Math.round((n * (found.length - 1)) / (most - 1))]!);
}

const stationsLength = (line: Line) => line.slice(1).reduce((sum, [x, y], n) => sum + Math.hypot(x - line[n]![0], y - line[n]![1]), 0);

export const middleOf = ({ side, column, row }: Place): [number, number] => [(column + 0.5) / side, 1 - (row + 0.5) / side];

export const attachLine: Attach = (map) => {
  const { view } = map, line = lineOf(view), draft = signal<Line | null>(null);
  const ends = [
    map.addTool(lineTool(map, draft, line)),
    map.addOverlay({ order: 51, draw: (context, frame) => { const shown = draft.peek() ?? line.peek(); if (shown) draw(context, frame, shown, view); } }),
    effect(() => { draft.value; line.value; view.cells.value; map.redraw(); }),
    byKeyboard(map, line),
  ];
  return () => { for (const end of ends) end(); };
};

function lineTool(map: AtlasMap, draft: Signal<Line | null>, line: Signal<Line | null>): Tool {
  const stroke = new Stroke(), simple = () => atMost(stroke.drawn, MOST_CORNERS, 4 / map.square.size);
  return {
    id: "line", title: "Draw a line: a strip of icons along it", icon: "line", cursor: "crosshair",
    down: (at) => stroke.begin(at),
    move: (at) => { if (stroke.go(at)) draft.value = simple(); },
    up: () => {
      const found = simple();
      stroke.end();
      draft.value = null;
      line.value = stroke.far < LEAST || found.length < 2 ? null : found;
    },
    cancel: () => { stroke.end(); draft.value = null; },
  };
}

function draw(context: CanvasRenderingContext2D, frame: Frame, line: Line, view: View): void {
  context.lineJoin = context.lineCap = "round";
  for (const [width, name] of [[5, "--mark"], [2.5, "--accent"]] as const) {
    context.beginPath();
    for (const [x, y] of line) context.lineTo(...frame.toScreen(x, y));
    context.lineWidth = width;
    context.strokeStyle = frame.colour(name);
    context.stroke();
  }
  const cells = view.cells.peek();
  for (const place of cells ? cellsAlong(line, cells) : []) {
    context.lineWidth = 2;
    context.strokeStyle = frame.colour("--mark");
    const [left, top, size] = frame.cellBox(place.column, place.row);
    if (place.side === frame.side && size > 6) context.strokeRect(left + 1, top + 1, size - 2, size - 2);
  }
}

// L begins a line at the chosen cell, and L again ends it at the next.
function byKeyboard(map: AtlasMap, line: Signal<Line | null>): () => void {
  const { element, view } = map;
  let from: Place | null = null;
  const key = (event: KeyboardEvent) => {
    const cell = view.selected.peek();
    if (event.key.toLowerCase() !== "l" || event.ctrlKey || event.metaKey || event.altKey || !cell) return;
    if (from && from.side === cell.side && (from.column !== cell.column || from.row !== cell.row)) {
      line.value = [middleOf(from), middleOf(cell)];
      from = null;
      say("A line was drawn; its icons are below the map");
    } else {
      from = cell;
      say("A line begins here; go to another cell and press L again");
    }
    event.preventDefault();
  };
  element.addEventListener("keydown", key);
  const off = map.onLetGo(() => { from = null; });
  return () => {
    off();
    element.removeEventListener("keydown", key);
  };
}
