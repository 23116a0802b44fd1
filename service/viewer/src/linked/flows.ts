// Where the samples of a cell lie at another layer: what links two maps, and what follows a cell through the layers.

import { json } from "../api";
import { ServiceSource, type Source } from "../source";
import type { Place } from "../view";

/** The cells of another layer that hold a cell's samples, the fullest first; `points` are some of their places there. */
export interface Flow {
  layer: string;
  side: number;
  /** Samples of the cell, and those that have a twin at the other layer. */
  samples: number;
  followed: number;
  column: number[];
  row: number[];
  count: number[];
  share: number[];
  points: [x: number, y: number][];
}

const KEPT = 500;
const POINTS = 400;
const kept = new Map<string, Promise<Flow>>();

/** Levels are numbered from the coarsest. */
function numberOf(sides: readonly number[], side: number): number { return Math.max(0, sides.indexOf(side)); }

/**
 * Follow a cell to a level of another layer; asked for once.
 *
 * @param sides Of the other layer's levels, coarse to fine.
 */
export function follow(source: Source, layer: string, { side, column, row }: Place, to: string, sides: readonly number[], toSide: number): Promise<Flow> {
  if (!(source instanceof ServiceSource)) return Promise.reject(new TypeError("only a service can follow samples"));
  const asked = new URLSearchParams({ to, at: String(numberOf(sides, toSide)), points: String(POINTS) });
  const url = `${source.level(layer, side)}/cells/${column}-${row}/flow?${asked}`;
  const found = kept.get(url) ?? json<Flow>(url);
  kept.delete(url);
  kept.set(url, found); // the newest last
  if (kept.size > KEPT) kept.delete(kept.keys().next().value!);
  found.catch(() => kept.delete(url));
  return found;
}

/** The middle of most of a flow's points: the median of each axis; null of none. */
export function middle({ points }: Flow): { x: number; y: number } | null {
  const median = (axis: 0 | 1) => points.map((point) => point[axis]).sort((a, b) => a - b)[points.length >> 1];
  const x = median(0), y = median(1);
  return x === undefined || y === undefined ? null : { x, y };
}

/** The fewest cells that hold half of what could be followed. */
export function half({ share }: Flow): number {
  let sum = 0;
  return 1 + share.findIndex((one) => (sum += one) >= 0.5);
}
