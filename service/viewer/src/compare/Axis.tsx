// What left and right mean on a comparison, below the map, where it hides no icon.

import type { View } from "../view";
import { axisOf } from "./classes";

export function Axis({ view }: { view: View }) {
  const axis = axisOf(view);
  return axis && <p class="axis" aria-label="What left and right mean, in logits" role="group">{axis.map((text, n) => <span key={n}>{text}</span>)}</p>;
}
