// A cell and a camera in the address.

import type { Codec } from "../address";
import { type Camera, type Place, WHOLE } from "../view";

/** @param side Of a cell whose address does not say. */
export const placeCodec = (side: () => number | null): Codec<Place | null> => ({
  parse(text) {
    const [column, row, own = side()] = text.split("-").map(Number);
    return [column, row, own].every(Number.isInteger) ? { side: own!, column: column!, row: row! } : undefined;
  },
  format: (cell) => cell && `${cell.column}-${cell.row}-${cell.side}`,
  fallback: null,
});

export const cameraCodec: Codec<Camera> = {
  parse(text) {
    const [x, y, zoom] = text.split(",").map(Number);
    return [x, y, zoom].every(Number.isFinite) && zoom! >= 1 ? { x: x!, y: y!, zoom: zoom! } : undefined;
  },
  format: ({ x, y, zoom }) => [x, y, zoom].map((it) => Number(it.toFixed(4))).join(","),
  fallback: WHOLE,
};
