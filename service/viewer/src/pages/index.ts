// From an address to its page. Each page is a module of its own, fetched when it is first looked at.

import type { ComponentType } from "preact";
import { copy } from "../offline";

export interface PageProps { query: URLSearchParams }

export interface PageEntry {
  /** Key of the address that asks for it, empty for none of the others. */
  key: string;
  load(): Promise<{ default: ComponentType<PageProps> }>;
}

export const PAGES: PageEntry[] = [
  { key: "atlas", load: () => import("./atlas") },
  { key: "selection", load: () => import("./atlas") },
  { key: "comparison", load: () => import("./comparison") },
  { key: "folder", load: () => import("./atlas") },
  { key: "", load: () => import("./list") },
];

export function pageOf(query: URLSearchParams): PageEntry {
  if (copy) return PAGES.find(({ key }) => key === "atlas")!;
  return PAGES.find(({ key }) => key !== "" && query.has(key)) ?? PAGES.find(({ key }) => key === "")!;
}
