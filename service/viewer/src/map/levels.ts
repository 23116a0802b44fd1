// Which levels are on the map: the one that the zoom or the hand chose, above what was there before until its tiles are.

import { effect, signal } from "@preact/signals";
import { onColours } from "../frame/theme";
import { displayOf } from "./display";
import type { AtlasMap } from "./map";
import type { Style } from "./paint";
import { LevelTiles } from "./tiles";

const LEGIBLE = 30; // CSS pixels of a cell from which on the zoom chooses its level
const WISHES = 2; // tiles in view asked for before their turn, at each look at a job that runs

export class Levels {
  /** Goes up when the coarsest level was painted anew. */
  readonly paints = signal(0);
  private base: LevelTiles | null = null;
  private under: LevelTiles | null = null;
  private shown: LevelTiles | null = null;
  private readonly ends: (() => void)[] = [];
  private pending = 0;

  constructor(private readonly map: AtlasMap) {
    const { view, viewer } = map;
    this.ends.push(
      effect(() => this.choose()),
      effect(() => { void this.put(view.layer.value, view.shownSide.value); }),
      effect(() => { if (view.looks.value) { this.refresh(); this.ask(); } }),
      effect(() => { displayOf(view).density.value; this.refresh(); }),
      effect(() => { this.hide(displayOf(view).shown.value === "points"); }),
    );
    viewer.addHandler("animation-finish", () => this.refresh());
    viewer.addHandler("resize", () => { this.choose(); this.refresh(); });
    this.ends.push(onColours(() => this.refresh()));
  }

  /** How tiles are painted now. */
  style(lowest: boolean): Style {
    const { view, element } = this.map, colours = getComputedStyle(element), density = displayOf(view).density.peek();
    const bare = view.atlas.peek().seeded === null;
    const cells = view.cells.peek();
    const mean = cells ? Array.from(cells.count).reduce((sum, count) => sum + count, 0) / cells.side ** 2 : 1;
    return {
      ground: colours.getPropertyValue("--map").trim(),
      ink: colours.getPropertyValue(bare ? "--ink" : "--empty").trim(),
      shades: bare ? [0.06, 0.72] : lowest ? [0.35, 0.65] : null,
      scale: density === null ? () => 1 : (count) => Math.min(1, Math.sqrt((density * count) / mean)),
    };
  }

  /** A tile was painted: what lies beneath may go. */
  painted(): void {
    if (this.base) this.paints.value += 1;
    const { shown } = this, { dataset } = this.map.element;
    dataset.painted = shown?.ready ? `${shown.cells.layer} ${shown.cells.side}` : "";
    if (this.under && this.shown?.ready) {
      this.under.close();
      this.under = null;
    }
  }

  /** The whole map by its coarsest level, into a square. */
  drawSmall(context: CanvasRenderingContext2D, size: number): void { this.base?.drawWhole(context, size); }

  close(): void {
    for (const end of this.ends.splice(0)) end();
    for (const tiles of new Set([this.base, this.under, this.shown])) tiles?.close();
  }

  private hide(hidden: boolean): void {
    for (const tiles of new Set([this.base, this.under, this.shown])) tiles?.image?.setOpacity(hidden ? 0 : 1);
  }

  private refresh(): void {
    cancelAnimationFrame(this.pending);
    this.pending = requestAnimationFrame(() => {
      for (const tiles of new Set([this.base, this.under, this.shown])) tiles?.refresh();
      this.painted();
      this.map.redraw();
    });
  }

  // The finest level whose cells are large enough to be told apart, unless one was chosen by hand.
  private choose(): void {
    const { view } = this.map, { zoom } = view.camera.value, levels = view.levels.value;
    if (view.side.value !== null || !levels.length) return;
    const legible = levels.filter((level) => (this.map.home * zoom) / level.side >= LEGIBLE);
    view.shownSide.value = (legible.at(-1) ?? levels[0]!).side;
  }

  private async put(layer: string, side: number): Promise<void> {
    if (!side) return this.clear();
    const { view } = this.map, coarsest = view.levels.peek()[0]?.side ?? side;
    if (this.shown?.cells.layer !== layer) this.clear();
    const [cells, lowest] = await Promise.all([view.columns(layer, side), view.columns(layer, coarsest)]).catch(() => [null, null]);
    if (!cells || !lowest || view.layer.peek() !== layer || view.shownSide.peek() !== side || this.shown?.cells === cells) return;
    this.base ??= new LevelTiles(this.map, lowest, true);
    if (this.under && this.under !== this.base) this.under.close();
    if (this.shown?.ready && this.shown !== this.base) this.under = this.shown;
    else if (this.shown !== this.base) this.shown?.close();
    this.shown = cells === lowest ? this.base : new LevelTiles(this.map, cells, false);
    this.painted();
    this.map.redraw();
  }

  private clear(): void {
    for (const tiles of new Set([this.base, this.under, this.shown])) tiles?.close();
    this.base = this.under = this.shown = null;
  }

  // Tiles in view that are not there yet come first.
  private ask(): void {
    const { view } = this.map, cells = this.shown?.cells;
    if (!cells || !view.running.peek() || view.atlas.peek().seeded === null) return;
    const lacking = this.shown!.placesInView().filter(([x, y]) => !view.source.tile(cells.layer, cells.side, x, y));
    for (const [x, y] of lacking.slice(0, WISHES)) view.source.wish(cells.layer, cells.side, x, y);
  }
}
