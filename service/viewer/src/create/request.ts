// What is asked of an atlas, as the form holds it and as the service takes it.

import type { LayerInfo } from "../registered";

export const RECIPES = {
  vivid: ["Vivid", "Clear pictures, seeded from the images. The best to look at."],
  detail: ["Detail", "Finer structure, seeded from the images."],
  fast: ["Fast", "A quarter of the time, coarser."],
  pure: ["Pure", "From noise alone: no image goes into a picture."],
  none: ["None", "No icons, only the map. For models without gradients."],
} as const;
export type Recipe = keyof typeof RECIPES;
export const SIDES = [5, 10, 20, 40, 80, 160];

export interface Form {
  name: string;
  model: string;
  dataset: string;
  layers: string[];
  samples: number | null;
  /** null lets the service choose those that are healthy for the number of samples. */
  levels: number[] | null;
  recipe: Recipe;
  attribution: string;
  strict: boolean;
  allow_sparse: boolean;
  keep: boolean;
  preview: boolean;
  images: number | null;
  images_per_class: number | null;
  seed: number | null;
  anchor: string;
  neighbours: number | null;
  minimum_distance: number | null;
  epochs: number | null;
  optimiser: string;
}

export const START: Form = {
  name: "", model: "", dataset: "", layers: [], samples: null, levels: null, recipe: "vivid", attribution: "auto", strict: false, allow_sparse: false,
  keep: false, preview: true, images: null, images_per_class: null, seed: null, anchor: "", neighbours: null, minimum_distance: null, epochs: null, optimiser: "batch",
};

/** Two layers to begin with: outputs of blocks, the last and one in the middle. */
export function startLayers(layers: LayerInfo[]): string[] {
  const blocks = layers.filter(({ block, silent }) => block && !silent);
  const picked = [blocks[Math.floor(blocks.length / 2)], blocks.at(-1)].filter((layer) => layer !== undefined);
  return [...new Set(picked.map(({ name }) => name))];
}

/** What is sent: only what differs from what the service does by itself. */
export function requestOf(form: Form): Record<string, unknown> {
  const layout = { neighbours: form.neighbours, minimum_distance: form.minimum_distance, epochs: form.epochs, optimiser: form.optimiser === "batch" ? null : form.optimiser };
  const asked = {
    name: form.name.trim() || null, model: form.model, dataset: form.dataset, layers: form.layers, samples: form.samples, levels: form.levels,
    recipe: form.strict && form.recipe !== "none" ? "pure" : form.recipe, attribution: form.attribution === "auto" ? null : form.attribution,
    privacy: form.strict ? "strict" : null, allow_sparse: form.allow_sparse || null, keep: form.keep ? "samples" : null, preview: form.preview ? null : "none",
    images: form.images, images_per_class: form.images_per_class, seed: form.seed, anchor: form.anchor || null, layout: given(layout),
  };
  return given(asked) ?? {};
}

function given(all: Record<string, unknown>): Record<string, unknown> | null {
  const left = Object.entries(all).filter(([, value]) => value !== null);
  return left.length ? Object.fromEntries(left) : null;
}
