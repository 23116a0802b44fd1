// What a job was asked for, in words, and where to see what came of it.

import type { Job } from "../types";

/** Where a job's result is; `always` where there is something to see while it runs, `file` where it is no page of ours. */
export interface Result { href: string; always?: boolean; file?: boolean }

export function resultOf({ kind, id, request, links = {} }: Job): Result | null {
  if (kind === "comparison" && request?.kind === "models") return { href: `?comparison=${id}` };
  if (kind === "atlas" || kind === "selection" || kind === "comparison") return { href: `?atlas=${id}`, always: true };
  if (kind === "audit") return { href: `?audit=${id}`, always: true };
  const made = kind === "icons" ? links.sheet : kind === "patches" ? links.self && `${links.self}/sheet` : kind === "projections" ? links.results : links.self;
  return made ? { href: made.slice(1), file: true } : null;
}

const cells = (number: number) => (number === 1 ? "one cell" : `${number} cells`);

/** What was asked for, such as "Samples that speak for wok"; `labels` are those of the model. */
export function saidOf({ kind, name, request, spec }: Pick<Job, "kind"> & Partial<Job>, labels: string[] | null | undefined): string {
  const asked = request ?? {};
  const label = (one: unknown) => (typeof one === "number" ? labels?.[one] ?? `class ${one}` : String(one ?? ""));
  if (kind === "atlas") return name ?? (spec?.layers ?? []).join(", ");
  if (kind === "selection") {
    if (asked.kind === "class") return `Samples that speak for ${label(asked.label)}`;
    if (asked.kind === "errors") return asked.label === null || asked.label === undefined ? "Samples of images got wrong" : `Images of ${label(asked.label)} got wrong`;
    return asked.kind === "region" ? `A region of ${asked.layer ?? "the map"}` : `A selection of ${asked.layer ?? "the map"}`;
  }
  if (kind === "comparison") return asked.kind === "models" ? "Two models on one map" : `${(asked.classes ?? []).map(label).join(" and ")} compared`;
  if (kind === "icons") return `Icons: ${ICONS[asked.kind as string]?.(asked, label) ?? asked.kind}`;
  if (kind === "drift") return asked.series ? `Drift in ${asked.series}` : "A dataset against the atlas";
  if (kind === "patches") return `What turns pictures into ${label(asked.target)}`;
  if (kind === "audit") return `Audit by ${asked.policy_name ?? "the policy"}`;
  return kind === "projections" ? "A batch of images placed" : kind;
}

const ICONS: Record<string, (asked: Record<string, any>, label: (one: unknown) => string) => string> = {
  channels: ({ channels = [] }) => (channels.length === 1 ? `channel ${channels[0]}` : `${channels.length} channels`),
  classes: ({ classes = [] }, label) => (classes.length === 1 ? label(classes[0]) : `${classes.length} classes`),
  sum: ({ cells: all = [] }) => `a sum of ${cells(all.length)}`,
  path: ({ steps }) => `a path of ${steps} steps`,
  selection: ({ label: one, cells: all }, label) => (one !== null && one !== undefined ? `what speaks for ${label(one)}` : all ? cells(all.length) : "a box of cells"),
  grid: () => "the grid of an image",
  dream: () => "a dream",
  composition: ({ cells: all = [] }) => `a composition of ${cells(all.length)}`,
};
