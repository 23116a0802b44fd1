// Numbers and names as people read them.

export const count = (value: number | null | undefined): string => (value ?? 0).toLocaleString("en");

export const percent = (value: number | null | undefined): string =>
  value === null || value === undefined ? "–" : `${(100 * value).toFixed(value !== 0 && value < 0.095 ? 1 : 0)} %`;

export const decimal = (value: number | null | undefined): string => (value === null || value === undefined ? "–" : value.toFixed(2).replace(/^-(0\.0+)$/, "$1"));

/** Attributions differ by orders of magnitude between models. */
export const amount = (value: number): string => (Math.abs(value) >= 0.1 || value === 0 ? value.toFixed(2) : String(Number(value.toPrecision(2))));

/** ImageNet names classes by all their synonyms. */
export const brief = (name: string): string => name.split(", ")[0]!;

export const seeding = (seeded: boolean | null): string =>
  seeded === null ? "No icons" : seeded ? "Seeded from data" : "Pure: no data in the picture";

/** What the service says against a request, which begins small, as a sentence of its own. */
export const sentence = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".");
