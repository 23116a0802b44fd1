// Which levels are on the map: the one that the zoom or the hand chose, above what was there before until its tiles are.

import { effect, signal } from "@preact/signals";
import { onColours } from "../frame/theme";
import { displayOf } from "./display";
import type { Cells } from "../view";
import type { AtlasMap } from "./map";
import type { Style } from "./paint";
import { LevelTiles } from "./tiles";

const LEGIBLE = 24; // CSS pixels of a cell from which on the zoom chooses its level
const SMALLEST = 0.3; // side of an icon by its number of samples, of the cell's: smaller ones cannot be made out
const WISHES = 2; // tiles in view asked for before their turn, at each look at a job that runs

export class Levels {
  /** Goes up when the coarsest level was painted anew. */
  readonly paints = signal(0);
  private base: LevelTiles | null = null;
  private stale: LevelTiles | null = null; // what was shown before, until what is shown is painted
  private shown: LevelTiles | null = null;
  private readonly ends: (() => void)[] = [];
  private pending = 0;

  constructor(private readonly map: AtlasMap) {
    const { view, viewer } = map;
    this.ends.push(
      effect(() => this.choose()),
      effect(() => { view.looks.value; void this.put(view.layer.value, view.shownSide.value); }),
      effect(() => { if (view.looks.value) { this.refresh(); this.ask(); } }),
      effect(() => { displayOf(view).density.value; this.refresh(); }),
      effect(() => { this.hide(displayOf(view).shown.value === "points"); }),
    );
    viewer.addHandler("animation-finish", () => this.refresh());
    viewer.addHandler("resize", () => { this.choose(); this.refresh(); });
    this.ends.push(onColours(() => this.refresh()));
  }

  /** How tiles are painted now. */
  style(cells: Cells, lowest: boolean): Style {
    const { view, element } = this.map, colours = getComputedStyle(element), density = displayOf(view).density.peek();
    const bare = view.atlas.peek().seeded === null;
    const mean = cells.total / cells.side ** 2;
    return {
      ground: colours.getPropertyValue("--map").trim(),
      ink: colours.getPropertyValue(bare ? "--ink" : "--empty").trim(),
      shades: bare ? [0.06, 0.72] : lowest ? [0.35, 0.65] : null,
      scale: density === null ? () => 1 : (count) => Math.min(1, Math.max(SMALLEST, Math.sqrt((density * count) / mean))),
    };
  }

  /** A tile was painted: what lies beneath may go. */
  painted(): void {
    if (this.base) this.paints.value += 1;
    const { shown } = this, { dataset } = this.map.element;
    dataset.painted = shown?.ready ? `${shown.cells.layer} ${shown.cells.side}` : "";
    if (this.stale && shown?.ready) this.retire(null);
  }

  /** The whole map by its coarsest level, into a square. */
  drawSmall(context: CanvasRenderingContext2D, size: number): void { this.base?.drawWhole(context, size); }

  close(): void {
    for (const end of this.ends.splice(0)) end();
    this.clear();
  }

  private hide(hidden: boolean): void {
    for (const tiles of this.all) tiles.image?.setOpacity(hidden ? 0 : 1);
  }

  private refresh(): void {
    cancelAnimationFrame(this.pending);
    this.pending = requestAnimationFrame(() => {
      for (const tiles of this.all) tiles.refresh();
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
    const [cells, lowest] = await Promise.all([view.columns(layer, side), view.columns(layer, coarsest)]).catch(() => [null, null]);
    if (!cells || !lowest || view.layer.peek() !== layer || view.shownSide.peek() !== side || this.shown?.cells === cells) return;
    const { base, shown } = this;
    if (shown && shown !== base) this.retire(shown);
    if (base && base.cells !== lowest) base === shown ? this.retire(base) : base.close();
    if (base?.cells !== lowest) this.base = new LevelTiles(this.map, lowest, true);
    this.shown = cells === lowest ? this.base : new LevelTiles(this.map, cells, false);
    this.painted();
    this.map.redraw();
  }

  /** Whether something is still seen beneath the coarsest level. */
  get covers(): boolean { return this.stale !== null; }

  private get all(): Set<LevelTiles> { return new Set([this.base, this.stale, this.shown].filter((tiles) => tiles !== null)); }

  // Leave one level beneath, or none; one that was never painted is of no use there.
  private retire(tiles: LevelTiles | null): void {
    const useful = tiles === null || tiles.ready;
    (useful ? this.stale : tiles)?.close();
    if (useful) this.stale = tiles;
  }

  private clear(): void {
    for (const tiles of this.all) tiles.close();
    this.base = this.stale = this.shown = null;
  }

  // Tiles in view that are not there yet come first.
  private ask(): void {
    const { view } = this.map, cells = this.shown?.cells;
    if (!cells || !view.running.peek() || view.atlas.peek().seeded === null) return;
    const lacking = this.shown!.placesInView().filter(([x, y]) => !view.source.tile(cells.layer, cells.side, x, y));
    for (const [x, y] of lacking.slice(0, WISHES)) view.source.wish(cells.layer, cells.side, x, y);
  }
}
