// Painting a tile: its icons on the map's ground, or where there are none its counts.

import { TILE_SIDE } from "../source";
import type { Cells } from "../view";

export interface Style {
  ground: string;
  /** Colour of cells without a picture. */
  ink: string;
  /** Least shade of such a cell, and what the fullest has above it; null leaves them out. */
  shades: [number, number] | null;
  /** Side of a cell's icon by its number of samples, 0 to 1 of the cell's. */
  scale: (count: number) => number;
}

const LARGE = 128; // pixels of a cell that small icons and counts are painted with, so that their edges are sharp
const GAP = 0.03; // share of a cell's side that is left free between icons

/**
 * Paint a tile.
 *
 * @param picture Its icons side by side; null where they are not there.
 * @param pixels Of a cell on the screen.
 */
export function paintTile(context: CanvasRenderingContext2D, picture: ImageBitmap | null, cells: Cells, x: number, y: number, pixels: number, style: Style): void {
  const across = Math.min(TILE_SIDE, cells.side - x * TILE_SIDE), down = Math.min(TILE_SIDE, cells.side - y * TILE_SIDE);
  const { canvas } = context, had = picture ? picture.width / across : 0;
  const size = Math.max(had, Math.min(pixels, LARGE));
  const [width, height] = [Math.round(size * across), Math.round(size * down)];
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  context.clearRect(0, 0, width, height);
  context.imageSmoothingQuality = "high";
  let filled = 0;
  for (let row = 0; row < down; row++) {
    for (let column = 0; column < across; column++) {
      const n = cells.at(x * TILE_SIDE + column, y * TILE_SIDE + row);
      if (n < 0) continue;
      if (!filled++ && (picture || style.shades)) ground(context, style);
      const count = cells.count[n]!, side = size * style.scale(count) * (1 - GAP), inset = (size - side) / 2;
      const [left, top] = [column * size + inset, row * size + inset];
      if (picture) {
        const inside = inset / size <= GAP / 2 + 1e-9 ? (had * GAP) / 2 : 0; // at full size only the gap is cut off
        context.drawImage(picture, column * had + inside, row * had + inside, had - 2 * inside, had - 2 * inside, left, top, side, side);
      } else if (style.shades) {
        const [least, more] = style.shades;
        context.globalAlpha = least + more * Math.sqrt(count / cells.most);
        context.fillStyle = style.ink;
        context.fillRect(left, top, side, side);
        context.globalAlpha = 1;
      }
    }
  }
  if (!filled) ground(context, style); // nothing of a coarser level may show through where there is nothing
}

function ground(context: CanvasRenderingContext2D, style: Style): void {
  context.fillStyle = style.ground;
  context.fillRect(0, 0, context.canvas.width, context.canvas.height);
}
