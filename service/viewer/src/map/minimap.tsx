// The whole map in small, with the part in view; dragging moves it.

import { effect } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { View } from "../view";
import { type AtlasMap, mapOf } from "./map";

const SIDE = 112; // CSS pixels

export function Minimap({ view }: { view: View }) {
  const map = mapOf(view).value, picture = useRef<HTMLCanvasElement>(null), frame = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!map) return undefined;
    const end = effect(() => { map.levels.paints.value; view.cells.value; if (picture.current) draw(picture.current, map); });
    const follow = effect(() => { if (frame.current) place(frame.current, map); }); // effects end a while after what they draw on
    return () => { end(); follow(); };
  }, [map]);
  if (!map) return null;
  const move = (event: PointerEvent) => {
    if (event.type === "pointermove" && !event.buttons) return;
    const box = picture.current!.getBoundingClientRect();
    if (event.type === "pointerdown") (event.currentTarget as HTMLElement).setPointerCapture(event.pointerId);
    map.flyTo({ x: (event.clientX - box.left) / box.width, y: 1 - (event.clientY - box.top) / box.height }, true);
  };
  return (
    <div class={`float minimap${view.camera.value.zoom > 1.02 ? "" : " whole"}`} onPointerDown={move} onPointerMove={move} aria-hidden="true" title="The whole map; drag to move">
      <canvas ref={picture} width={SIDE * 2} height={SIDE * 2} />
      <div class="reticle" ref={frame} />
    </div>
  );
}

function draw(canvas: HTMLCanvasElement, map: AtlasMap): void {
  const context = canvas.getContext("2d")!;
  context.clearRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingQuality = "high";
  map.levels.drawSmall(context, canvas.width);
}

// The part in view, held inside the map.
function place(frame: HTMLElement, map: AtlasMap): void {
  const { x, y, zoom } = map.view.camera.value, room = map.viewer.viewport.getContainerSize(), size = map.home * zoom;
  const ends = (middle: number, reach: number) => [Math.max(0, middle - reach), Math.min(1, middle + reach)] as const;
  const [left, right] = ends(x, room.x / size / 2), [top, bottom] = ends(1 - y, room.y / size / 2);
  const percent = (share: number) => `${100 * share}%`;
  Object.assign(frame.style, { left: percent(left), top: percent(top), width: percent(Math.max(0.03, right - left)), height: percent(Math.max(0.03, bottom - top)) });
}
