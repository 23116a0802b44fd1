// What is missing on the map, said in its middle.

import type { View } from "../view";

export function waitingFor(view: View): string | null {
  const running = view.running.value, cells = view.cells.value;
  if (!view.levels.value.length) return running ? "The first level appears here as soon as its cells are known." : "No level was finished.";
  if (cells && cells.length === 0) return "This level has no cell with enough samples.";
  return view.problem.value && !cells ? view.problem.value.message : null;
}
