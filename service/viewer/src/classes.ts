// The names of a model's classes, by their index.

import { type Signal, effect, signal } from "@preact/signals";
import { json } from "./api";
import { type View, feature } from "./view";

interface Model { classes: number | null; card: { labels?: string[] | string | null } }

/** All classes of the view's model; empty where it has none, and until they are known. */
export const classesOf = feature((view: View): Signal<string[]> => {
  const names = signal<string[]>([]);
  const end = effect(() => {
    const { manifest, spec } = view.atlas.value, told = manifest?.model?.classes;
    if (told) names.value = told;
    else if (view.source.live && !manifest && spec.model) void json<Model>(`v1/models/${spec.model}`).then((model) => { names.value = namesIn(model); }, () => null);
    if (manifest) queueMicrotask(() => end());
  });
  return names;
});

function namesIn({ classes, card }: Model): string[] {
  return Array.isArray(card.labels) ? card.labels : Array.from({ length: classes ?? 0 }, (_, index) => String(index));
}

/** A class by its index, in a word. */
export function className(view: View, index: number): string { return classesOf(view).value[index]?.split(", ")[0] ?? String(index); }
