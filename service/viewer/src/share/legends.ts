// What the colours and sides of a map mean, for its picture; a feature that gives them a meaning adds its legend here.

import { heatOf, titleOf } from "../heat/heat";
import { MEASURES, endsOf, told, unitOf } from "../heat/scale";
import { axisOf } from "../compare/classes";
import type { View } from "../view";

/** Where a legend is drawn, in CSS pixels; it is at most 32 high. */
export interface Place { left: number; top: number; width: number; colour: (name: string) => string }

export interface Legend { draw(context: CanvasRenderingContext2D, place: Place): void }

const BAR = { width: 220, height: 10 };

/** Of each feature, its legend while there is something to say. */
export const LEGENDS: ((view: View) => Legend | null)[] = [axisLegend, heatLegend];

function heatLegend(view: View): Legend | null {
  const { of, sign, shown: { value: shown } } = heatOf(view);
  if (!of.peek() || !shown) return null;
  const [low, high] = endsOf(shown, sign.peek()), bad = MEASURES[shown.measure]?.bad, font = getComputedStyle(document.body).fontFamily;
  const names = low < 0 && high > 0 ? ["--against", "--map", "--for"] : low < 0 ? ["--against", "--map"] : ["--map", bad ? "--against" : "--for"];
  const text = [titleOf(view, of.peek()), unitOf(shown.measure) && `in ${unitOf(shown.measure)}`].filter(Boolean).join(", ");
  return {
    draw(context, { left, top, width, colour }) {
      const bar = Math.min(BAR.width, width / 3), gradient = context.createLinearGradient(left, 0, left + bar, 0);
      names.forEach((name, n) => gradient.addColorStop(n / (names.length - 1), colour(name)));
      context.fillStyle = gradient;
      context.fillRect(left, top, bar, BAR.height);
      context.strokeStyle = colour("--line");
      context.strokeRect(left + 0.5, top + 0.5, bar - 1, BAR.height - 1);
      context.font = `12.5px ${font}`;
      context.textBaseline = "top";
      context.fillStyle = colour("--ink");
      context.fillText(told(low, shown.measure), left, top + BAR.height + 4);
      context.textAlign = "right";
      context.fillText(told(high, shown.measure), left + bar, top + BAR.height + 4);
      context.textAlign = "left";
      context.fillText(text, left + bar + 16, top, width - bar - 16);
    },
  };
}

function axisLegend(view: View): Legend | null {
  const axis = axisOf(view);
  return axis && {
    draw(context, { left, width, top, colour }) {
      context.font = `600 12.5px ${getComputedStyle(document.body).fontFamily}`;
      context.textBaseline = "top";
      context.fillStyle = colour("--ink");
      axis.forEach((text, n) => {
        context.textAlign = (["left", "center", "right"] as const)[n]!;
        context.fillText(text, left + (n * width) / 2, top, width / 2);
      });
      context.textAlign = "left";
    },
  };
}
