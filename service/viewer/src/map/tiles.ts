// The tiles of one level as OpenSeadragon draws them: canvases of ours, painted anew when a better picture comes.

import OpenSeadragon from "openseadragon";
import { picture } from "../api";
import { TILE_SIDE } from "../source";
import type { Cells } from "../view";
import { displayOf } from "./display";
import type { AtlasMap } from "./map";
import { type Style, paintTile } from "./paint";

const UNIT = 1024; // pixels of a cell in OpenSeadragon's reckoning, more than any icon has
const LEAST = 8; // pixels of a cell that are painted at least

/** A tile: its canvas, and the picture it was painted from. */
interface Tile { x: number; y: number; context: CanvasRenderingContext2D; digest: string | null; blob: ImageBitmapSource | null; bitmap: ImageBitmap | null; pixels: number; asking: string | null; settled: boolean }

export class LevelTiles {
  image: OpenSeadragon.TiledImage | null = null;
  private readonly tiles = new Map<string, Tile>();
  private readonly places: ReadonlySet<string>;
  private closed = false;

  /** @param lowest Whether nothing lies beneath: where a picture is missing, counts are painted. */
  constructor(private readonly map: AtlasMap, readonly cells: Cells, readonly lowest: boolean) {
    const tile = (cell: number) => Math.floor(cell / TILE_SIDE);
    this.places = new Set(Array.from({ length: cells.length }, (_, n) => `${tile(cells.column[n]!)}-${tile(cells.row[n]!)}`));
    map.viewer.addTiledImage({
      tileSource: this.source() as never, x: 0, y: 0, width: 1, opacity: displayOf(map.view).shown.peek() === "points" ? 0 : 1,
      success: (event) => {
        const { item } = event as unknown as { item: OpenSeadragon.TiledImage };
        if (this.closed) map.viewer.world.removeItem(item);
        else this.image = item;
      },
    });
  }

  /** Whether every tile in view that there is a picture of is painted. */
  get ready(): boolean {
    return this.image !== null && this.placesInView().every(([x, y]) => this.tiles.get(`${x}-${y}`)?.settled);
  }

  /** Places of the tiles in view that have cells, nearest to the middle first. */
  placesInView(): [number, number][] {
    const { side } = this.cells, { left, top, size } = this.map.square, bounds = this.map.viewer.viewport.getContainerSize();
    const across = (size / side) * TILE_SIDE, last = Math.ceil(side / TILE_SIDE) - 1;
    const range = (start: number, room: number) => [Math.max(0, Math.floor(-start / across)), Math.min(last, Math.floor((room - start) / across))] as const;
    const [x0, x1] = range(left, bounds.x), [y0, y1] = range(top, bounds.y), found: [number, number][] = [];
    for (let y = y0; y <= y1; y++) for (let x = x0; x <= x1; x++) if (this.filled(x, y)) found.push([x, y]);
    const far = ([x, y]: [number, number]) => Math.hypot(left + (x + 0.5) * across - bounds.x / 2, top + (y + 0.5) * across - bounds.y / 2);
    return found.sort((a, b) => far(a) - far(b));
  }

  /** All that is painted of it, into a square; counts where it is not. */
  drawWhole(context: CanvasRenderingContext2D, size: number): void {
    const { side } = this.cells, step = size / side;
    const bare = this.map.levels.style(this.cells, true);
    for (let y = 0; y * TILE_SIDE < side; y++) {
      for (let x = 0; x * TILE_SIDE < side; x++) {
        const tile = this.tiles.get(`${x}-${y}`), across = Math.min(TILE_SIDE, side - x * TILE_SIDE), down = Math.min(TILE_SIDE, side - y * TILE_SIDE);
        const small = tile?.context ?? document.createElement("canvas").getContext("2d")!;
        if (!tile) paintTile(small, null, this.cells, x, y, LEAST, bare);
        context.drawImage(small.canvas, x * TILE_SIDE * step, y * TILE_SIDE * step, across * step, down * step);
      }
    }
  }

  /** Paint again: another style, other pictures, or more pixels where the map was zoomed. */
  refresh(): void {
    for (const tile of this.tiles.values()) this.update(tile);
  }

  close(): void {
    this.closed = true;
    if (this.image) this.map.viewer.world.removeItem(this.image);
    for (const tile of this.tiles.values()) tile.bitmap?.close();
    this.tiles.clear();
  }

