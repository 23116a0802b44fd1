// The map, and where it is asked for a second one beside it that is linked to the first.

import { useEffect } from "preact/hooks";
import { draggingOf, takePictures } from "../images/taking";
import { mapOf } from "../map/map";
import { Stage } from "../map/stage";
import type { View } from "../view";
import { besideOf, canBeside, openBeside } from "./beside";
import { lightFrom, moveTogether } from "./linking";

export function Stages({ view }: { view: View }) {
  const { open, against, together, other } = besideOf(view);
  const shown = open.value && canBeside(view), second = other.value;
  useEffect(() => (shown ? openBeside(view) : undefined), [view, shown, against.value]);
  useEffect(() => (second ? ended(lightFrom(view, second), lightFrom(second, view)) : undefined), [second]);
  useEffect(() => (second && together.value ? moveTogether(view, second) : undefined), [second, together.value]);
  useEffect(() => (second ? keptWhere(view) : undefined), [second]);
  useEffect(() => takePictures(view), [view]);
  return (
    <div class={second ? "stages two" : "stages"}>
      <Stage view={view} />
      {second && <Stage key={`${second.prefix} ${second.atlas.peek().id}`} view={second} />}
      {draggingOf(view).value && <p class="dropping">Drop it anywhere: it is placed on the map</p>}
    </div>
  );
}

/** A map that becomes narrower or wider still shows what it showed. */
function keptWhere(view: View): () => void {
  const camera = view.camera.peek();
  const frame = requestAnimationFrame(() => mapOf(view).value?.flyTo(camera, true));
  return () => {
    cancelAnimationFrame(frame);
    const now = view.camera.peek();
    requestAnimationFrame(() => mapOf(view).value?.flyTo(now, true));
  };
}

function ended(...ends: (() => void)[]): () => void {
  return () => { for (const end of ends) end(); };
}
