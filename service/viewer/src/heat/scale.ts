// The scale of a heat map: what its ends stand for, where a value lies on it, and in which colour.

import type { ClassName } from "../types";
import type { Look, Sign } from "./heat";

/** A number for every cell of a level, as the service tells it. */
export interface HeatDocument {
  layer: string;
  side: number;
  measure: string;
  class: ClassName | null;
  /** Whose mean activation it is. */
  channel?: number | null;
  scale: number;
  least: number;
  greatest: number;
  enough: number;
  column: number[];
  row: number[];
  count: number[];
  value: (number | null)[];
  low?: (number | null)[] | null;
  high?: (number | null)[] | null;
  images?: number[] | null;
}

export interface Measure {
  title: string;
  /** What it says, in a sentence. */
  says: string;
  /** Where its scale begins: at nothing, or at the least there is. */
  from: "zero" | "least";
  /** Whether a large value is bad news. */
  bad?: boolean;
  /** Whether people look for its lowest cells: these are listed first, with what is wrong with each. */
  weakest?: boolean;
  /** What is told of its ends. */
  lowest: string;
  highest: string;
}

export const MEASURES: Record<string, Measure> = {
  count: { title: "Samples", says: "How many samples lie in each cell.", from: "zero", lowest: "Fewest samples", highest: "Most samples" },
  error: { title: "Error", says: "Share of a cell's images that the model gets wrong.", from: "zero", bad: true, lowest: "Most often right", highest: "Most often wrong" },
  confidence: { title: "Confidence", says: "Mean probability of what the model says of a cell's images.", from: "least", lowest: "Least confident", highest: "Most confident" },
  calibration: { title: "Calibration", says: "How far confidence is from the share that is right; 0 is best.", from: "zero", bad: true, lowest: "Best calibrated", highest: "Worst calibrated" },
  coherence: { title: "Coherence", says: "How alike a cell's samples are: is their mean a fair summary?", from: "least", lowest: "Poorest summaries", highest: "Fairest summaries", weakest: true },
  strongest: { title: "Clearest class", says: "What each cell adds to the class that it adds most to. Cells that add almost nothing have no clear class.", from: "zero", lowest: "No clear class", highest: "Clearest" },
  fidelity: { title: "Fidelity", says: "How well each icon shows what its cell is. Trust icons of low fidelity least.", from: "least", lowest: "Least trustworthy icons", highest: "Most trustworthy icons", weakest: true },
};

/** The class whose heat map is asked for, null where none is. */
export const classIn = (of: string): number | null => (of.startsWith("class-") ? Number(of.slice(6)) : null);

/** The channel of which it is, null where it is of none. */
export const channelIn = (of: string): number | null => (of.startsWith("channel-") ? Number(of.slice(8)) : null);

export type Ends = [low: number, high: number];

/** What the ends of the scale stand for. */
export function endsOf(heat: HeatDocument, sign: Sign): Ends {
  const { least, greatest, scale } = heat, from = MEASURES[heat.measure]?.from;
  if (from) return [from === "zero" ? 0 : least, greatest];
  if (sign === "both") return least < 0 ? [-scale, scale] : [0, scale];
  return sign === "negative" ? [Math.min(least, 0), 0] : [0, Math.max(greatest, 0)];
}

/** Where a value lies on a scale, -1 to 1: below zero what speaks against the class, 0 what adds nothing. */
export function strengthOf(heat: HeatDocument, value: number, ends: Ends): number {
  const [low, high] = ends, clipped = Math.min(high, Math.max(low, value));
  if (MEASURES[heat.measure]) return high > low ? (clipped - low) / (high - low) : 0;
  return clipped / (Math.max(-low, high) || 1);
}

export type Colour = [red: number, green: number, blue: number];

export interface Palette { ground: Colour; high: Colour; low: Colour }

/** A colour written as rgb(…), #rgb or #rrggbb. */
export function colourOf(text: string): Colour {
  if (text.includes("(")) return text.match(/[\d.]+/g)!.slice(0, 3).map(Number) as Colour;
  const hex = text.trim().slice(1), wide = hex.length === 3 ? hex.replace(/./g, "$&$&") : hex;
  return [0, 2, 4].map((at) => parseInt(wide.slice(at, at + 2), 16)) as Colour;
}

const mix = (from: Colour, to: Colour, share: number): Colour => from.map((one, n) => one + (to[n]! - one) * share) as Colour;

const PALE = 0.3; // how present an icon is that adds nothing, so that the map can still be read
const UNKNOWN = 0.05; // of an icon under the colour scale where nothing is known
const TINT = 0.4; // of its colour over an icon that speaks against the class as much as any
const COVER = 0.9; // of the colour scale over the icons

/**
 * What is laid over a cell, red, green, blue (0 to 255) and opacity (0 to 1).
 *
 * @param strength From `strengthOf`; null where nothing is known.
 * @param intensity Multiplies it.
 */
export function veil(strength: number | null, look: Look, intensity: number, { ground, high, low }: Palette): [...Colour, number] {
  const amount = strength === null ? 0 : Math.min(1, Math.abs(strength) * intensity), side = (strength ?? 0) < 0 ? low : high;
  if (look === "colours") return [...mix(ground, side, amount), strength === null ? 1 - UNKNOWN : COVER];
  const cover = (1 - PALE) * (1 - amount), tint = (strength ?? 0) < 0 ? TINT * amount : 0;
  const opacity = 1 - (1 - cover) * (1 - tint);
  return [...(opacity ? mix(ground, low, tint / opacity) : ground), opacity];
}

/** A value for people, with its unit where it has one. */
export function told(value: number, measure: string): string {
  if (["error", "confidence", "calibration"].includes(measure)) return `${(100 * value).toFixed(Math.abs(value) < 0.095 ? 1 : 0)} %`;
  if (measure === "count") return Math.round(value).toLocaleString("en");
  if (MEASURES[measure] && measure !== "strongest") return value.toFixed(2);
  const size = Math.abs(value), text = size >= 0.1 || size === 0 ? size.toFixed(2) : String(Number(size.toPrecision(2)));
  return value === 0 ? "0" : `${value > 0 ? "+" : "−"}${text}`;
}

export const unitOf = (measure: string): string => (["attribution", "strongest"].includes(measure) ? "logits" : "");

/** The cells of the largest or least values, by their place in the columns, among those with enough samples. */
export function extremes(heat: HeatDocument, most: number, lowest: boolean): number[] {
  const known = heat.value.map((_, n) => n).filter((n) => heat.value[n] !== null && heat.count[n]! >= heat.enough);
  return known.sort((a, b) => (lowest ? 1 : -1) * (heat.value[a]! - heat.value[b]!)).slice(0, most);
}
