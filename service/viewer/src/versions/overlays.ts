// What is drawn over a half of a coupled map: how accuracy changed, its points, and the cells that changed.

import { type Signal, effect, signal } from "@preact/signals";
import { boxOf } from "../linked/lit";
import type { AtlasMap, Frame } from "../map/map";
import { named, writeNames } from "./names";
import { type Coupled, coupledOf } from "./coupled";
import type { Change, Which } from "./told";

export interface Shown { names: boolean; points: boolean; marks: boolean; accuracy: boolean }

/** What is shown over both halves. */
export const shownOf: Signal<Shown> = signal({ names: true, points: false, marks: true, accuracy: false });

const HEAT = 10, POINTS = 30, MARKS = 35, NAMES = 40;
const FULL = 0.3; // change of a share right that has the full colour
const FEW = 5; // images under which a cell's share right is not coloured

/** A cell that changed, as it is marked: gained on the new half, lost on the old one, moved on both. */
export interface Mark { sign: string; colour: string; column: number; row: number; change: Change }

/** The marks of one half, in the order in which the changes are listed. */
export function marks({ layer }: Coupled, which: Which): Mark[] {
  const { born, lost, moved } = layer.cells;
  const made = (sign: string, colour: string, changes: Change[], at: (change: Change) => { column: number; row: number } | null) =>
    changes.flatMap((change, n) => { const place = at(change); return place ? [{ sign: `${sign}${n + 1}`, colour, ...pick(place), change }] : []; });
  const own = which === "new" ? made("+", "--for", born, (change) => change) : made("−", "--against", lost, (change) => change);
  return [...own, ...made("→", "--ink", moved, (change) => (which === "new" ? change : change.from))];
}

const pick = ({ column, row }: { column: number; row: number }) => ({ column, row });

/** Draw over the halves of coupled maps, and over no others. */
export function showHalf(map: AtlasMap): (() => void) | void {
  const own = coupledOf(map.view).peek();
  if (!own) return undefined;
  const { coupled, which } = own, marked = marks(coupled, which);
  map.tools.value = []; // of an atlas, whose cells could be selected
  const ends = [
    map.addOverlay({ order: HEAT, draw: (context, frame) => { if (shownOf.peek().accuracy) heat(context, frame, coupled, which); } }),
    map.addOverlay({ order: POINTS, draw: (context, frame) => { if (shownOf.peek().points) dots(context, frame, coupled.half[which].points); } }),
    map.addOverlay({ order: MARKS, draw: (context, frame) => { if (shownOf.peek().marks) for (const mark of marked) outline(context, frame, coupled.side, mark); } }),
    map.addOverlay({ order: NAMES, draw: (context, frame) => { if (shownOf.peek().names) writeNames(context, frame, named(coupled, which)); } }),
    effect(() => { shownOf.value; map.redraw(); }),
  ];
  return () => { for (const end of ends) end(); };
}

function heat(context: CanvasRenderingContext2D, frame: Frame, { half, side }: Coupled, which: Which): void {
  const { cells } = half[which];
  cells.column.forEach((column, n) => {
    const before = cells.old[n], after = cells.new[n];
    const [left, top, size] = boxOf(frame, side, column, cells.row[n]!), inset = size * 0.015;
    context.globalAlpha = 1;
    context.fillStyle = frame.colour("--empty");
    context.fillRect(left + inset, top + inset, size - 2 * inset, size - 2 * inset);
    if (before === null || before === undefined || after === null || after === undefined || cells.images[n]! < FEW) return;
    context.globalAlpha = Math.min(1, Math.abs(after - before) / FULL);
    context.fillStyle = frame.colour(after < before ? "--against" : "--for");
    context.fillRect(left + inset, top + inset, size - 2 * inset, size - 2 * inset);
  });
}

function dots(context: CanvasRenderingContext2D, frame: Frame, points: Float32Array): void {
  context.fillStyle = frame.colour("--ink");
  context.globalAlpha = 0.55;
  const radius = Math.max(1, Math.min(2.5, frame.cellSize / 14));
  for (let n = 0; n < points.length; n += 2) {
    const [x, y] = frame.toScreen(points[n]!, points[n + 1]!);
    if (x < 0 || y < 0 || x > frame.width || y > frame.height) continue;
    context.fillRect(x - radius / 2, y - radius / 2, radius, radius);
  }
}

function outline(context: CanvasRenderingContext2D, frame: Frame, side: number, { sign, colour, column, row }: Mark): void {
  const [left, top, size] = boxOf(frame, side, column, row);
  context.strokeStyle = frame.colour(colour);
  context.lineWidth = 2.5;
  context.strokeRect(left + 1, top + 1, size - 2, size - 2);
  if (size < 18) return;
  context.font = `600 ${Math.min(13, size * 0.42)}px ${frame.colour("--font")}`;
  const width = context.measureText(sign).width + 6, height = Math.min(17, size * 0.55);
  context.fillStyle = frame.colour(colour);
  context.fillRect(left, top, width, height);
  context.fillStyle = frame.colour("--ground");
  context.textBaseline = "middle";
  context.fillText(sign, left + 3, top + height / 2 + 0.5);
}
