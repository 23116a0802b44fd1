// Pointing at cells, choosing them, and handing the pointer to the active tool. Dragging and pinching are OpenSeadragon's.

import OpenSeadragon from "openseadragon";
import type { Place } from "../view";
import type { AtlasMap, Pointed, Tool } from "./map";

const same = (a: Place | null, b: Place | null) => a === b || (a !== null && b !== null && a.side === b.side && a.column === b.column && a.row === b.row);

type Pressed = OpenSeadragon.ViewerEvent & { position: OpenSeadragon.Point; originalEvent: PointerEvent; preventDefaultAction?: boolean; quick?: boolean };

/** Listen on a map until the returned function is called. */
export function listenToPointer(map: AtlasMap): () => void {
  const { viewer, view, element } = map;
  let held: Tool | null = null;

  const pointed = (event: Pressed): Pointed => {
    const { x: px, y: py } = event.position, [x, y] = map.toPlane(px, py);
    return { px, py, x, y, event: event.originalEvent };
  };
  const hover = (event: PointerEvent) => {
    const box = element.getBoundingClientRect();
    const place = event.buttons ? null : map.cellAt(event.clientX - box.left, event.clientY - box.top);
    if (!event.buttons && !same(place, view.hovered.peek())) view.hovered.value = place;
  };
  const leave = () => { view.hovered.value = null; };
  const on = (name: string, handler: (event: Pressed) => void) => viewer.addHandler(name as "canvas-press", handler as never);

  on("canvas-press", (event) => {
    element.focus({ preventScroll: true }); // so that the keys are the map's
    held = map.tool.peek() ?? (event.originalEvent.shiftKey ? map.tools.peek().find((tool) => tool.shift) ?? null : null);
    held?.down(pointed(event));
  });
  on("canvas-drag", (event) => {
    if (!held) return;
    event.preventDefaultAction = true;
    held.move(pointed(event));
  });
  on("canvas-drag-end", (event) => { if (held) event.preventDefaultAction = true; });
  on("canvas-release", (event) => {
    const tool = held;
    held = null;
    if (tool && !tool.up(pointed(event)) && map.tool.peek() === tool) map.tool.value = null;
  });
  on("canvas-click", (event) => {
    event.preventDefaultAction = true;
    if (!event.quick || map.tool.peek()) return;
    view.selected.value = map.cellAt(event.position.x, event.position.y);
  });
  element.addEventListener("pointermove", hover);
  element.addEventListener("pointerleave", leave);
  return () => {
    element.removeEventListener("pointermove", hover);
    element.removeEventListener("pointerleave", leave);
  };
}
