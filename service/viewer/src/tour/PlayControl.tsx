// Plays the tour of a map that has one.

import { Icon } from "../parts/Icon";
import type { View } from "../view";
import { tourOf } from "./tour";

export function PlayControl({ view }: { view: View }) {
  return <button type="button" title="Play the saved places" onClick={() => tourOf(view).play()}><Icon name="play" /> <span class="roomy">Tour</span></button>;
}
