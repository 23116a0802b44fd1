// The icon of a cell in large, cut from its tile.

import { useEffect, useRef } from "preact/hooks";
import { picture } from "../api";
import { TILE_SIDE } from "../source";
import type { Place, View } from "../view";

const KEPT = 6; // decoded tiles
const tiles = new Map<string, Promise<ImageBitmap>>();

function decoded(url: string): Promise<ImageBitmap> {
  const found = tiles.get(url) ?? picture(url).then((found) => createImageBitmap(found!));
  tiles.delete(url);
  tiles.set(url, found);
  found.catch(() => tiles.delete(url));
  if (tiles.size > KEPT) tiles.delete(tiles.keys().next().value!);
  return found;
}

interface Props { view: View; place: Place; layer?: string; pixels?: number; label?: string }

/** @param props `layer` is the shown one by default; `pixels` a side that are drawn. */
export function CellIcon({ view, place, layer = view.layer.value, pixels = 320, label = "Icon of the cell" }: Props) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const { side, column, row } = place, x = Math.floor(column / TILE_SIDE), y = Math.floor(row / TILE_SIDE);
  view.looks.value; // another picture may be there
  const url = view.source.tile(layer, side, x, y)?.url;
  useEffect(() => {
    let gone = false;
    const context = canvas.current!.getContext("2d")!;
    if (!url) context.clearRect(0, 0, pixels, pixels);
    else decoded(url).then((tile) => {
      if (gone) return;
      const size = tile.width / Math.min(TILE_SIDE, side - x * TILE_SIDE);
      context.clearRect(0, 0, pixels, pixels);
      context.imageSmoothingQuality = "high";
      context.drawImage(tile, (column % TILE_SIDE) * size, (row % TILE_SIDE) * size, size, size, 0, 0, pixels, pixels);
    }, () => undefined);
    return () => { gone = true; };
  }, [url, side, column, row, pixels]);
  return <canvas class="cell-icon" ref={canvas} width={pixels} height={pixels} role={label ? "img" : undefined} aria-label={label || undefined} aria-hidden={label ? undefined : "true"} />;
}
