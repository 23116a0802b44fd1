// Which panel is open; a module of its own, for those that panels open.

import { signal } from "@preact/signals";
import { bound, text } from "../address";
import { type View, feature } from "../view";

/** The panel that is open, empty for the first. */
export const panelOf = feature((view: View) => {
  const open = signal("");
  bound(view, "panel", open, text(""));
  return open;
});
