// A heat map drawn over the map: one pixel a cell, enlarged.

import type { Frame, Overlay } from "../map/map";
import type { Heat, Look, Sign } from "./heat";
import { type HeatDocument, MEASURES, type Palette, colourOf, endsOf, strengthOf, veil } from "./scale";

export function paletteOf(colour: (name: string) => string, measure: string): Palette {
  const against = colourOf(colour("--against")), bad = MEASURES[measure]?.bad;
  return { ground: colourOf(colour("--map")), high: bad ? against : colourOf(colour("--for")), low: against };
}

/** A picture of a heat map, a pixel a cell; where there is no cell it is the map's ground, which hides the rims of icons beside it. */
export function paintHeat(heat: HeatDocument, sign: Sign, look: Look, intensity: number, palette: Palette): HTMLCanvasElement {
  const { side } = heat, ends = endsOf(heat, sign), pixels = new ImageData(side, side);
  for (let at = 0; at < pixels.data.length; at += 4) pixels.data.set([...palette.ground, 255], at);
  for (let n = 0; n < heat.value.length; n++) {
    const value = heat.value[n]!, strength = heat.value[n] === null ? null : strengthOf(heat, value, ends);
    const [red, green, blue, opacity] = veil(strength, look, intensity, palette);
    pixels.data.set([red, green, blue, 255 * opacity], 4 * (heat.row[n]! * side + heat.column[n]!));
  }
  const canvas = Object.assign(document.createElement("canvas"), { width: side, height: side });
  canvas.getContext("2d")!.putImageData(pixels, 0, 0);
  return canvas;
}

export class HeatOverlay implements Overlay {
  readonly order = 22;
  private made: { key: unknown[]; picture: HTMLCanvasElement } | null = null;

  constructor(private readonly heat: Heat) {}

  draw(context: CanvasRenderingContext2D, frame: Frame): void {
    const shown = this.heat.shown.peek();
    if (!shown) return;
    const [left, top] = frame.toScreen(0, 1), size = frame.cellSize * frame.side;
    context.imageSmoothingEnabled = false;
    context.drawImage(this.picture(shown, frame), left, top, size, size);
    context.strokeStyle = frame.colour("--map"); // icons at the edge reach a little beyond it
    context.lineWidth = 5;
    context.strokeRect(left - 2.5, top - 2.5, size + 5, size + 5);
  }

  private picture(shown: HeatDocument, frame: Frame): HTMLCanvasElement {
    const { sign, look, intensity } = this.heat, palette = paletteOf(frame.colour, shown.measure);
    const key = [shown, sign.peek(), look.peek(), intensity.peek(), ...Object.values(palette).flat()];
    if (!this.made || key.some((one, n) => one !== this.made!.key[n])) {
      this.made = { key, picture: paintHeat(shown, sign.peek(), look.peek(), intensity.peek(), palette) };
    }
    return this.made.picture;
  }
}
