// Atlases that lie on one plane: one is anchored to the other, or both to the same, so that a place means the same in both.

import { effect, signal } from "@preact/signals";
import { listOf } from "../api";
import type { Job } from "../types";
import { type View, feature } from "../view";

export interface Kin { id: string; name: string }

interface Anchored { id: string; name: string | null; spec: Record<string, unknown> }

/** The first atlas that an atlas was laid out against, itself where it was against none. */
export function rootOf(id: string, anchors: ReadonlyMap<string, string>): string {
  const seen = new Set<string>();
  let root = id;
  while (anchors.has(root) && !seen.has(root)) {
    seen.add(root);
    root = anchors.get(root)!;
  }
  return root;
}

/** Of some atlases those that lie on the plane of one of them, without it. */
export function kinOf(id: string, all: readonly Anchored[]): Kin[] {
  const anchors = new Map(all.filter(({ spec }) => typeof spec.anchor === "string").map((one) => [one.id, one.spec.anchor as string]));
  const root = rootOf(id, anchors);
  return all.filter((one) => one.id !== id && rootOf(one.id, anchors) === root).map((one) => ({ id: one.id, name: one.name ?? one.id.slice(0, 8) }));
}

/** The atlases on the plane of a view's; empty until they are known. */
export const kinsOf = feature((view: View) => {
  const found = signal<Kin[]>([]);
  effect(() => {
    const { id, of, state } = view.atlas.value;
    if (!view.source.live || view.prefix || of || state !== "succeeded" || found.peek().length) return;
    listOf<Job>("v1/jobs?kind=atlas&state=succeeded").then((jobs) => { found.value = kinOf(id, jobs); }, () => undefined);
  });
  return found;
});
