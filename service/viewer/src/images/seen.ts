// What of a picture the network sees, and where a layer's positions lie on it.

import type { ModelInput, Position } from "../types";

export interface Part { left: number; top: number; width: number; height: number }

/** The part of a picture that the network sees, by the model's card, in the picture's pixels. */
export function seen(width: number, height: number, input: ModelInput | undefined): Part {
  if (input?.crop !== "center") return { left: 0, top: 0, width, height };
  const scale = input.resize ? input.resize / Math.min(width, height) : 1;
  const across = Math.min(width, input.width / scale), down = Math.min(height, input.height / scale);
  return { left: (width - across) / 2, top: (height - down) / 2, width: across, height: down };
}

/** The square of the canvas that stands for a position: halfway to those beside it. */
export type Square = (position: Position) => [left: number, top: number, width: number, height: number];

/** Squares of positions that are spread over a grid of so many rows and columns, on a canvas. */
export function squares(positions: readonly Position[], [rows, columns]: readonly [number, number], width: number, height: number): Square {
  const bounds = (values: number[], length: number) => {
    const sorted = [...new Set(values)].sort((a, b) => a - b), ends = new Map<number, [number, number]>();
    sorted.forEach((value, n) => {
      const before = n ? (sorted[n - 1]! + value) / 2 : value - ((sorted[n + 1] ?? value + 1) - value) / 2;
      const after = n + 1 < sorted.length ? (sorted[n + 1]! + value) / 2 : value + (value - (sorted[n - 1] ?? value - 1)) / 2;
      ends.set(value, [Math.max(0, before + 0.5) / length, Math.min(length, after + 0.5) / length]);
    });
    return ends;
  };
  const down = bounds(positions.map(({ row }) => row), rows), across = bounds(positions.map(({ column }) => column), columns);
  return ({ row, column }) => {
    const [top, bottom] = down.get(row) ?? [0, 0], [left, right] = across.get(column) ?? [0, 0];
    return [left * width, top * height, (right - left) * width, (bottom - top) * height];
  };
}
