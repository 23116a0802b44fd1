// The cell that is chosen, with what is known of it.

import { type Signal, effect, signal } from "@preact/signals";
import type { CellDocument } from "../types";
import { type Place, type View, feature } from "../view";

export interface ShownCell {
  place: Signal<Place | null>;
  /** Null until it is there, and where there is none. */
  cell: Signal<CellDocument | null>;
}

export const shownCell = feature((view: View): ShownCell => {
  const place = view.selected, cell = signal<CellDocument | null>(null);
  let asked = {};
  effect(() => {
    const at = place.value, layer = view.layer.value, mine = (asked = {});
    view.looks.value;
    const held = cell.peek();
    if (!at || held?.column !== at.column || held.row !== at.row) cell.value = null;
    if (!at) return;
    view.source.cell(layer, at.side, at.column, at.row).then((found) => { if (mine === asked) cell.value = found; }, () => undefined);
  });
  return { place, cell };
});
