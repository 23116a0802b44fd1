// Names on a half of a coupled map: each class where most of its images lie together, the larger ones first.

import type { Frame } from "../map/map";
import type { Coupled } from "./coupled";
import type { Which } from "./told";

const LEAST = 0.4; // share of a cell's images that must be of the class that it is named after
const SIZE = 13, GAP = 4; // CSS pixels

export interface Name { text: string; x: number; y: number; images: number }

/** The classes of a half, each at the fullest of its cells. */
export function named({ half, side }: Coupled, which: Which): Name[] {
  const { cells } = half[which], best = new Map<string, Name>();
  cells.common.forEach((text, n) => {
    const images = cells.images[n]! * cells.share[n]!;
    if (text === null || cells.share[n]! < LEAST || images <= (best.get(text)?.images ?? 0)) return;
    best.set(text, { text: text.split(", ")[0]!, x: (cells.column[n]! + 0.5) / side, y: 1 - (cells.row[n]! + 0.5) / side, images });
  });
  return [...best.values()].sort((a, b) => b.images - a.images);
}

/** Write names so that none lies over another. */
export function writeNames(context: CanvasRenderingContext2D, frame: Frame, names: readonly Name[]): void {
  const taken: [left: number, top: number, right: number, bottom: number][] = [];
  context.font = `600 ${SIZE}px ${frame.colour("--font")}`;
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.lineJoin = "round";
  context.lineWidth = 3.5;
  context.strokeStyle = frame.colour("--map");
  context.fillStyle = frame.colour("--ink");
  for (const { text, x, y } of names) {
    const [place, py] = frame.toScreen(x, y), half = context.measureText(text).width / 2 + GAP;
    const px = place < 0 || place > frame.width ? place : Math.min(frame.width - half, Math.max(half, place));
    const box = [px - half, py - SIZE / 2 - GAP, px + half, py + SIZE / 2 + GAP] as const;
    if (taken.some(([left, top, right, bottom]) => box[0] < right && box[2] > left && box[1] < bottom && box[3] > top)) continue;
    taken.push([...box]);
    context.strokeText(text, px, py);
    context.fillText(text, px, py);
  }
}
