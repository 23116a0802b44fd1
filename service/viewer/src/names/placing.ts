// Which names have room on the map, and where: those of wide regions first, none over another.

import type { PlaceName, Rank } from "./names";

/** How names of a rank are written, and how wide their regions are on the screen, in CSS pixels, while they are. */
export const STYLES: Record<Rank, { pixels: number; weight: number; from: number; to: number }> = {
  country: { pixels: 17, weight: 700, from: 60, to: 900 },
  province: { pixels: 14, weight: 600, from: 95, to: 700 },
  town: { pixels: 12, weight: 600, from: 80, to: Infinity },
};

const NARROW = 560, SMALL = 12; // pixels of a map whose names are small, and of their letters
const SHRUNK = 0.76;

/** Size of the letters of a rank on a map of a width, in CSS pixels. */
export const pixelsOf = (rank: Rank, width: number): number => (width < NARROW ? Math.max(SMALL, STYLES[rank].pixels * SHRUNK) : STYLES[rank].pixels);

export interface Placed { name: PlaceName; lines: string[]; width: number; height: number; /** Of its middle, from the map's left and top. */ x: number; y: number }

const APART = 5; // pixels between two names at least
const BROAD = 120; // pixels beyond which a name of several words is written in two lines
const LINE = 1.15; // height of a line in the size of its letters
const BUCKET = 256;

/** Width of a text in CSS pixels as names of a rank are written. */
export type Measure = (text: string, rank: Rank) => number;

/** A name in one line, or where that would be broad in two that are nearly as long. */
export function linesOf(text: string, rank: Rank, measure: Measure): string[] {
  const words = text.split(" ");
  if (words.length < 2 || measure(text, rank) <= BROAD) return [text];
  const lines = words.slice(1).map((_, n) => [words.slice(0, n + 1).join(" "), words.slice(n + 1).join(" ")]);
  const longer = (pair: string[]) => Math.max(...pair.map((line) => line.length));
  return lines.reduce((best, pair) => (longer(pair) < longer(best) ? pair : best));
}

/**
 * Place names on a map of a size in CSS pixels. What is left out depends on nothing but the size, so that panning changes no name.
 *
 * @param names By rank, the surest first.
 * @param width Of the map's window, in CSS pixels.
 */
export function place(names: readonly PlaceName[], size: number, width: number, measure: Measure): Placed[] {
  const placed: Placed[] = [], buckets = new Map<string, Placed[]>();
  for (const name of names) {
    const { from, to } = STYLES[name.rank], pixels = pixelsOf(name.rank, width), across = name.width * size;
    if (across < from || across > to) continue;
    const lines = linesOf(name.name, name.rank, measure);
    const one: Placed = {
      name, lines, x: name.x * size, y: (1 - name.y) * size,
      width: Math.max(...lines.map((line) => measure(line, name.rank))), height: lines.length * pixels * LINE,
    };
    const places = bucketsOf(one);
    if (places.some((key) => buckets.get(key)?.some((other) => clash(one, other, size)))) continue;
    placed.push(one);
    for (const key of places) buckets.set(key, [...(buckets.get(key) ?? []), one]);
  }
  return placed;
}

// Whether two would touch, or the same is said of a region within a wider one.
function clash(one: Placed, other: Placed, size: number): boolean {
  const across = Math.abs(one.x - other.x), down = Math.abs(one.y - other.y);
  if (one.name.name === other.name.name && one.name.rank !== other.name.rank && Math.max(across, down) < (other.name.width * size) / 2) return true;
  return across < (one.width + other.width) / 2 + APART && down < (one.height + other.height) / 2 + APART;
}

// The squares of the map that a name could meet others in.
function bucketsOf({ x, y, width, height }: Placed): string[] {
  const reach = (middle: number, length: number) => [Math.floor((middle - length / 2 - APART) / BUCKET), Math.floor((middle + length / 2 + APART) / BUCKET)] as const;
  const [left, right] = reach(x, width), [top, bottom] = reach(y, height), found: string[] = [];
  for (let column = left; column <= right; column++) for (let row = top; row <= bottom; row++) found.push(`${column} ${row}`);
  return found;
}
