// A layer in small: its coarsest level, tinted by the heat map that is shown, else by how many samples its cells have.

import { useEffect, useRef } from "preact/hooks";
import { dark } from "../frame/theme";
import type { View } from "../view";
import { hasHeat, heatOf } from "./heat";
import { paintHeat, paletteOf } from "./overlay";
import type { HeatDocument } from "./scale";

const PIXELS = 56;

export function LayerThumb({ view, layer }: { view: View; layer: string }) {
  const canvas = useRef<HTMLCanvasElement>(null), heat = heatOf(view);
  const side = view.atlas.value.layers.find(({ name }) => name === layer)?.levels.find(({ ready }) => ready)?.side ?? 0;
  const of = hasHeat(view) ? heat.of.value : "", sign = heat.sign.value, intensity = heat.intensity.value;
  useEffect(() => {
    let gone = false;
    const asked = !side ? Promise.reject(new Error("no level")) : of ? view.source.heat(of, layer, side) : counts(view, layer, side);
    asked.then((found) => {
      const place = canvas.current; // gone where the page was left meanwhile
      if (gone || !place) return;
      const colours = getComputedStyle(place), palette = paletteOf((name) => colours.getPropertyValue(name), found.measure);
      const context = place.getContext("2d")!;
      context.clearRect(0, 0, PIXELS, PIXELS);
      context.imageSmoothingEnabled = false;
      context.drawImage(paintHeat(found, sign, "colours", intensity, palette), 0, 0, PIXELS, PIXELS);
    }, () => null);
    return () => { gone = true; };
  }, [layer, side, of, sign, intensity, dark.value]);
  return <canvas ref={canvas} class="layer-thumb" width={PIXELS} height={PIXELS} aria-hidden="true" />;
}

async function counts(view: View, layer: string, side: number): Promise<HeatDocument> {
  const { column, row, count, most } = await view.columns(layer, side);
  const columns = { column: Array.from(column), row: Array.from(row), count: Array.from(count), value: Array.from(count) };
  return { layer, side, measure: "count", class: null, scale: most, least: 0, greatest: most, enough: 1, ...columns };
}
