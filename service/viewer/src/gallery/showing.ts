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

/** The model as it was registered, as far as galleries need it. */
interface Model { classes: number | null; card: { labels?: string[] | string | null }; layers: { name: string; shape: number[] }[] }

export interface Known { classes: string[]; channels: (layer: string) => number }

/** What the view's model has; null until it is known. */
export const modelOf = feature((view: View): Signal<Known | null> => {
  const found = signal<Known | null>(null), id = computed(() => view.atlas.value.spec.model);
  effect(() => {
    if (!view.source.live || !id.value) return;
    void json<Model>(`v1/models/${id.value}`).then(({ classes, card, layers }) => {
      const labels = Array.isArray(card.labels) ? card.labels : [];
      found.value = {
        classes: Array.from({ length: classes ?? 0 }, (_, n) => labels[n] ?? String(n)),
        channels: (layer) => layers.find(({ name }) => name === layer)?.shape[0] ?? 0,
      };
    }, () => undefined);
  });
  return found;
});
