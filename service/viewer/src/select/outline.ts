// Lines drawn by hand, made simple: Douglas and Peucker's way.

import type { Pointed } from "../map/map";

type Point = [x: number, y: number];

function away([x, y]: Point, [x0, y0]: Point, [x1, y1]: Point): number {
  const length = Math.hypot(x1 - x0, y1 - y0);
  return length ? Math.abs((x1 - x0) * (y0 - y) - (x0 - x) * (y1 - y0)) / length : Math.hypot(x - x0, y - y0);
}

/** A line without the points that lie within a tolerance of what is left. */
export function simplified(line: Point[], tolerance: number): Point[] {
  if (line.length < 3) return line;
  const first = line[0]!, last = line.at(-1)!;
  let far = 0, at = 0;
  for (let n = 1; n < line.length - 1; n++) {
    const distance = away(line[n]!, first, last);
    if (distance > far) [far, at] = [distance, n];
  }
  if (far <= tolerance) return [first, last];
  return [...simplified(line.slice(0, at + 1), tolerance).slice(0, -1), ...simplified(line.slice(at), tolerance)];
}

/** The same with so many points at most, as near to the line as that allows. */
export function atMost(line: Point[], most: number, tolerance: number): Point[] {
  let found = simplified(line, tolerance);
  while (found.length > most) found = simplified(line, (tolerance *= 1.6));
  return found;
}

const inside = (value: number): number => Math.min(1, Math.max(0, value));

/** What is drawn between pressing and letting go. */
export class Stroke {
  /** In the plane, held inside the map. */
  drawn: Point[] = [];
  /** CSS pixels that it went from where it began. */
  far = 0;
  private from: Pointed | null = null;

  begin(at: Pointed): void { [this.drawn, this.far, this.from] = [[[inside(at.x), inside(at.y)]], 0, at]; }

  /** Whether it goes on to there: not where nothing was begun. */
  go(at: Pointed): boolean {
    if (!this.from) return false;
    this.drawn.push([inside(at.x), inside(at.y)]);
    this.far = Math.max(this.far, Math.hypot(at.px - this.from.px, at.py - this.from.py));
    return true;
  }

  end(): void { this.from = null; }
}
