// The names of a layer's regions, and whether they are on the map.

import { type Signal, effect, signal } from "@preact/signals";
import { bound, flag } from "../address";
import { Problem } from "../api";
import { type View, feature } from "../view";

export const RANKS = ["country", "province", "town"] as const;
export type Rank = (typeof RANKS)[number];

/** What a region is called: a class, or the word with which the names of several end. */
export interface PlaceName {
  rank: Rank;
  /** Of its region, in sides of the map. */
  width: number;
  name: string;
  classes: number[];
  x: number;
  y: number;
  samples: number;
  images: number;
  /** Of what is said in the region. */
  share: number;
  /** How much oftener it is said there than everywhere, as pointwise mutual information. */
  bits: number;
}

export interface Names {
  shown: Signal<boolean>;
  /** Of the layer that is shown, the surest of each rank first; empty where there are none, and until they are there. */
  list: Signal<PlaceName[]>;
}

export const namesOf = feature((view: View): Names => {
  const shown = signal(true), list = signal<PlaceName[]>([]), kept = new Map<string, PlaceName[]>();
  bound(view, "names", shown, flag(true));
  effect(() => {
    const layer = view.layer.value;
    const known = attributed(view); // they wait for that
    if (!kept.has(layer)) view.looks.value;
    list.value = kept.get(layer) ?? [];
    if (!layer || !known || kept.has(layer)) return;
    view.source.names(layer).then(
      (found) => {
        if (!found.length && view.running.peek()) return; // they are not known yet
        kept.set(layer, found);
        if (view.layer.peek() === layer) list.value = found;
      },
      (error: unknown) => { if (error instanceof Problem && error.status === 422) kept.set(layer, []); }, // nothing has a name
    );
  });
  return { shown, list };
});

function attributed(view: View): boolean {
  const { attribute, cells } = view.atlas.value.progress;
  return !view.running.value || ((attribute?.fraction ?? 1) === 1 && cells?.fraction === 1);
}
