// Whether a cell speaks for a class clearly, as atlas_core/clarity.py judges it: beside what the cells of its level add to theirs.

import { signal } from "@preact/signals";
import { enoughSamples } from "./enough";
import { brief } from "./parts/words";
import type { CellDocument, ClassAmount } from "./types";
import { type View, feature } from "./view";

const QUANTILE = 0.95, NEGLIGIBLE = 0.1;

/** What the cells of a level add to the classes that they add most to, in logits; null where nothing is known of a cell. */
export interface Strongest { value: (number | null)[]; count: number[] }

/** What one cell in twenty reaches, among those with enough samples; 0 where nothing is known. */
export function scaleOf({ value, count }: Strongest): number {
  const enough = enoughSamples(count);
  const known = value.filter((one, n): one is number => one !== null && count[n]! >= enough).sort((a, b) => a - b);
  if (!known.length) return 0;
  const at = QUANTILE * (known.length - 1), below = Math.floor(at);
  return Math.max(0, known[below]! + (at - below) * ((known[below + 1] ?? known[below]!) - known[below]!));
}

const scales = feature((_: View) => signal<ReadonlyMap<string, number>>(new Map()));
const asking = feature((_: View) => ({ value: new Map<string, Promise<number>>() }));

/** The scale of a level, asked for once; 0 where nobody knows. */
export function readScale(view: View, layer: string, side: number): Promise<number> {
  const key = `${side} ${layer}`, asked = asking(view).value, held = asked.get(key);
  if (held) return held;
  const found = view.source.strongest(layer, side).then(scaleOf, () => 0);
  asked.set(key, found);
  found.then((scale) => { scales(view).value = new Map([...scales(view).peek(), [key, scale]]); }, () => undefined);
  return found;
}

/** The scale of a level for whoever draws: undefined until it is known. Ask only once cells have classes. */
export function scaleFor(view: View, layer: string, side: number): number | undefined {
  const known = scales(view).value.get(`${side} ${layer}`);
  if (known === undefined) void readScale(view, layer, side);
  return known;
}

const isClear = (one: ClassAmount, scale: number): boolean => one.attribution > 0 && one.attribution >= NEGLIGIBLE * scale;

/** The class that a cell speaks for; null where it has none or no clear one, undefined until that is known. */
export function clearClass(view: View, layer: string, side: number, cell: Pick<CellDocument, "classes"> | null): ClassAmount | null | undefined {
  if (!cell || cell.classes === null) return undefined;
  const [first] = cell.classes, scale = first && scaleFor(view, layer, side);
  if (first && scale === undefined) return undefined;
  return first && isClear(first, scale!) ? first : null;
}

/** The same for whoever can wait. */
export async function clearClassOf(view: View, layer: string, side: number, { classes }: CellDocument): Promise<ClassAmount | null> {
  const [first] = classes ?? [];
  return first && isClear(first, await readScale(view, layer, side)) ? first : null;
}

export const UNCLEAR = "No clear class";

/** What a cell is headed with, by its clear class as `clearClass` gives it. */
export function headed(first: ClassAmount | null | undefined, cell: Pick<CellDocument, "classes"> | null): string {
  return first ? `Speaks for ${brief(first.name)}` : first === null && cell?.classes?.length ? UNCLEAR : "Cell";
}
