// Pictures come by dropping them anywhere, or by pasting.

import { type Signal, signal } from "@preact/signals";
import { panelOf } from "../panels/open";
import { type View, feature } from "../view";
import { canPlace, landingsOf } from "./landings";

/** Whether something is being dragged over the page. */
export const draggingOf = feature((_: View): Signal<boolean> => signal(false));

export const PANEL = "images";

/** Place pictures and show where they land. */
export function take(view: View, files: Iterable<File>): void {
  panelOf(view).value = PANEL;
  void landingsOf(view).place(files);
}

/** Take what is dropped or pasted on the page; what it returns ends it. */
export function takePictures(view: View): () => void {
  const dragging = draggingOf(view), stop = new AbortController(), { signal } = stop;
  let depth = 0;
  const over = (by: number) => { depth = Math.max(0, depth + by); dragging.value = depth > 0 && canPlace(view); };
  const holds = (event: DragEvent) => event.dataTransfer?.types.includes("Files") ?? false;
  addEventListener("dragenter", (event) => { if (holds(event)) { event.preventDefault(); over(1); } }, { signal });
  addEventListener("dragleave", (event) => { if (holds(event)) over(-1); }, { signal });
  addEventListener("dragover", (event) => { if (holds(event)) event.preventDefault(); }, { signal });
  addEventListener("drop", (event) => {
    if (!holds(event)) return;
    event.preventDefault();
    over(-depth);
    if (canPlace(view) && event.dataTransfer!.files.length) take(view, event.dataTransfer!.files);
  }, { signal });
  addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])].filter((file) => file.type.startsWith("image/"));
    if (!files.length || !canPlace(view)) return;
    event.preventDefault();
    take(view, files);
  }, { signal });
  return () => { stop.abort(); dragging.value = false; };
}
