// What the service says of two models, or two layers, compared: docs/http.md, versions.

import type { Job } from "../types";

export type Which = "old" | "new";
export const HALVES = ["old", "new"] as const;

export interface Spot { column: number; row: number }
export interface ClassShare { name: string; share: number }
export interface Patch { n: number; of: Which; layer: string; image: string; row: number; column: number; url: string }

/** A cell of one half most of whose samples lie far from their twins on the other. */
export interface Change extends Spot { images: number; others: number; astray: number; q: number; from: Spot | null; classes: ClassShare[]; exemplars: Patch[] }
export interface CellAccuracy extends Spot { images: number; old: number; new: number; change: number; q: number; classes: ClassShare[] }

export interface ChangedCells {
  side: number;
  reach: number;
  astray: { share: number; floor: number };
  numbers: { born: number; lost: number; moved: number };
  born: Change[];
  lost: Change[];
  moved: Change[];
  accuracy: CellAccuracy[];
}

export interface Interval { value: number; low: number; high: number; images: number }
export interface Neighbourhood { name: string; images: number; changes: { name: string; old: number; new: number }[] }

export interface VersionLayer {
  layer: string;
  other: string;
  samples: number;
  map: { twins: { distance: number; floor: number }; retrieval: { share: number; floor: number }; trustworthiness: Record<Which, number> };
  likeness: { cka: Interval | null; neighbours: Interval | null; k: number; chance: number };
  neighbourhoods: Neighbourhood[];
  cells: ChangedCells;
  points: string;
  twins: string;
  coupled: string;
}

export interface Accuracy { images: number; old: number; new: number; change: number; low: number; high: number; lost: number; won: number; p: number }
export interface ClassAccuracy extends Accuracy { index: number; name: string; q: number; verdict: "damaged" | "improved" | null; url: string | null }

export interface Versions {
  kind: "models";
  old: { model: string; name: string };
  new: { model: string; name: string };
  dataset: { name: string };
  alpha: number;
  agreement: { images: number; share: number; low: number; high: number } | null;
  accuracy: { overall: Accuracy; classes: ClassAccuracy[]; damaged: string[]; improved: string[] } | null;
  layers: VersionLayer[];
  findings: { kind: string; text: string }[];
}

export interface ComparisonJob extends Job {
  atlas: string | null;
  request: Record<string, unknown> & { kind: "models" | "classes"; atlas?: string };
  description: Versions | { kind: "classes" } | null;
  summary: { findings: number; damaged: string[]; accuracy: Record<Which, number> | null } | null;
}

/** The filled cells of one half, a column each. */
export interface HalfCells { column: number[]; row: number[]; samples: number[]; images: number[]; common: (string | null)[]; share: number[]; old: (number | null)[]; new: (number | null)[] }
export interface Halves { side: number; old: HalfCells; new: HalfCells }

/** How both are called: by model, or where it is one model by layer. */
export function titles({ old, new: other }: Versions, layer: VersionLayer): Record<Which, string> {
  return old.model === other.model && layer.layer !== layer.other ? { old: layer.layer, new: layer.other } : { old: old.name, new: other.name };
}

/** An address of the service, relative to the page. */
export const local = (url: string): string => url.replace(/^\//, "");
