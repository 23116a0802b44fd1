// What the service says of audits: docs/http.md, /told.

import type { Verdict } from "./parts/Standing";
import type { Job } from "./types";

export interface AuditSummary { verdict: Verdict; reason: string; checks: Record<string, Verdict>; exit_code: number }

export interface Named { id: string; name: string; images: number | null }

export interface AuditDocument {
  verdict: Verdict;
  atlas: string | null;
  model: Named;
  dataset: Named;
  base: Named;
  baseline: Named | null;
  policy: { name: string; text: string };
  accuracy: { top1: number; interval: [number, number]; images: number } | null;
  warnings: string[];
}

export interface AuditJob extends Job {
  request?: { model: string; dataset: string; policy_name?: string } | null;
  summary?: AuditSummary | null;
  description?: AuditDocument | null;
}

export interface Evidence { name: string | null; caption: string; role: string }

export interface ToldNumber { label: string; text: string; interval_text: string; is_compared_with: boolean; value: number | null; interval: [number, number] | null }

export interface ToldNumbers { items: ToldNumber[]; scale: number }

export interface ToldPictures { heading: string; items: Evidence[]; pairs: [Evidence, Evidence][] }

export interface ToldFinding {
  id: string;
  one: string;
  standing: "fails" | "noted" | "accepted";
  title: string;
  place: string;
  layer: string | null;
  side: number | null;
  cell: string | null;
  known_in_baseline: boolean | null;
  policy_key: string | null;
  policy_line: number | null;
  pictures: ToldPictures[];
  numbers: ToldNumbers;
  why: string | null;
  means: string | null;
  todo: string | null;
  accepted: { reason: string; expires: string | null } | null;
  remedy: { works: boolean; summary: string; numbers: ToldNumbers; model: string | null } | null;
  acceptance: string | null;
}

export interface ToldTable { title: string; columns: string[]; rows: { text: string; pictures: Evidence[]; is_number: boolean }[][]; more: number; pictures: Evidence[] }

export interface ToldCheck {
  check: string;
  title: string;
  verdict: Verdict | null;
  asks: string;
  reason: string;
  needs: string | null;
  coverage: number | null;
  findings: number;
  numbers: ToldNumber[];
  values: Record<string, string>;
  tables: ToldTable[];
}

export interface Told { title: string; reason: string; findings: ToldFinding[]; checks: ToldCheck[] }

/** Forms of the report by the suffix of their address. */
export const REPORTS: [suffix: string, text: string][] = [
  ["html", "One page (HTML)"], ["json", "The document (JSON)"], ["xml", "Tests (JUnit XML)"], ["sarif", "Code scanning (SARIF)"], ["md", "Summary (Markdown)"],
];

/** Where a finding is on the map. */
export function onTheMap(atlas: string, { layer, side, cell }: Pick<ToldFinding, "layer" | "side" | "cell">): string {
  const state = new URLSearchParams();
  if (layer) state.set("layer", layer);
  if (side && cell) { state.set("side", String(side)); state.set("cell", `${cell}-${side}`); }
  return `?atlas=${atlas}#${state}`;
}
