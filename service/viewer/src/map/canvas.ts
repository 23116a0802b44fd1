// The canvas above the tiles, on which overlays are drawn whenever the map moved or something changed.

import { dark, onColours } from "../frame/theme";
import type { AtlasMap, Frame, Overlay } from "./map";

export class Canvas {
  private readonly canvas = document.createElement("canvas");
  private readonly overlays: Overlay[] = [];
  private pending = 0;
  private colours = new Map<string, string>();
  private readonly end: () => void;

  constructor(private readonly map: AtlasMap) {
    this.canvas.className = "overlays";
    map.viewer.canvas.append(this.canvas);
    this.end = onColours(() => { this.colours.clear(); this.wish(); });
  }

  add(overlay: Overlay): () => void {
    this.overlays.push(overlay);
    this.overlays.sort((a, b) => a.order - b.order);
    this.wish();
    return () => {
      this.overlays.splice(this.overlays.indexOf(overlay), 1);
      this.wish();
    };
  }

  /** Draw in the next frame. */
  wish(): void {
    this.pending ||= requestAnimationFrame(() => this.draw());
  }

  draw(): void {
    cancelAnimationFrame(this.pending);
    this.pending = 0;
    const frame = this.frame(), { canvas } = this;
    const width = Math.round(frame.width * frame.pixelRatio), height = Math.round(frame.height * frame.pixelRatio);
    if (!width || !height) return;
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    const context = canvas.getContext("2d")!;
    context.setTransform(frame.pixelRatio, 0, 0, frame.pixelRatio, 0, 0);
    context.clearRect(0, 0, frame.width, frame.height);
    const { left, top, size } = this.map.square;
    Object.assign(this.map.element.dataset, { left, top, size });
    for (const overlay of this.overlays) {
      context.save();
      overlay.draw(context, frame);
      context.restore();
    }
  }

  close(): void {
    cancelAnimationFrame(this.pending);
    this.end();
  }

  private frame(): Frame {
    const { map } = this, { left, top, size } = map.square, side = map.view.shownSide.peek() || 1;
    const { x: width, y: height } = map.viewer.viewport.getContainerSize();
    const cellSize = size / side, within = (place: number) => Math.min(side - 1, Math.max(0, Math.floor(place)));
    return {
      width, height, side, cellSize, pixelRatio: devicePixelRatio || 1, dark: dark.peek(),
      toScreen: (x, y) => [left + x * size, top + (1 - y) * size],
      cellBox: (column, row) => [left + column * cellSize, top + row * cellSize, cellSize],
      visible: { left: within(-left / cellSize), top: within(-top / cellSize), right: within((width - left) / cellSize), bottom: within((height - top) / cellSize) },
      colour: (name) => this.colour(name),
    };
  }

  private colour(name: string): string {
    const known = this.colours.get(name) ?? getComputedStyle(this.canvas).getPropertyValue(name).trim();
    this.colours.set(name, known);
    return known;
  }
}
