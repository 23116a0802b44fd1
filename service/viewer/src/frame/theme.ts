// Light, dark or as the system has it; kept in this browser.

import { computed, effect, signal } from "@preact/signals";

export type Theme = "system" | "light" | "dark";
export const THEMES: readonly Theme[] = ["system", "light", "dark"];
const KEY = "theme";
const system = matchMedia("(prefers-color-scheme: dark)");
const systemIsDark = signal(system.matches);
system.addEventListener("change", () => { systemIsDark.value = system.matches; });

export const theme = signal<Theme>(THEMES.find((one) => one === kept()) ?? "system");

/** Whether colours are those for the dark: what draws on a canvas must ask. */
export const dark = computed(() => (theme.value === "system" ? systemIsDark.value : theme.value === "dark"));

function kept(): string | null {
  try { return localStorage.getItem(KEY); } catch { return null; } // where a browser keeps nothing for pages
}

effect(() => {
  const chosen = theme.value;
  if (chosen === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = chosen;
  try {
    if (chosen === "system") localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, chosen);
  } catch { /* it holds until the page is left */ }
});

/** Have something done whenever colours change, once they have; returns what ends that. */
export function onColours(act: () => void): () => void {
  let first = true;
  return dark.subscribe(() => { if (!first) queueMicrotask(act); first = false; });
}
