// From an address to its page. Each page is a module of its own, fetched when it is first looked at.

import type { ComponentType } from "preact";
import { copy } from "../offline";

export interface PageProps { query: URLSearchParams }

export interface PageEntry {
  /** Key of the address that asks for it, empty for an address that asks for nothing. */
  key: string;
  load(): Promise<{ default: ComponentType<PageProps> }>;
}

export const PAGES: PageEntry[] = [
  { key: "atlas", load: () => import("./atlas") },
  { key: "selection", load: () => import("./atlas") },
  { key: "comparison", load: () => import("./comparison") },
  { key: "folder", load: () => import("./atlas") },
  { key: "new", load: () => import("./create") },
  { key: "models", load: () => import("./models") },
  { key: "model", load: () => import("./model") },
  { key: "datasets", load: () => import("./datasets") },
  { key: "dataset", load: () => import("./dataset") },
  { key: "audits", load: () => import("./audits") },
  { key: "audit", load: () => import("./audit") },
  { key: "jobs", load: () => import("./jobs") },
  { key: "", load: () => import("./list") },
];
const UNKNOWN: PageEntry = { key: "", load: () => import("./unknown") };

export function pageOf(query: URLSearchParams): PageEntry {
  if (copy) return PAGES.find(({ key }) => key === "atlas")!;
  const [asked = ""] = query.keys(); // what stands first; others say more about it
  return PAGES.find(({ key }) => key === asked) ?? UNKNOWN;
}
