// How to read the map, in three steps: which is shown, and what it marks on the map.

import { type Signal, effect, signal } from "@preact/signals";
import { bound, maybe, number } from "../address";
import { litOf } from "../linked/lit";
import type { Attach } from "../map/attachments";
import type { AtlasMap, Frame } from "../map/map";
import { type View, feature } from "../view";
import { type Story, storyOf } from "./story";

export const STEPS = 3;
const SEEN = "activation-atlas-guide"; // in the browser's storage: whether it was shown before
const ORDER = 65;
const RADIUS = 10;

export interface Guide {
  /** 1 to 3, null while it is closed. */
  step: Signal<number | null>;
  /** Null until it is known, and where there is nothing to tell of. */
  story: Signal<Story | null>;
  /** Patches of the picture that have landed so far. */
  landed: Signal<number>;
}

export const guideOf = feature((view: View): Guide => {
  const guide: Guide = { step: signal(null), story: signal(null), landed: signal(0) };
  bound(view, "guide", guide.step, maybe({ ...number(1, 0), parse: (text: string) => (/^[123]$/.test(text) ? Number(text) : undefined) }));
  effect(() => {
    const open = guide.step.value !== null, layer = view.layer.value;
    if (!open || guide.story.peek()?.layer === layer || !view.cells.value) return;
    storyOf(view).then((story) => { guide.story.value = story; }, () => undefined);
  });
  return guide;
});

/** Whether the address asks for more than a layer: then what it shows comes before any greeting. */
export const comesByLink = (): boolean => [...new URLSearchParams(location.hash.slice(1)).keys()].some((key) => key !== "layer");

/** Open it on the first visit. */
export function greet(view: View): void {
  const { step } = guideOf(view);
  if (view.atlas.peek().of) return; // a comparison or selection says itself how to read it
  try {
    if (localStorage.getItem(SEEN)) return;
    localStorage.setItem(SEEN, "seen");
  } catch { return; } // a browser that stores nothing would show it each time
  if (view.atlas.peek().state === "succeeded") step.value ??= 1;
}

/** What the step marks on the map: where the patches landed, or the cell and its samples. */
export const attachGuide: Attach = (map) => {
  const { step, story, landed } = guideOf(map.view), lit = litOf(map.view);
  let lighting = false;
  const off = map.addOverlay({
    order: ORDER,
    draw(context, frame) {
      const told = story.peek();
      if (step.peek() !== 1 || told?.layer !== map.view.layer.peek()) return;
      told.picture.slice(0, landed.peek()).forEach((sample, n) => numbered(context, frame, sample, n + 1));
    },
  });
  const end = effect(() => {
    const told = story.value, at = step.value, mine = told?.layer === map.view.layer.value;
    landed.value;
    map.redraw();
    if (at !== null && at > 1 && told && mine) {
      const { place, mates } = told;
      lighting = true;
      lit.value = { side: place.side, column: [place.column], row: [place.row], share: [1], points: at === 2 ? mates.map(({ x, y }) => [x, y] as const) : [] };
    } else if (lighting) {
      lighting = false;
      lit.value = null;
    }
  });
  const fly = effect(() => { look(map, step.value, story.value); });
  return () => { off(); end(); fly(); };
};

const sides = feature((_: View) => signal<{ before: number | null } | null>(null));

// All of the map, then the cell on its own level; at the end whatever level was there before.
function look(map: AtlasMap, step: number | null, story: Story | null): void {
  const { view } = map, held = sides(view);
  if (step !== null && step > 1 && story && story.layer === view.layer.peek()) {
    const { side, column, row } = story.place;
    held.value = held.peek() ?? { before: view.side.peek() };
    view.side.value = side;
    map.flyTo({ x: (column + 0.5) / side, y: 1 - (row + 0.5) / side, zoom: Math.max(2, side / 8) });
  } else if (held.peek()) {
    view.side.value = held.peek()!.before;
    held.value = null;
    map.showAll();
  } else if (step === 1) map.showAll();
}

function numbered(context: CanvasRenderingContext2D, frame: Frame, { x, y }: { x: number; y: number }, number: number): void {
  const [left, top] = frame.toScreen(x, y);
  context.beginPath();
  context.arc(left, top, RADIUS, 0, 2 * Math.PI);
  context.fillStyle = frame.colour("--accent");
  context.fill();
  context.lineWidth = 2;
  context.strokeStyle = frame.colour("--mark");
  context.stroke();
  context.fillStyle = frame.colour("--accent-ink");
  context.font = `700 12px ${frame.colour("--font")}`;
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.fillText(String(number), left, top + 0.5);
}
