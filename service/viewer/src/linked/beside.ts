// A second map of the same atlas beside the first: another layer, or the same one elsewhere.

import { type Signal, effect, signal } from "@preact/signals";
import { bound, flag, text } from "../address";
import { View, feature } from "../view";

interface Beside {
  /** Whether there is a second map. */
  open: Signal<boolean>;
  /** Whether both look at the same part. */
  together: Signal<boolean>;
  /** The second map, null while there is none. */
  other: Signal<View | null>;
}

/** The second map of a view. */
export const besideOf = feature((view: View): Beside => {
  const open = signal(false), together = signal(true), other = signal<View | null>(null);
  bound(view, "beside", open, flag());
  bound(view, "together", together, flag(true));
  return { open, together, other };
});

/** Of a second map, the view that it stands beside; null of a first. */
export const firstOf = feature((_: View) => signal<View | null>(null));

/** Whether a view has a layer that could stand beside it. */
export function canBeside(view: View): boolean {
  return view.source.live && view.prefix === "" && view.atlas.value.layers.filter((layer) => layer.levels.some((level) => level.ready)).length > 1;
}

/** Make the second map of a view; what it returns takes it away. */
export function openBeside(view: View): () => void {
  const other = new View(view.source, view.atlas.peek(), "b.");
  firstOf(other).value = view;
  const ready = view.levels.peek().length ? view.atlas.peek().layers.filter((layer) => layer.levels.some((level) => level.ready)) : [];
  const own = ready.findIndex((layer) => layer.name === view.layer.peek());
  const next = (ready[own - 1] ?? ready[own + 1])?.name ?? view.layer.peek(); // what the layer is made of, where there is such
  other.layer.value = next;
  other.camera.value = view.camera.peek();
  other.side.value = view.side.peek();
  const ends = [
    bound(other, "layer", other.layer, text(next)),
    effect(() => { other.atlas.value = view.atlas.value; }),
  ];
  besideOf(view).other.value = other;
  return () => {
    besideOf(view).other.value = null;
    for (const end of ends) end();
    other.close();
  };
}
