// Two maps linked: what is pointed at in one is lit in the other, the same samples or, of two atlases on one plane, the same place; both may look at the same part.

import { effect } from "@preact/signals";
import type { View } from "../view";
import { type Flow, follow } from "./flows";
import { litOf } from "./lit";

const PAUSE = 40; // milliseconds that the pointer rests on a cell before it is followed
const ECHO = 450; // milliseconds in which a map that was moved only follows

/** Light in a map the samples of the cell that is pointed at, or else chosen, in another. */
export function lightFrom(from: View, to: View): () => void {
  let timer = 0, asked = 0;
  const end = effect(() => {
    const place = from.hovered.value ?? (to.hovered.value ? null : from.selected.value);
    const layer = from.layer.value, shown = to.layerShown.value, side = to.shownSide.value, own = ++asked;
    clearTimeout(timer);
    if (!place || !shown || !side) {
      litOf(to).value = null;
      return;
    }
    if (from.source !== to.source) { // another atlas on the same plane: the same place, at the same layer
      const { side: cells, column, row } = place;
      litOf(to).value = layer === shown.name ? { side: cells, column: [column], row: [row], share: [1], points: [] } : null;
      return;
    }
    timer = window.setTimeout(() => {
      follow(from.source, layer, place, shown.name, shown.levels.map((level) => level.side), side).then(
        (flow: Flow) => { if (own === asked) litOf(to).value = flow; },
        () => { if (own === asked) litOf(to).value = null; },
      );
    }, PAUSE);
  });
  return () => { asked++; clearTimeout(timer); end(); litOf(to).value = null; };
}

/** Have two maps look at the same part: who moves one moves the other. */
export function moveTogether(one: View, other: View): () => void {
  const quiet = new Map<View, number>();
  const copy = (from: View, to: View) => effect(() => {
    const camera = from.camera.value;
    if ((quiet.get(from) ?? 0) > performance.now()) return; // it only follows
    const there = to.camera.peek();
    if (Math.abs(camera.x - there.x) + Math.abs(camera.y - there.y) + Math.abs(camera.zoom - there.zoom) < 1e-6) return;
    quiet.set(to, performance.now() + ECHO);
    to.camera.value = camera;
  });
  const ends = [copy(one, other), copy(other, one)];
  return () => { for (const end of ends) end(); };
}
