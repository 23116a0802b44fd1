// Models and datasets as the service tells them.

import { json, listOf } from "./api";
import { useAsked, type Asked } from "./parts/asked";
import type { ModelInput } from "./types";

export type Standing = "inspecting" | "ready" | "refused";

interface Registered { id: string; name: string; state: Standing; reasons: string[]; created: string }

export interface LayerInfo {
  name: string;
  shape: [number, number, number];
  receptive_field: { size: [number, number]; jump: [number, number]; start: [number, number] } | null;
  block: boolean;
  fixed: boolean;
  silent: boolean;
}

export interface Model extends Registered {
  card: { format: string; architecture: string | null; input: ModelInput & { mean: number[]; std: number[]; order: string }; labels: string[] | null };
  warnings: string[];
  layers: LayerInfo[];
  classes: number | null;
  accuracy: { top1: number | null; top5: number | null; images: number; dataset: string | null } | null;
  convertible: boolean | null;
}

export interface Dataset extends Registered {
  card: { source: string; prefix: string; format: string | null; revision: string | null };
  digest: string | null;
  images: number;
  classes: string[] | null;
  class_counts: Record<string, number> | null;
  skipped: Record<string, string>[];
}

export type Kind = "models" | "datasets";
export type Of<K extends Kind> = K extends "models" ? Model : Dataset;
export const ONE: Record<Kind, string> = { models: "model", datasets: "dataset" };

const PAUSE = 1500; // milliseconds between looks at what is being inspected

/** All that are registered, the newest first. */
export function useRegistered<K extends Kind>(kind: K): Asked<Of<K>[]> {
  return useAsked(async () => (await listOf<Of<K>>(`v1/${kind}`)).reverse(), kind, (all) => (all.some(({ state }) => state === "inspecting") ? PAUSE : null));
}

export function useOne<K extends Kind>(kind: K, id: string): Asked<Of<K>> {
  return useAsked((signal) => json<Of<K>>(`v1/${kind}/${encodeURIComponent(id)}`, { signal }), `${kind}/${id}`, ({ state }) => (state === "inspecting" ? PAUSE : null));
}
