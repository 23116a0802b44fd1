// The map by keyboard: arrows walk from cell to cell, + and - zoom, 0 shows all, Escape lets go.

import type { Cells, Place } from "../view";
import type { AtlasMap } from "./map";

export const STEPS: Record<string, [number, number]> = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** The cell nearest to the middle of what is shown. */
export function middle(cells: Cells, column: number, row: number): Place | null {
  return nearest(cells, (n) => (cells.column[n]! - column) ** 2 + (cells.row[n]! - row) ** 2);
}

/** The nearest cell in a direction, those straight ahead first. */
export function step(cells: Cells, from: Place, [dx, dy]: [number, number]): Place | null {
  return nearest(cells, (n) => {
    const across = cells.column[n]! - from.column, down = cells.row[n]! - from.row;
    const ahead = across * dx + down * dy, aside = Math.abs(across * dy) + Math.abs(down * dx);
    return ahead > 0 ? ahead + 3 * aside : Infinity;
  });
}

function nearest(cells: Cells, far: (n: number) => number): Place | null {
  let best = -1, least = Infinity;
  for (let n = 0; n < cells.length; n++) {
    const distance = far(n);
    if (distance < least) [best, least] = [n, distance];
  }
  return best < 0 ? null : { side: cells.side, column: cells.column[best]!, row: cells.row[best]! };
}

/** Bring a cell into view if it is not. */
export function reveal(map: AtlasMap, { side, column, row }: Place): void {
  const { zoom, x, y } = map.view.camera.peek(), size = map.home * zoom;
  const bounds = map.viewer.viewport.getContainerSize();
  const within = (at: number, place: number, room: number) => {
    const reach = Math.max(0, room / 2 / size - 0.75 / side);
    return Math.min(place + reach, Math.max(place - reach, at));
  };
  const wanted = { x: within(x, (column + 0.5) / side, bounds.x), y: within(y, 1 - (row + 0.5) / side, bounds.y) };
  if (zoom > 1 && (wanted.x !== x || wanted.y !== y)) map.flyTo(wanted);
}

/** Listen on a map until the returned function is called. */
export function listenToKeys(map: AtlasMap): () => void {
  const { element, view } = map;
  const walk = (by: [number, number]) => {
    const cells = view.cells.peek(), from = view.selected.peek(), { x, y } = view.camera.peek();
    if (!cells) return;
    const next = from?.side === cells.side ? step(cells, from, by) ?? from : middle(cells, x * cells.side - 0.5, (1 - y) * cells.side - 0.5);
    view.selected.value = next;
    if (next) reveal(map, next);
  };
  const key = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey && event.key in STEPS) return;
    const by = STEPS[event.key];
    if (by) walk(by);
    else if (event.key === "+" || event.key === "=") map.zoomBy(1.4);
    else if (event.key === "-") map.zoomBy(1 / 1.4);
    else if (event.key === "0") map.showAll();
    else if (event.key === "Escape") map.letGo();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  // From the buttons that lie on the map Escape lets go, too.
  const ground = element.closest<HTMLElement>(".ground");
  const escape = (event: KeyboardEvent) => { if (event.key === "Escape" && !event.defaultPrevented) key(event); };
  element.addEventListener("keydown", key);
  ground?.addEventListener("keydown", escape);
  return () => {
    element.removeEventListener("keydown", key);
    ground?.removeEventListener("keydown", escape);
  };
}
