// Whether a cell that is pointed at says what it is beside the pointer.

import { signal } from "@preact/signals";
import { bound, flag } from "../address";
import { type View, feature } from "../view";

export const tipOf = feature((view: View) => {
  const shown = signal(true);
  bound(view, "tip", shown, flag(true));
  return shown;
});
