// The state of ONE map: what it shows, where it looks, what is pointed at. Features keep theirs by `feature`.

import { type Signal, batch, computed, effect, signal } from "@preact/signals";
import { Problem } from "./api";
import type { Source } from "./source";
import type { Atlas, Layer, Level } from "./types";

/** A cell of a level, by its side; row 0 is the top of the picture. */
export interface Place { side: number; column: number; row: number }

/** Where the map looks: its middle in the plane (unit square, y up), and how large; 1 shows all of it. */
export interface Camera { x: number; y: number; zoom: number }

export const WHOLE: Camera = { x: 0.5, y: 0.5, zoom: 1 };
const POLL = 1500; // milliseconds between looks at a job that runs

/** The cells of a level as columns, in the level's order. */
export class Cells {
  /** By row · side + column, the place of a cell in the columns, -1 where there is none. */
  readonly index: Int32Array;
  /** Samples of the fullest cell, and of all cells. */
  readonly most: number;
  readonly total: number;

  constructor(readonly layer: string, readonly side: number, readonly column: ArrayLike<number>, readonly row: ArrayLike<number>, readonly count: ArrayLike<number>) {
    this.index = new Int32Array(side * side).fill(-1);
    let most = 1, total = 0;
    for (let n = 0; n < count.length; n++) {
      this.index[row[n]! * side + column[n]!] = n;
      most = Math.max(most, count[n]!);
      total += count[n]!;
    }
    this.most = most;
    this.total = total;
  }

  get length(): number { return this.count.length; }

  /** The place of a cell in the columns, -1 where there is none. */
  at(column: number, row: number): number {
    const inside = column >= 0 && row >= 0 && column < this.side && row < this.side;
    return inside ? this.index[row * this.side + column]! : -1;
  }

  has(column: number, row: number): boolean { return this.at(column, row) >= 0; }
}

export class View {
  readonly atlas: Signal<Atlas>;
  /** Name of the layer that is shown. */
  readonly layer: Signal<string>;
  /** Cells a side as chosen by hand; null lets the zoom choose. */
  readonly side = signal<number | null>(null);
  /** Cells a side of the level that is shown. */
  readonly shownSide = signal(0);
  readonly camera = signal<Camera>(WHOLE);
  /** Columns of the shown level, null until they are there. */
  readonly cells = signal<Cells | null>(null);
  readonly hovered = signal<Place | null>(null);
  readonly selected = signal<Place | null>(null);
  /** Goes up with every look at a job that runs: tiles and measures may be other ones. */
  readonly looks = signal(0);
  /** What went wrong last; null while all is well. */
  readonly problem = signal<Problem | null>(null);

  readonly layerShown = computed<Layer | null>(() => this.atlas.value.layers.find((one) => one.name === this.layer.value) ?? null);
  readonly levels = computed<Level[]>(() => this.layerShown.value?.levels.filter((level) => level.ready) ?? []);
  readonly running = computed(() => ["queued", "running"].includes(this.atlas.value.state));
  private readonly ends: (() => void)[] = [];
  private readonly asked = new Map<string, Promise<Cells>>();

  /**
   * @param source Where it is read from.
   * @param atlas As it was read first.
   * @param prefix Of this map's keys in the address: empty for the first map.
   */
  constructor(readonly source: Source, atlas: Atlas, readonly prefix = "") {
    this.atlas = signal(atlas);
    const ready = atlas.layers.filter((layer) => layer.levels.some((level) => level.ready));
    this.layer = signal((ready.at(-1) ?? atlas.layers[0])?.name ?? "");
    this.ends.push(effect(() => this.keepLevel()), effect(() => this.load()));
    this.watch();
  }

  /** Level of a side in the shown layer. */
  level(side = this.shownSide.value): Level | null {
    return this.layerShown.value?.levels.find((level) => level.side === side) ?? null;
  }

  /** A level's columns, asked for once. */
  columns(layer: string, side: number): Promise<Cells> {
    const key = `${side} ${layer}`;
    const found = this.asked.get(key) ?? this.source.columns(layer, side);
    this.asked.set(key, found);
    found.catch(() => this.asked.delete(key));
    return found;
  }

  /** Stop looking at its job. */
  close(): void {
    for (const end of this.ends.splice(0)) end();
  }

  // A level that the shown layer has; the map refines the choice by its zoom.
  private keepLevel(): void {
    const { levels, side, shownSide } = this;
    const fixed = levels.value.find((level) => level.side === side.value);
    if (fixed) shownSide.value = fixed.side;
    else if (!levels.value.some((level) => level.side === shownSide.value)) shownSide.value = levels.value[0]?.side ?? 0;
  }

  private load(): void {
    const layer = this.layer.value, side = this.shownSide.value;
    this.looks.value; // what was not there is asked for again
    const held = this.cells.peek();
    if (!side || (held?.layer === layer && held.side === side)) return;
    this.columns(layer, side).then(
      (cells) => {
        if (this.layer.peek() !== layer || this.shownSide.peek() !== side) return; // another was chosen meanwhile
        batch(() => { this.cells.value = cells; this.problem.value = null; });
      },
      (error: unknown) => this.failed(error),
    );
  }

  private watch(): void {
    if (!this.running.peek()) return;
    const timer = setTimeout(async () => {
      try {
        const atlas = await this.source.refresh();
        batch(() => { this.atlas.value = atlas; this.looks.value += 1; this.problem.value = null; });
      } catch (error) {
        this.failed(error);
        if (!(error instanceof Problem && error.passing)) return;
      }
      this.watch();
    }, POLL);
    this.ends.push(() => clearTimeout(timer));
  }

  private failed(error: unknown): void {
    if (!(error instanceof Problem)) throw error;
    this.problem.value = error;
  }
}

/** State of a feature, one for each map: `const pathOf = feature((view) => signal<Path | null>(null))`. */
export function feature<T>(make: (view: View) => T): (view: View) => T {
  const made = new WeakMap<View, { value: T }>();
  return (view) => {
    let found = made.get(view);
    if (!found) made.set(view, (found = { value: make(view) }));
    return found.value;
  };
}
