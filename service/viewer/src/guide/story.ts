// What the guide tells, from the atlas's own data: a cell whose icon is true, a picture of which a patch fell into it, and the others.

import { json, quoted } from "../api";
import { samplesOfCell } from "../samples";
import { ServiceSource } from "../source";
import type { CellDocument, SampleDocument } from "../types";
import type { Place, View } from "../view";

export interface Story {
  layer: string;
  place: Place;
  cell: CellDocument;
  /** Samples of one picture, that of the cell first; empty where no pictures are kept. */
  picture: SampleDocument[];
  /** Samples of the cell. */
  mates: SampleDocument[];
}

const MATES = 24, PATCHES = 6, LOOKED = 1000;

/** Tell it of the layer that is shown; null where there is no cell. */
export async function storyOf(view: View): Promise<Story | null> {
  const layer = view.layer.peek(), side = view.shownSide.peek();
  const place = side ? await truest(view, layer, side) : null;
  const cell = place && (await view.source.cell(layer, place.side, place.column, place.row));
  if (!place || !cell) return null;
  const { source } = view;
  if (!(source instanceof ServiceSource)) return { layer, place, cell, picture: [], mates: [] };
  const { items } = await samplesOfCell(source, layer, place, { token: null, size: LOOKED, wrong: false });
  const step = Math.max(1, items.length / MATES), mates = items.filter((_, n) => Math.floor(n / step) > Math.floor((n - 1) / step)); // from all over the cell
  return { layer, place, cell, mates, picture: await pictureOf(source, layer, cell) };
}

// The cell with the truest icon of what is most alike, among those that are at least as full as half of them; without icons the most alike, or in a folder the fullest.
async function truest(view: View, layer: string, side: number): Promise<Place | null> {
  const cells = await view.columns(layer, side), counts = Array.from(cells.count);
  const wanted = view.atlas.peek().seeded === null ? ["coherence"] : ["coherence", "fidelity"];
  const measured = (await Promise.all(wanted.map((measure) => measureOf(view, layer, side, measure)))).filter((values) => values !== null);
  const least = [...counts].sort((a, b) => a - b)[counts.length >> 1] ?? 0;
  const worth = counts.map((count, n) => (count < least ? -1 : measured.reduce((product, values) => product * Math.max(0, values[n] ?? 0), measured.length ? 1 : count)));
  const best = worth.reduce((best, value, n) => (value > worth[best]! ? n : best), 0);
  return cells.length ? { side, column: cells.column[best]!, row: cells.row[best]! } : null;
}

// A measure of every cell, in the level's order; null where it is not told.
async function measureOf(view: View, layer: string, side: number, measure: string): Promise<(number | null)[] | null> {
  if (!(view.source instanceof ServiceSource)) return null;
  return json<{ value: (number | null)[] }>(`${view.source.level(layer, side)}/heatmap?measure=${measure}`).then(({ value }) => value, () => null);
}

async function pictureOf(source: ServiceSource, layer: string, { exemplars }: CellDocument): Promise<SampleDocument[]> {
  const [first] = exemplars ?? [];
  if (!first) return [];
  const query = new URLSearchParams({ image: String(first.image), page_size: "100" });
  const { items } = await json<{ items: SampleDocument[] }>(`${source.root}/layers/${quoted(layer)}/samples?${query}`);
  const own = ({ row, column }: SampleDocument) => row === first.row && column === first.column;
  return apart([...items.filter(own), ...items.filter((one) => !own(one))].filter((one) => one.crop !== null), PATCHES);
}

// The first, then always the one that lies farthest in the picture from all before it, so that their numbers can be read.
function apart(all: SampleDocument[], most: number): SampleDocument[] {
  const taken = all.slice(0, 1), left = all.slice(1);
  const near = (one: SampleDocument) => Math.min(...taken.map(({ row, column }) => Math.hypot(row - one.row, column - one.column)));
  while (left.length && taken.length < most) {
    const farthest = left.reduce((best, one, n) => (near(one) > near(left[best]!) ? n : best), 0);
    taken.push(...left.splice(farthest, 1));
  }
  return taken;
}
