// What stands beside the map, a tab each; below it on a narrow screen.

import { signal } from "@preact/signals";
import type { ComponentType } from "preact";
import { bound, text } from "../address";
import { type View, feature } from "../view";
import { Details } from "./details";

export interface Panel {
  /** Also its name in the address. */
  id: string;
  title: string;
  available(view: View): boolean;
  component: ComponentType<{ view: View }>;
}

/** The panel that is open, empty for the first. */
export const panelOf = feature((view: View) => {
  const open = signal("");
  bound(view, "panel", open, text(""));
  return open;
});

export const PANELS: Panel[] = [
  { id: "details", title: "Details", available: () => true, component: Details },
];
