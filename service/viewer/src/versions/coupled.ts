// Two halves of one map: a view of each, and which samples are twins.

import { type Signal, effect, signal } from "@preact/signals";
import { Problem, bytes, json } from "../api";
import type { Strongest } from "../clarity";
import { type Lit, litOf } from "../linked/lit";
import { moveTogether } from "../linked/linking";
import type { Source } from "../source";
import type { Atlas } from "../types";
import { Cells, type Place, View, feature } from "../view";
import { HALVES, type HalfCells, type Halves, type VersionLayer, type Which, local } from "./told";

const POINTS = 400; // lit at most

/** The samples of one half: x and y of each, its cell (row · side + column), and its twin in the other half, -1 for none. */
export interface Half { points: Float32Array; cell: Int32Array; twin: Int32Array; cells: HalfCells }

// A half is shown as an atlas without icons of one layer and one level.
class HalfSource implements Source {
  readonly live = false;
  readonly root = "";
  readonly version = "";
  constructor(private readonly atlas: Atlas, private readonly side: number, private readonly cells: HalfCells) {}
  async refresh(): Promise<Atlas> { return this.atlas; }
  async columns(layer: string): Promise<Cells> { return new Cells(layer, this.side, this.cells.column, this.cells.row, this.cells.samples); }
  async cell(): Promise<null> { return null; }
  async strongest(): Promise<Strongest> { return { value: this.cells.samples.map(() => null), count: this.cells.samples }; } // halves are not attributed
  async cellsOfTile(): Promise<[]> { return []; }
  tile(): null { return null; }
  wish(): void {}
  exemplar(): null { return null; }
  async points(): Promise<null> { return null; }
  async names(): Promise<[]> { return []; }
  readonly measures: string[] = [];
  readonly hasClasses = false;
  async heat(): Promise<never> { throw new Problem(404, "Half of a comparison of versions has no heat maps."); }
}

export class Coupled {
  readonly side: number;
  readonly view: Record<Which, View>;
  readonly half: Record<Which, Half>;
  private readonly ends: (() => void)[] = [];

  constructor(readonly layer: VersionLayer, halves: Halves, points: Record<Which, Float32Array>, twins: Int32Array) {
    this.side = halves.side;
    const back = new Int32Array(points.new.length / 2).fill(-1);
    twins.forEach((twin, n) => { if (twin >= 0) back[twin] = n; });
    this.half = {
      old: { points: points.old, cell: binned(points.old, this.side), twin: twins, cells: halves.old },
      new: { points: points.new, cell: binned(points.new, this.side), twin: back, cells: halves.new },
    };
    this.view = { old: this.shown("old", layer.layer, ""), new: this.shown("new", layer.other, "b.") };
    this.ends.push(moveTogether(this.view.old, this.view.new), this.lightFrom("old"), this.lightFrom("new"));
  }

  private shown(which: Which, layer: string, prefix: string): View {
    const levels = [{ side: this.side, z: 0, ready: true, complete: true, qualities: null }];
    const atlas: Atlas = {
      id: "", name: null, state: "succeeded", spec: {}, names: {}, progress: {}, etaSeconds: null, error: null, manifest: null,
      layers: [{ name: layer, levels, qualities: null }], seeded: null,
    };
    const view = new View(new HalfSource(atlas, this.side, this.half[which].cells), atlas, prefix);
    coupledOf(view).value = { coupled: this, which };
    return view;
  }

  /** Places of a half's samples that lie in a cell. */
  samplesIn(which: Which, { column, row }: Place): number[] {
    const wanted = row * this.side + column, found: number[] = [];
    this.half[which].cell.forEach((cell, n) => { if (cell === wanted) found.push(n); });
    return found;
  }

  /** Where the twins of a cell's samples lie on the other half, the fullest cells first. */
  follow(which: Which, place: Place): Lit & { samples: number; followed: number } {
    const other = this.half[which === "old" ? "new" : "old"], samples = this.samplesIn(which, place);
    const twins = samples.map((n) => this.half[which].twin[n]!).filter((twin) => twin >= 0), counts = new Map<number, number>();
    for (const twin of twins) counts.set(other.cell[twin]!, (counts.get(other.cell[twin]!) ?? 0) + 1);
    const sorted = [...counts].sort(([, a], [, b]) => b - a);
    return {
      side: this.side, samples: samples.length, followed: twins.length,
      column: sorted.map(([cell]) => cell % this.side), row: sorted.map(([cell]) => Math.floor(cell / this.side)), share: sorted.map(([, times]) => times / twins.length),
      points: twins.slice(0, POINTS).map((twin) => [other.points[2 * twin]!, other.points[2 * twin + 1]!] as const),
    };
  }

  // What is pointed at, or else chosen, in one half is lit in the other.
  private lightFrom(which: Which): () => void {
    const from = this.view[which], to = this.view[which === "old" ? "new" : "old"];
    return effect(() => {
      const place = from.hovered.value ?? (to.hovered.value ? null : from.selected.value);
      litOf(to).value = place && this.follow(which, place);
    });
  }

  /** Choose a cell of one half, and look at it on both. */
  choose(which: Which, { column, row }: { column: number; row: number }): void {
    const other = which === "old" ? "new" : "old", camera = this.view[which].camera.peek();
    this.view[other].selected.value = null;
    this.view[which].selected.value = { side: this.side, column, row };
    if (camera.zoom > 1.3) this.view[which].camera.value = { ...camera, x: (column + 0.5) / this.side, y: 1 - (row + 0.5) / this.side };
  }

  close(): void {
    for (const end of this.ends.splice(0)) end();
    for (const which of HALVES) this.view[which].close();
  }
}

/** Which half of what a view shows; null for any other map. */
export const coupledOf = feature((_: View): Signal<{ coupled: Coupled; which: Which } | null> => signal(null));

/** Read both halves of a layer's map. */
export async function coupled(layer: VersionLayer): Promise<Coupled> {
  const [halves, points, twins] = await Promise.all([json<Halves>(local(layer.coupled)), bytes(local(layer.points)), bytes(local(layer.twins))]);
  const both = new Float32Array(points), own = new Int32Array(twins);
  return new Coupled(layer, halves, { old: both.subarray(0, 2 * own.length), new: both.subarray(2 * own.length) }, own);
}

function binned(points: Float32Array, side: number): Int32Array {
  const within = (value: number) => Math.min(side - 1, Math.floor(value * side));
  return Int32Array.from({ length: points.length / 2 }, (_, n) => (side - 1 - within(points[2 * n + 1]!)) * side + within(points[2 * n]!));
}
