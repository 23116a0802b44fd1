// A dot in the corner of an icon that is under a gate, as on posters; where cells are large enough to see it.

import { effect, signal } from "@preact/signals";
import { TILE_SIDE } from "../source";
import type { CellDocument } from "../types";
import { type View, feature } from "../view";
import type { Attach } from "./attachments";
import { displayOf } from "./display";

const LEAST = 24; // CSS pixels of a cell
const LARGEST = 8; // pixels of a dot's radius, however large a cell is

/** The cells of the shown level's tiles as they were asked for, by tile. */
export const documentsOf = feature((_: View) => signal<ReadonlyMap<string, CellDocument[]>>(new Map()));

export const attachMarks: Attach = (map) => {
  const { view } = map, documents = documentsOf(view), asked = new Set<string>();
  const ask = (x: number, y: number) => {
    const layer = view.layer.peek(), side = view.shownSide.peek(), key = `${layer} ${side} ${x} ${y}`;
    if (asked.has(key)) return;
    asked.add(key);
    view.source.cellsOfTile(layer, side, x, y).then(
      (cells) => { documents.value = new Map(documents.peek()).set(key, cells); },
      () => asked.delete(key), // asked again with the next look
    );
  };
  const off = map.addOverlay({
    order: 20,
    draw(context, frame) {
      const cells = view.cells.peek();
      if (frame.cellSize < LEAST || !cells || view.atlas.peek().seeded === null || displayOf(view).shown.peek() === "points") return;
      const { left, top, right, bottom } = frame.visible, tile = (cell: number) => Math.floor(cell / TILE_SIDE);
      for (let y = tile(top); y <= tile(bottom); y++) {
        for (let x = tile(left); x <= tile(right); x++) {
          ask(x, y);
          for (const cell of documents.peek().get(`${cells.layer} ${cells.side} ${x} ${y}`) ?? []) {
            if (cell.icon?.marks?.length) dot(context, ...frame.cellBox(cell.column, cell.row), frame.colour("--dot"));
          }
        }
      }
    },
  });
  const ends = [
    effect(() => { documents.value; map.redraw(); }),
    effect(() => { if (view.looks.value) asked.clear(); }),
  ];
  return () => { off(); for (const end of ends) end(); };
};

function dot(context: CanvasRenderingContext2D, left: number, top: number, size: number, colour: string): void {
  const radius = Math.min(LARGEST, Math.max(3.5, size * 0.075)), inset = Math.min(size * 0.04, size * 0.015 + LARGEST / 2) + radius;
  context.beginPath();
  context.arc(left + size - inset, top + inset, radius * 0.84, 0, 2 * Math.PI);
  context.fillStyle = colour;
  context.fill();
  context.lineWidth = radius * 0.32;
  context.strokeStyle = "#fff";
  context.stroke();
}
