// A second map beside the first: another layer of the atlas, the same one elsewhere, or another atlas on the same plane.

import { type Signal, effect, signal } from "@preact/signals";
import { bound, flag, text } from "../address";
import { say } from "../parts/said";
import { ServiceSource, type Source } from "../source";
import type { Atlas } from "../types";
import { View, feature } from "../view";
import { kinsOf } from "./kin";

interface Beside {
  /** Whether there is a second map. */
  open: Signal<boolean>;
  /** The atlas of the second map; empty for the same one. */
  against: Signal<string>;
  /** Whether both look at the same part. */
  together: Signal<boolean>;
  /** The second map, null while there is none. */
  other: Signal<View | null>;
}

/** The second map of a view. */
export const besideOf = feature((view: View): Beside => {
  const open = signal(false), together = signal(true), other = signal<View | null>(null);
  bound(view, "beside", open, flag());
  const against = signal("");
  bound(view, "against", against, { ...text(""), parse: (it) => (/^[0-9a-f]{16,64}$/.test(it) ? it : undefined) });
  bound(view, "together", together, flag(true));
  return { open, against, together, other };
});

/** Of a second map, the view that it stands beside; null of a first. */
export const firstOf = feature((_: View) => signal<View | null>(null));

/** Whether a view has a layer that could stand beside it. */
export function canBeside(view: View): boolean {
  if (!view.source.live || view.prefix) return false;
  const ready = view.atlas.value.layers.filter((layer) => layer.levels.some((level) => level.ready));
  return ready.length > 1 || (ready.length > 0 && (kinsOf(view).value.length > 0 || besideOf(view).against.value !== ""));
}

/** Make the second map of a view; what it returns takes it away. */
export function openBeside(view: View): () => void {
  const id = besideOf(view).against.peek();
  let close: (() => void) | null = null, gone = false;
  if (!id || id === view.atlas.peek().id) return shown(view, view.source, view.atlas.peek(), nextTo(view));
  const source = new ServiceSource(id), layer = view.layer.peek();
  source.refresh().then(
    (atlas) => { if (!gone) close = shown(view, source, atlas, atlas.layers.some(({ name }) => name === layer) ? layer : atlas.layers.at(-1)?.name ?? ""); },
    (error: Error) => { say(`The other atlas cannot be shown: ${error.message}`); besideOf(view).against.value = ""; },
  );
  return () => { gone = true; close?.(); };
}

// What the layer is made of, where there is such.
function nextTo(view: View): string {
  const ready = view.levels.peek().length ? view.atlas.peek().layers.filter((layer) => layer.levels.some((level) => level.ready)) : [];
  const own = ready.findIndex((layer) => layer.name === view.layer.peek());
  return (ready[own - 1] ?? ready[own + 1])?.name ?? view.layer.peek();
}

function shown(view: View, source: Source, atlas: Atlas, layer: string): () => void {
  const other = new View(source, atlas, "b.");
  firstOf(other).value = view;
  other.layer.value = layer;
  other.camera.value = view.camera.peek();
  other.side.value = view.side.peek();
  const ends = [
    bound(other, "layer", other.layer, text(layer)),
    ...(source === view.source ? [effect(() => { other.atlas.value = view.atlas.value; })] : []),
  ];
  besideOf(view).other.value = other;
  return () => {
    besideOf(view).other.value = null;
    for (const end of ends) end();
    other.close();
  };
}
