// A layer switched in place: the map moves to where the samples lie that were looked at, and lights them for a moment.

import { batch, effect } from "@preact/signals";
import type { Place, View } from "../view";
import { type Flow, follow, middle } from "./flows";
import { litOf } from "./lit";

const LIT = 2600; // milliseconds
const NEAR = 1.3; // zoom from which the map looks at a part rather than at all

/** Keep looking at the same samples whenever another layer is chosen. */
export function stayWithSamples(view: View): () => void {
  let layer = view.layer.peek(), selected = view.selected.peek(), side = view.shownSide.peek(), timer = 0;
  const moved = (flow: Flow, chosen: boolean) => {
    const at = middle(flow), first = { side: flow.side, column: flow.column[0]!, row: flow.row[0]! };
    if (!at) return;
    batch(() => {
      if (chosen) view.selected.value = first;
      if (view.camera.peek().zoom > NEAR) view.camera.value = { ...view.camera.peek(), ...at };
      litOf(view).value = flow;
    });
    clearTimeout(timer);
    timer = window.setTimeout(() => { if (litOf(view).peek() === flow) litOf(view).value = null; }, LIT);
  };
  const end = effect(() => {
    const now = view.layer.value, chosen = view.selected.value, shown = view.shownSide.value;
    if (now === layer) {
      [selected, side] = [chosen, shown];
      return;
    }
    const place = selected ?? inTheMiddle(view, side), to = view.layerShown.peek(), was = layer, followed = selected !== null;
    layer = now;
    if (!view.source.live || !place || !to || (!followed && view.camera.peek().zoom <= NEAR)) return;
    follow(view.source, was, place, now, to.levels.map((level) => level.side), shown || side).then(
      (flow) => { if (view.layer.peek() === now && view.selected.peek() === chosen) moved(flow, followed); }, // nobody chose meanwhile
      () => null,
    );
  });
  return () => { clearTimeout(timer); end(); };
}

function inTheMiddle(view: View, side: number): Place | null {
  const { x, y } = view.camera.peek();
  if (!side) return null;
  const inside = (value: number) => Math.min(side - 1, Math.max(0, Math.floor(value * side)));
  return { side, column: inside(x), row: inside(1 - y) };
}
