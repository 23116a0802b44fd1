// Heat maps: which one is shown, on which scale, and how; read anew as the layer or the level changes.

import { type Signal, batch, computed, effect, signal } from "@preact/signals";
import { bound, choice, number, text } from "../address";
import { Problem } from "../api";
import { className } from "../classes";
import { besideOf } from "../linked/beside";
import type { Attach } from "../map/attachments";
import { type View, feature } from "../view";
import { HeatOverlay } from "./overlay";
import { type HeatDocument, MEASURES, channelIn, classIn } from "./scale";

export const SIGNS = ["both", "positive", "negative"] as const;
export const LOOKS = ["icons", "colours"] as const;
export type Sign = (typeof SIGNS)[number];
export type Look = (typeof LOOKS)[number];

export interface Heat {
  /** `class-INDEX`, `channel-NUMBER`, a measure, or empty where no heat map is shown. */
  of: Signal<string>;
  sign: Signal<Sign>;
  /** Icons fade where they contribute nothing, or a colour scale lies over them. */
  look: Signal<Look>;
  intensity: Signal<number>;
  /** What was read last, of the level that is shown or that was shown before. */
  shown: Signal<HeatDocument | null>;
  problem: Signal<Problem | null>;
}

export const heatOf = feature((view: View): Heat => {
  const heat: Heat = {
    of: signal(""), sign: signal("both"), look: signal("icons"), intensity: signal(1), shown: signal(null), problem: signal(null),
  };
  if (view.prefix) return heat; // a second map shows what the first does
  bound(view, "heat", heat.of, { ...text(""), parse: (it) => (it === "" || (view.source.root && /^channel-\d+$/.test(it)) || (view.source.hasClasses && /^class-\d+$/.test(it)) || view.source.measures.includes(it) ? it : undefined) });
  bound(view, "sign", heat.sign, choice(SIGNS, "both"));
  bound(view, "look", heat.look, choice(LOOKS, "icons"));
  bound(view, "intensity", heat.intensity, { ...number(1, 1), parse: (it) => (Number(it) >= 0.5 && Number(it) <= 2 ? Number(it) : undefined) });
  return heat;
});

/** What a heat map is of, in a word. */
export function titleOf(view: View, of: string): string {
  const label = classIn(of), channel = channelIn(of);
  if (channel !== null) return `Channel ${channel}`;
  return label === null ? MEASURES[of]?.title ?? "" : className(view, label);
}

/** Whether the view's atlas can be asked for heat maps. */
export const hasHeat = ({ source }: View): boolean => source.measures.length > 0;

export const attachHeat: Attach = (map) => {
  const { view } = map, heat = heatOf(view), overlay = new HeatOverlay(heat);
  if (!hasHeat(view)) return;
  const off = map.addOverlay(overlay);
  const key = computed(() => [heat.of.value, view.layer.value, view.shownSide.value, view.looks.value] as const);
  const load = effect(() => {
    const asked = key.value, [of, layer, side] = asked;
    if (!of || !side) {
      heat.shown.value = null;
      heat.problem.value = null;
      return;
    }
    if (heat.shown.peek()?.layer !== layer || !isOf(heat.shown.peek(), of)) heat.shown.value = null;
    view.source.heat(of, layer, side).then(
      (found) => { if (key.peek() === asked) { heat.shown.value = found; heat.problem.value = null; } },
      (error: unknown) => { if (key.peek() === asked) { heat.shown.value = null; heat.problem.value = error instanceof Problem ? error : null; } },
    );
  });
  const follow = effect(() => {
    const other = besideOf(view).other.value;
    if (!other) return;
    const same = heatOf(other);
    batch(() => { same.of.value = heat.of.value; same.sign.value = heat.sign.value; same.look.value = heat.look.value; same.intensity.value = heat.intensity.value; });
  });
  const draw = effect(() => { heat.shown.value; heat.sign.value; heat.look.value; heat.intensity.value; map.redraw(); });
  return () => { off(); load(); follow(); draw(); };
};

const isOf = (shown: HeatDocument | null, of: string): boolean => shown !== null && of === (shown.class ? `class-${shown.class.index}` : typeof shown.channel === "number" ? `channel-${shown.channel}` : shown.measure);
