// How a map is drawn: icons or points, and icons sized by how many samples they stand for.

import { signal } from "@preact/signals";
import { bound, choice, maybe, number } from "../address";
import { type View, feature } from "../view";

export const SHOWN = ["icons", "points"] as const;
export type Shown = (typeof SHOWN)[number];

export const displayOf = feature((view: View) => {
  const shown = signal<Shown>("icons"), density = signal<number | null>(null);
  bound(view, "show", shown, choice(SHOWN, "icons"));
  bound(view, "density", density, maybe(number(0, 2)));
  return {
    shown,
    /** Null: every icon fills its cell. Else its area is this many times its count over the mean of a level's squares. */
    density,
  };
});
