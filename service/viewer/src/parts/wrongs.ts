// What the service says against a request, by the field that it names.

import type { Problem } from "../api";

/** What is said of a field and all within it, "/layers" as of "/layers/0"; null where nothing is. */
export function wrongAt(problem: Problem | null, pointer: string): string | null {
  const found = problem?.errors.filter((one) => one.pointer === pointer || one.pointer?.startsWith(`${pointer}/`)) ?? [];
  return found.length ? found.map(({ detail }) => sentence(detail)).join(" ") : null;
}

/** What is said of none of these fields. */
export function wrongElsewhere(problem: Problem | null, pointers: string[]): string | null {
  if (!problem) return null;
  return pointers.some((pointer) => wrongAt(problem, pointer)) ? null : sentence(problem.message);
}

export const sentence = (text: string): string => `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? "" : "."}`;
