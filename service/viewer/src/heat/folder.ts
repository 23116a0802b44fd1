// Heat maps of a folder of `atlas build`, worked out from its cells and from what lies beside them of every class.

import { enoughSamples } from "../enough";
import type { CellDocument, ClassName } from "../types";
import type { HeatDocument } from "./scale";

const VALUES: Record<string, (cell: CellDocument) => number | null> = {
  count: ({ count }) => count,
  coherence: ({ coherence }) => coherence,
  strongest: ({ classes }) => classes?.[0]?.attribution ?? null,
  fidelity: ({ icon }) => icon?.whitened_cosine ?? null,
};

/** The measures that cells tell. */
export const TOLD = Object.keys(VALUES);

/** The heat map of a measure of `TOLD`, as the service tells it. */
export function heatOfCells(measure: string, layer: string, side: number, cells: readonly CellDocument[]): HeatDocument {
  return heatOfValues(measure, null, layer, side, cells, cells.map(VALUES[measure]!));
}

/** The heat map of a class, from what every cell adds to it. */
export function heatOfClass(of: ClassName, layer: string, side: number, cells: readonly CellDocument[], value: number[]): HeatDocument {
  return heatOfValues("attribution", of, layer, side, cells, value);
}

function heatOfValues(measure: string, of: ClassName | null, layer: string, side: number, cells: readonly CellDocument[], value: (number | null)[]): HeatDocument {
  const count = cells.map((cell) => cell.count), enough = enoughSamples(count);
  const known = value.filter((one, n): one is number => one !== null && count[n]! >= enough);
  const least = known.length ? Math.min(...known) : 0, greatest = known.length ? Math.max(...known) : 0;
  return {
    layer, side, measure, class: of, scale: Math.max(Math.abs(least), Math.abs(greatest)), least, greatest, enough,
    column: cells.map((cell) => cell.column), row: cells.map((cell) => cell.row), count, value,
  };
}
