// What the colours on a map mean, for its picture; features that colour the map add theirs.

import type { View } from "../view";

/** Where a legend is drawn, in CSS pixels; it is at most 32 high. */
export interface Place { left: number; top: number; width: number; colour: (name: string) => string }

export interface Legend { draw(context: CanvasRenderingContext2D, place: Place): void }

/** Of each feature, its legend while it colours the map. */
export const LEGENDS: ((view: View) => Legend | null)[] = [];
