// Which class or channel is looked at; each has an address.

import { type Signal, batch, computed, effect, signal } from "@preact/signals";
import { bound, choice, maybe, number } from "../address";
import { json } from "../api";
import { panelOf } from "../panels/open";
import { type View, feature } from "../view";

export const PANEL = "gallery";
export const KINDS = ["classes", "channels"] as const;
export type Kind = (typeof KINDS)[number];

export interface Gallery {
  kind: Signal<Kind>;
  /** Index of the class that is looked at, null for the list of all. */
  label: Signal<number | null>;
  channel: Signal<number | null>;
}

const index = maybe({ ...number(0, 0), parse: (text: string) => (/^\d{1,7}$/.test(text) ? Number(text) : undefined) });

export const galleryOf = feature((view: View): Gallery => {
  const gallery: Gallery = { kind: signal("classes"), label: signal(null), channel: signal(null) };
  bound(view, "gallery", gallery.kind, choice(KINDS, "classes"));
  bound(view, "class", gallery.label, index);
  bound(view, "channel", gallery.channel, index);
  return gallery;
});

/** Open the page of a class. */
export function showClass(view: View, label: number): void {
  const { kind, label: shown } = galleryOf(view);
  batch(() => { kind.value = "classes"; shown.value = label; panelOf(view).value = PANEL; });
}

interface Model { layers: { name: string; shape: number[] }[] }

/** Channels of each layer of the view's model, by its name; null until they are known. */
export const channelsOf = feature((view: View): Signal<Map<string, number> | null> => {
  const found = signal<Map<string, number> | null>(null), id = computed(() => view.atlas.value.spec.model);
  effect(() => {
    if (!view.source.live || !id.value) return;
    void json<Model>(`v1/models/${id.value}`).then(({ layers }) => { found.value = new Map(layers.map(({ name, shape }) => [name, shape[0]!])); }, () => undefined);
  });
  return found;
});
