// Names written on the map.

import { effect } from "@preact/signals";
import type { Attach } from "../map/attachments";
import type { Frame } from "../map/map";
import { type PlaceName, type Rank, namesOf } from "./names";
import { type Placed, STYLES, pixelsOf, place } from "./placing";

const ORDER = 40;
const HALO = 0.27; // around the letters, of their size, so that they are read on any icon

const font = (rank: Rank, width: number, family: string) => `${STYLES[rank].weight} ${pixelsOf(rank, width)}px ${family}`;

export const attachNames: Attach = (map) => {
  const names = namesOf(map.view), widths = new Map<string, number>();
  let last: { names: PlaceName[]; size: number; width: number; placed: Placed[] } | null = null;

  const draw = (context: CanvasRenderingContext2D, frame: Frame) => {
    const list = names.shown.peek() ? names.list.peek() : [], { left, top, size } = map.square, family = frame.colour("--font");
    const measure = (text: string, rank: Rank) => {
      const face = font(rank, frame.width, family), key = `${face} ${text}`, known = widths.get(key);
      if (known !== undefined) return known;
      context.font = face;
      widths.set(key, context.measureText(text).width);
      return widths.get(key)!;
    };
    if (last?.names !== list || last.width !== frame.width || Math.abs(last.size - size) > 0.5) last = { names: list, size, width: frame.width, placed: place(list, size, frame.width, measure) };
    const seen = last.placed.filter((one) => within(one, left, top, frame));
    for (const one of seen) write(context, frame, one, left + one.x, top + one.y, family);
    tell(map.element, seen.map((one) => [one.name.name, one.name.rank, ...[left + one.x - one.width / 2, top + one.y - one.height / 2, one.width, one.height].map(Math.round)]));
  };
  const off = map.addOverlay({ order: ORDER, draw });
  const end = effect(() => { names.shown.value; names.list.value; map.redraw(); });
  return () => { off(); end(); };
};

function within({ x, y, width, height }: Placed, left: number, top: number, frame: Frame): boolean {
  return Math.abs(left + x - frame.width / 2) < (frame.width + width) / 2 && Math.abs(top + y - frame.height / 2) < (frame.height + height) / 2;
}

function write(context: CanvasRenderingContext2D, frame: Frame, { name, lines }: Placed, x: number, y: number, family: string): void {
  const pixels = pixelsOf(name.rank, frame.width), line = pixels * 1.15;
  context.font = font(name.rank, frame.width, family);
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.lineJoin = "round";
  context.lineWidth = HALO * pixels;
  context.strokeStyle = frame.colour("--ground");
  context.fillStyle = frame.colour("--ink");
  const at = (n: number) => y + (n - (lines.length - 1) / 2) * line;
  context.globalAlpha = 0.9;
  lines.forEach((text, n) => context.strokeText(text, x, at(n)));
  context.globalAlpha = 1;
  lines.forEach((text, n) => context.fillText(text, x, at(n)));
}

// What stands where, for whoever cannot read a canvas: name, rank, left, top, width and height of each.
function tell(element: HTMLElement, seen: unknown[]): void {
  const text = JSON.stringify(seen);
  if (element.dataset.names !== text) element.dataset.names = text;
}