  private filled(x: number, y: number): boolean { return this.places.has(`${x}-${y}`); }

  private source(): OpenSeadragon.TileSource {
    const size = this.cells.side * UNIT, name = `${this.cells.layer} ${this.cells.side}`;
    const source = new OpenSeadragon.TileSource({ width: size, height: size, tileSize: TILE_SIDE * UNIT, tileOverlap: 0, minLevel: 0, maxLevel: 0 } as never);
    return Object.assign(source, {
      getTileUrl: (_: number, x: number, y: number) => `${name} ${x} ${y}`,
      tileExists: () => true,
      hasTransparency: () => false,
      downloadTileStart: (job: any) => { const { x, y } = job.tile; job.finish(this.fresh(x, y), null, "context2d"); },
      downloadTileAbort: () => undefined,
    });
  }

  // OpenSeadragon empties the canvas of a tile that it drops, and may ask for it again.
  private fresh(x: number, y: number): CanvasRenderingContext2D {
    const tile = this.tiles.get(`${x}-${y}`) ?? this.tile(x, y);
    this.update(tile);
    return tile.context;
  }

  private tile(x: number, y: number): Tile {
    const context = document.createElement("canvas").getContext("2d")!;
    const tile: Tile = { x, y, context, digest: null, blob: null, bitmap: null, pixels: 0, asking: null, settled: false };
    this.tiles.set(`${x}-${y}`, tile);
    return tile;
  }

  // Pixels of a cell that are worth painting: as many as the screen shows, in powers of two so that zooming paints seldom;
  // few of a tile far from view, so that a long walk over a large map does not fill the memory.
  private wanted({ x, y }: Tile): number {
    const { left, top, size } = this.map.square, { x: width, y: height } = this.map.viewer.viewport.getContainerSize();
    const across = (size / this.cells.side) * TILE_SIDE;
    const near = (start: number, room: number) => start < 2 * room && start + across > -room;
    if (!near(left + x * across, width) || !near(top + y * across, height)) return LEAST;
    const shown = (across / TILE_SIDE) * (devicePixelRatio || 1);
    return Math.max(LEAST, 2 ** Math.ceil(Math.log2(shown)));
  }

  private update(tile: Tile): void {
    const { view } = this.map, { layer, side } = this.cells;
    const picture = this.filled(tile.x, tile.y) && view.atlas.peek().seeded !== null ? view.source.tile(layer, side, tile.x, tile.y) : null;
    if (picture && tile.digest !== picture.digest) void this.fetch(tile, picture.url, picture.digest);
    else if (tile.blob && tile.pixels !== this.wanted(tile)) void this.decode(tile);
    tile.settled = tile.bitmap !== null || tile.asking === null;
    this.paint(tile);
  }

  private async fetch(tile: Tile, url: string, digest: string): Promise<void> {
    if (tile.asking === digest) return;
    tile.asking = digest;
    const blob = await picture(url).catch(() => null);
    if (tile.asking !== digest || this.closed) return; // another picture is there meanwhile
    tile.asking = null;
    if (blob) Object.assign(tile, { blob, digest });
    if (blob) await this.decode(tile);
    tile.settled = true;
    this.map.levels.painted();
  }

  private async decode(tile: Tile): Promise<void> {
    const blob = tile.blob!, pixels = this.wanted(tile), across = Math.min(TILE_SIDE, this.cells.side - tile.x * TILE_SIDE);
    tile.pixels = pixels;
    const whole = await createImageBitmap(blob).catch(() => null);
    if (!whole || this.closed || tile.blob !== blob) return whole?.close();
    const width = Math.min(whole.width, pixels * across);
    const bitmap = width < whole.width ? await createImageBitmap(whole, { resizeWidth: width, resizeQuality: "high" }) : whole;
    if (bitmap !== whole) whole.close();
    tile.bitmap?.close();
    tile.bitmap = bitmap;
    this.paint(tile);
    this.map.levels.painted();
  }

  private paint(tile: Tile): void {
    if (this.closed) return;
    // Counts stand in for a picture, but not above what was seen before while one is on its way.
    const style: Style = this.map.levels.style(this.cells, this.lowest && (tile.settled || !this.map.levels.covers));
    paintTile(tile.context, tile.bitmap, this.cells, tile.x, tile.y, this.wanted(tile), style);
    this.map.viewer.forceRedraw();
  }
}
