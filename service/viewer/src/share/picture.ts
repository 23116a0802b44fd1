// The view as a picture: what the map shows, below its title, above its legend.

import { seeding } from "../parts/words";
import { besideOf } from "../linked/beside";
import type { View } from "../view";
import { mapOf } from "../map/map";
import { LEGENDS } from "./legends";

const PAD = 16; // CSS pixels, as all lengths here
const HEAD = 54;
const ROW = 40;

/** Have the browser save what the map shows; says what became of it. */
export async function downloadPicture(view: View): Promise<string> {
  const canvas = drawViews([view, besideOf(view).other.peek()].filter((one) => one !== null));
  if (!canvas) return "There is no map to take a picture of yet.";
  const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, "image/png"));
  if (!blob) return "The browser could not make the picture; try a smaller window.";
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = `${fileName(view)}.png`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  return "Picture saved.";
}

function fileName(view: View): string {
  const { name, names } = view.atlas.peek();
  return [name ?? names.model ?? "atlas", view.layer.peek(), view.shownSide.peek()].join("-").replace(/[^\w.-]+/g, "-");
}

/** The pictures of maps that stand beside each other; null while there is none. */
export function drawViews(views: View[]): HTMLCanvasElement | null {
  const drawn = views.map(drawView).filter((one) => one !== null), [first] = drawn;
  if (!first || drawn.length === 1) return first ?? null;
  const ratio = devicePixelRatio || 1, gap = Math.round(ratio), canvas = document.createElement("canvas");
  canvas.width = drawn.reduce((sum, one) => sum + one.width, gap * (drawn.length - 1));
  canvas.height = Math.max(...drawn.map((one) => one.height));
  const context = canvas.getContext("2d")!, colours = getComputedStyle(document.body);
  context.fillStyle = colours.getPropertyValue("--ground").trim();
  context.fillRect(0, 0, canvas.width, canvas.height);
  let left = 0;
  for (const one of drawn) {
    context.drawImage(one, left, 0);
    left += one.width + gap;
  }
  return canvas;
}

/** Title, map and legends on one canvas; null while there is no map. */
export function drawView(view: View): HTMLCanvasElement | null {
  const map = mapOf(view).peek();
  if (!map) return null;
  const ratio = devicePixelRatio || 1, box = map.element.getBoundingClientRect();
  const legends = LEGENDS.map((legend) => legend(view)).filter((one) => one !== null);
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(box.width * ratio);
  canvas.height = Math.round((HEAD + box.height + PAD / 2 + ROW * legends.length) * ratio);
  const context = canvas.getContext("2d")!, colour = (name: string) => getComputedStyle(map.element).getPropertyValue(name).trim();
  context.scale(ratio, ratio);
  context.fillStyle = colour("--ground");
  context.fillRect(0, 0, box.width, canvas.height);
  heading(context, view, box.width, colour);
  context.fillStyle = colour("--map");
  context.fillRect(0, HEAD, box.width, box.height);
  for (const layer of map.element.querySelectorAll("canvas")) {
    const at = layer.getBoundingClientRect();
    if (at.width && at.height && layer.width) context.drawImage(layer, at.left - box.left, HEAD + at.top - box.top, at.width, at.height);
  }
  legends.forEach((legend, n) => legend.draw(context, { left: PAD, top: HEAD + box.height + PAD / 2 + n * ROW, width: box.width - 2 * PAD, colour }));
  return canvas;
}

function heading(context: CanvasRenderingContext2D, view: View, width: number, colour: (name: string) => string): void {
  const { name, names, spec, seeded } = view.atlas.peek(), font = getComputedStyle(document.body).fontFamily;
  const title = name ?? names.model ?? "Activation atlas", model = name ? names.model : null;
  context.textBaseline = "top";
  context.fillStyle = colour("--ink");
  context.font = `650 17px ${font}`;
  context.fillText(title, PAD, 9, width - 2 * PAD);
  context.fillStyle = colour("--quiet");
  context.font = `12.5px ${font}`;
  const parts = [model, `on ${names.dataset ?? spec.dataset}`, view.layer.peek(), `${view.shownSide.peek()} cells a side`, seeding(seeded)];
  context.fillText(parts.filter(Boolean).join(" · "), PAD, 31, width - 2 * PAD);
}
