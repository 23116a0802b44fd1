// The layer's samples as points: with WebGL where there are many, pixel by pixel where no card draws it.

import { effect, signal } from "@preact/signals";
import { Problem } from "../api";
import type { Points } from "../source";
import { type View, feature } from "../view";
import type { Attach } from "./attachments";
import { displayOf } from "./display";
import { GlPoints } from "./glpoints";
import type { AtlasMap, Frame } from "./map";

export const MANY = 30_000; // points from which on WebGL draws them

/** The shown layer's points once they are asked for; a problem where there are none. */
export const pointsOf = feature((view: View) => {
  const points = signal<Points | Problem | null>(null);
  effect(() => {
    const layer = view.layer.value, wanted = displayOf(view).shown.value === "points";
    const held = points.peek();
    if (!wanted || (held && !(held instanceof Problem) && held.layer === layer)) return;
    points.value = null;
    view.source.points(layer).then(
      (found) => { if (view.layer.peek() === layer) points.value = found ?? new Problem(404, "The points of this atlas are not kept here."); },
      (error: Problem) => { points.value = error; },
    );
  });
  return points;
});

/** Side of a point in CSS pixels: larger where there are few, and where the map is near. */
export function pointSize(count: number, zoom: number): number {
  return Math.min(7, Math.max(1.4, 70 / Math.sqrt(count)) * Math.sqrt(zoom));
}

export const attachPoints: Attach = (map) => {
  const { view } = map, points = pointsOf(view), { shown } = displayOf(view);
  let gl: GlPoints | null | undefined;
  const off = map.addOverlay({
    order: 30,
    draw(context, frame) {
      const found = points.peek();
      const visible = shown.peek() === "points" && found !== null && !(found instanceof Problem);
      if (visible && found.count > MANY && gl === undefined) gl = GlPoints.beneath(context.canvas);
      gl?.show(visible);
      if (!visible) return;
      const size = pointSize(found.count, view.camera.peek().zoom), colours = [frame.colour("--ink"), frame.colour("--dot")];
      if (gl && found.count > MANY) gl.draw(found, frame, map.square, size, colours);
      else if (found.count > MANY) splat(context, frame, map, found, size, colours);
      else dots(context, frame, map, found, size, colours);
    },
  });
  const end = effect(() => { points.value; shown.value; map.redraw(); });
  return () => { off(); end(); gl?.close(); };
};

function dots(context: CanvasRenderingContext2D, frame: Frame, map: AtlasMap, { count, places, right }: Points, size: number, colours: string[]): void {
  const { left, top, size: whole } = map.square, half = size / 2;
  context.globalAlpha = 0.6;
  for (const wrong of [false, true]) {
    context.fillStyle = colours[wrong ? 1 : 0]!;
    for (let n = 0; n < count; n++) {
      if ((right[n] === 0) !== wrong) continue;
      const x = left + places[2 * n]! * whole, y = top + (1 - places[2 * n + 1]!) * whole;
      if (x > -size && y > -size && x < frame.width + size && y < frame.height + size) context.fillRect(x - half, y - half, size, size);
    }
  }
}

// A hundred thousand rectangles take a canvas too long; their pixels do not.
function splat(context: CanvasRenderingContext2D, frame: Frame, map: AtlasMap, { count, places, right }: Points, size: number, colours: string[]): void {
  const { width, height } = context.canvas, { left, top, size: whole } = map.square, ratio = frame.pixelRatio;
  const image = context.createImageData(width, height), pixels = new Uint32Array(image.data.buffer);
  const [plain, wrong] = colours.map(packed), side = Math.max(1, Math.round(size * ratio)), before = side >> 1;
  for (let n = 0; n < count; n++) {
    const x = Math.round((left + places[2 * n]! * whole) * ratio) - before, y = Math.round((top + (1 - places[2 * n + 1]!) * whole) * ratio) - before;
    if (x < 0 || y < 0 || x + side > width || y + side > height) continue;
    const colour = right[n] === 0 ? wrong! : plain!;
    for (let row = y * width + x, last = row + side * width; row < last; row += width) pixels.fill(colour, row, row + side);
  }
  context.putImageData(image, 0, 0);
}

function packed(colour: string): number {
  const value = Number.parseInt(colour.slice(1), 16);
  return ((200 << 24) | ((value & 255) << 16) | (value & 0xff00) | (value >> 16)) >>> 0;
}
