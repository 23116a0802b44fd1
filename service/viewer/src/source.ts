// Where an atlas is read from: the service that serves it, or a folder of `atlas build` beside the page.

import { Problem, bytes, json, listOf, quoted } from "./api";
import { TOLD, heatOfCells, heatOfClass } from "./heat/folder";
import { type HeatDocument, MEASURES, classIn } from "./heat/scale";
import type { PlaceName } from "./names/names";
import { type Copy, copy } from "./offline";
import type { Atlas, CellDocument, Job, Layer, Manifest } from "./types";
import type { Strongest } from "./clarity";
import { rowOfHalves } from "./table";
import { Cells } from "./view";

export const TILE_SIDE = 10;

/** The picture of a tile; another digest is another picture. */
export interface TilePicture { url: string; digest: string; preview: boolean }

/** All samples of a layer; number n is the same sample at every layer of an atlas. */
export class Points {
  readonly count: number;
  /** Pairs x, y in the plane. */
  readonly places: Float32Array<ArrayBuffer>;
  /** Classes, -1 where there is none. */
  readonly label: Int16Array<ArrayBuffer>;
  readonly predicted: Int16Array<ArrayBuffer>;
  /** 1 where the network is right about the sample's image, 0 where it is wrong, -1 where nobody knows. */
  readonly right: Int8Array<ArrayBuffer>;

  constructor(readonly layer: string, data: ArrayBuffer) {
    const n = (this.count = Math.floor(data.byteLength / 13));
    this.places = new Float32Array(data, 0, 2 * n);
    this.label = new Int16Array(data, 8 * n, n);
    this.predicted = new Int16Array(data, 10 * n, n);
    this.right = new Int8Array(data, 12 * n, n);
  }
}

export interface Source {
  /** Whether a service stands behind it, which can be asked for samples, projections, jobs. */
  readonly live: boolean;
  /** Path of the atlas below what answers, a service or an offline copy; empty where nobody does, as for a folder. */
  readonly root: string;
  /** Part of a query by which what a published atlas answers may be kept; empty until then, and where nobody answers. */
  readonly version: string;
  /** The atlas as it is now. */
  refresh(): Promise<Atlas>;
  /** A level's cells as columns, compactly. */
  columns(layer: string, side: number): Promise<Cells>;
  /** What each cell of a level adds to the class that it adds most to, once cells have classes. */
  strongest(layer: string, side: number): Promise<Strongest>;
  /** One cell with its classes, measures and exemplars; null where there is none. */
  cell(layer: string, side: number, column: number, row: number): Promise<CellDocument | null>;
  /** The cells of a tile, for what is drawn of each where few are in view. */
  cellsOfTile(layer: string, side: number, x: number, y: number): Promise<CellDocument[]>;
  /** A tile's picture as it can be seen now; null while it is not there. */
  tile(layer: string, side: number, x: number, y: number): TilePicture | null;
  /** Ask for a tile before its turn. */
  wish(layer: string, side: number, x: number, y: number): void;
  /** The points of a layer; null where they are not kept. */
  points(layer: string): Promise<Points | null>;
  /** The names of a layer's regions, the surest of each rank first; none where none are told. */
  names(layer: string): Promise<PlaceName[]>;
  /** The measures of `MEASURES` of which it tells heat maps. */
  readonly measures: string[];
  /** Whether it tells heat maps of classes. */
  readonly hasClasses: boolean;
  /** A level's heat map of a measure, of `class-INDEX` or of `channel-NUMBER`. */
  heat(of: string, layer: string, side: number): Promise<HeatDocument>;
  /** Where the picture of a real patch is; null where none are kept. */
  exemplar(layer: string, side: number, column: number, row: number, n: number): string | null;
}

/** The source that an address asks for; null where it asks for none. */
export function sourceOf(query: URLSearchParams): Source | null {
  if (copy) return new CopySource(copy);
  if (query.has("folder")) return new FolderSource();
  const id = query.get("atlas") ?? query.get("selection");
  return id ? new ServiceSource(id) : null;
}

function order(spec: Job["spec"], layers: string[]): string[] {
  return (spec.layers ?? layers).filter((name) => layers.includes(name));
}

// A manifest's layers in the order in which they were asked for, all levels complete.
function layersOf(manifest: Manifest): Layer[] {
  return order(manifest.spec, Object.keys(manifest.layers)).map((name) => {
    const qualities = manifest.layers[name]!;
    const levels = qualities.levels.map((level, z) => ({ side: level.side, z, ready: true, complete: true, qualities: level }));
    return { name, qualities, levels };
  });
}

function seededOf(spec: Job["spec"], manifest: Manifest | null): boolean | null {
  if ((manifest?.spec ?? spec).recipe === "none") return null;
  return manifest?.seeded_from_data ?? (spec.recipe !== "pure");
}

const strongestOf = (cells: CellDocument[]): Strongest => ({ value: cells.map(({ classes }) => classes?.[0]?.attribution ?? null), count: cells.map(({ count }) => count) });

type Digests = Map<string, { digest: string; preview: boolean }>;
const tileKey = (layer: string, side: number, x: number, y: number) => `${quoted(layer)}/${side}/tiles/${x}-${y}.webp`;

function published(manifest: Manifest): Digests {
  const tiles = Object.entries(manifest.artifacts).filter(([path]) => path.endsWith(".webp"));
  return new Map(tiles.map(([path, { sha256 }]) => [path, { digest: sha256, preview: false }]));
}

interface LevelAnswer {
  side: number;
  state: "waiting" | "previewed" | "rendering" | "published";
  qualities: Layer["levels"][number]["qualities"];
  tiles: { x: number; y: number; digest: string; preview: boolean }[];
}

export class ServiceSource implements Source {
  readonly live: boolean = true;
  readonly root: string;
  private sides = new Map<string, number[]>();
  readonly measures = Object.keys(MEASURES);
  readonly hasClasses = true;
  version = "";
  private digests: Digests = new Map();
  private named: Atlas["names"] | null = null;
  private readonly asked = new Map<string, Promise<CellDocument[]>>();

  constructor(readonly id: string) { this.root = `v1/atlases/${encodeURIComponent(id)}`; }

  async refresh(): Promise<Atlas> {
    const job = await json<Job & { manifest: Manifest | null }>(this.root);
    const { manifest } = job;
    const layers = manifest ? layersOf(manifest) : await this.unpublished(job);
    if (manifest) this.digests = published(manifest);
    this.version = job.digest ? `v=${job.digest}` : "";
    this.asked.clear();
    for (const layer of layers) this.sides.set(layer.name, layer.levels.map((level) => level.side));
    this.named ??= manifest?.names ?? (await namesOf(job.spec));
    return {
      id: job.id, name: job.name, state: job.state, spec: manifest?.spec ?? job.spec, names: this.named, progress: job.progress,
      etaSeconds: job.eta_seconds ?? null, error: job.error, manifest, layers, seeded: seededOf(job.spec, manifest),
      of: job.kind === "atlas" ? null : { kind: job.kind, atlas: job.atlas, request: job.request },
    };
  }

  // Before the manifest: coarse levels can be read as soon as their cells are known.
  private async unpublished({ spec }: Job): Promise<Layer[]> {
    const sides = spec.levels ?? [], digests: Digests = new Map();
    const layers = await Promise.all((spec.layers ?? []).map(async (name) => {
      const answers = await Promise.all(sides.map((_, z) => json<LevelAnswer>(`${this.root}/layers/${quoted(name)}/levels/${z}`)));
      const levels = answers.map(({ side, state, qualities, tiles }, z) => {
        for (const { x, y, digest, preview } of tiles) digests.set(tileKey(name, side, x, y), { digest, preview });
        return { side, z, ready: state !== "waiting", complete: state === "published", qualities };
      });
      return { name, levels, qualities: null };
    }));
    this.digests = digests;
    return layers;
  }

  /** Path of a level below the service. */
  level(layer: string, side: number): string {
    return `${this.root}/layers/${quoted(layer)}/levels/${this.sides.get(layer)?.indexOf(side) ?? 0}`;
  }

  async columns(layer: string, side: number): Promise<Cells> {
    const { column, row, count } = await this.heat("count", layer, side);
    return new Cells(layer, side, column, row, count);
  }

  names(layer: string): Promise<PlaceName[]> { return listOf(`${this.root}/layers/${quoted(layer)}/names?wish=true&${this.version}`); }

  heat(of: string, layer: string, side: number): Promise<HeatDocument> {
    const query = /^(class|channel)-/.test(of) ? of.replace("-", "=") : `measure=${of}`;
    return json(`${this.level(layer, side)}/heatmap?${query}&${this.version}`);
  }

  strongest(layer: string, side: number): Promise<Strongest> { return this.heat("strongest", layer, side); }

  async cell(layer: string, side: number, column: number, row: number): Promise<CellDocument | null> {
    const cells = await this.cellsOfTile(layer, side, Math.floor(column / TILE_SIDE), Math.floor(row / TILE_SIDE));
    return cells.find((cell) => cell.column === column && cell.row === row) ?? null;
  }

  cellsOfTile(layer: string, side: number, x: number, y: number): Promise<CellDocument[]> {
    const [left, top] = [x * TILE_SIDE, y * TILE_SIDE];
    const path = `${this.level(layer, side)}/cells?bbox=${left},${top},${left + TILE_SIDE - 1},${top + TILE_SIDE - 1}&${this.version}`;
    const found = this.asked.get(path) ?? listOf<CellDocument>(path);
    this.asked.set(path, found);
    found.catch(() => this.asked.delete(path));
    return found;
  }

  tile(layer: string, side: number, x: number, y: number): TilePicture | null {
    const tile = this.digests.get(tileKey(layer, side, x, y));
    return tile ? { ...tile, url: `${this.level(layer, side)}/tiles/${x}/${y}?v=${tile.digest}` } : null;
  }

  wish(layer: string, side: number, x: number, y: number): void {
    fetch(`${this.level(layer, side)}/tiles/${x}/${y}?wish=true`).catch(() => null);
  }

  async points(layer: string): Promise<Points | null> {
    return new Points(layer, await bytes(`${this.root}/layers/${quoted(layer)}/points?${this.version}`));
  }

  exemplar(layer: string, side: number, column: number, row: number, n: number): string | null {
    return `${this.level(layer, side)}/cells/${column}-${row}/exemplars/${n}?${this.version}`;
  }
}

interface Named { id: string; name: string }

/** From a spec's ids to the names of its model and dataset. */
export async function namesOf(spec: Job["spec"]): Promise<Atlas["names"]> {
  const [models, datasets] = await Promise.all([listOf<Named>("v1/models"), listOf<Named>("v1/datasets")]);
  const named = (found: Named[], id: unknown) => found.find((one) => one.id === id)?.name;
  return { model: named(models, spec.model), dataset: named(datasets, spec.dataset) };
}

export class FolderSource implements Source {
  readonly live = false;
  readonly root = "";
  readonly version = "";
  private digests: Digests = new Map();
  private readonly levels = new Map<string, Promise<CellDocument[]>>();
  private readonly tables = new Map<string, Promise<ArrayBuffer>>();
  private beside: NonNullable<Manifest["beside"]> = {};
  private classes: string[] = [];
  readonly measures = TOLD;

  /** @param base Address of the folder, ending in a slash, relative to the page. */
  constructor(private readonly base = "") {}

  async refresh(): Promise<Atlas> {
    const manifest = await json<Manifest>(`${this.base}manifest.json`);
    if (!manifest.layers) throw new Problem(404, "The manifest beside this page is not that of an atlas.");
    this.digests = published(manifest);
    this.beside = manifest.beside ?? {};
    this.classes = manifest.model?.classes ?? [];
    return {
      id: manifest.id, name: null, state: "succeeded", spec: manifest.spec, names: manifest.names ?? {}, progress: {}, etaSeconds: null,
      error: null, manifest, layers: layersOf(manifest), seeded: seededOf(manifest.spec, manifest), of: null,
    };
  }

  private folder(layer: string, side: number): string { return `${this.base}${encodeURIComponent(quoted(layer))}/${side}`; }

  get hasClasses(): boolean { return Object.keys(this.beside).some((path) => path.endsWith("/attribution.safetensors")); }

  async heat(of: string, layer: string, side: number): Promise<HeatDocument> {
    const cells = await this.cells(layer, side), index = classIn(of);
    if (index === null) return heatOfCells(of, layer, side, cells);
    const name = this.classes[index] ?? String(index);
    return heatOfClass({ index, name }, layer, side, cells, await this.attribution(layer, side, index));
  }

  private async attribution(layer: string, side: number, label: number): Promise<number[]> {
    const path = `${this.folder(layer, side)}/attribution.safetensors`;
    if (!(`${quoted(layer)}/${side}/attribution.safetensors` in this.beside)) throw new Problem(404, "This folder does not tell what the cells of this level add to classes.");
    const found = this.tables.get(path) ?? bytes(path);
    this.tables.set(path, found);
    found.catch(() => this.tables.delete(path));
    return rowOfHalves(await found, "attribution", label);
  }

  async names(layer: string): Promise<PlaceName[]> {
    return `${quoted(layer)}/names.json` in this.beside ? json(`${this.base}${encodeURIComponent(quoted(layer))}/names.json`) : [];
  }

  // All cells of a level, read once.
  private cells(layer: string, side: number): Promise<CellDocument[]> {
    const path = `${this.folder(layer, side)}/cells.json`;
    const found = this.levels.get(path) ?? json<CellDocument[]>(path);
    this.levels.set(path, found);
    found.catch(() => this.levels.delete(path));
    return found;
  }

  async columns(layer: string, side: number): Promise<Cells> {
    const cells = await this.cells(layer, side);
    return new Cells(layer, side, cells.map((cell) => cell.column), cells.map((cell) => cell.row), cells.map((cell) => cell.count));
  }

  async strongest(layer: string, side: number): Promise<Strongest> { return strongestOf(await this.cells(layer, side)); }

  async cell(layer: string, side: number, column: number, row: number): Promise<CellDocument | null> {
    return (await this.cells(layer, side)).find((cell) => cell.column === column && cell.row === row) ?? null;
  }

  async cellsOfTile(layer: string, side: number, x: number, y: number): Promise<CellDocument[]> {
    const cells = await this.cells(layer, side);
    return cells.filter((cell) => Math.floor(cell.column / TILE_SIDE) === x && Math.floor(cell.row / TILE_SIDE) === y);
  }

  tile(layer: string, side: number, x: number, y: number): TilePicture | null {
    const tile = this.digests.get(tileKey(layer, side, x, y));
    return tile ? { ...tile, url: `${this.folder(layer, side)}/tiles/${x}-${y}.webp?v=${tile.digest.slice(0, 16)}` } : null;
  }

  wish(): void {}

  async points(): Promise<null> { return null; }

  exemplar(): string | null { return null; }
}

/** An offline copy: what a service answered when it was made, and its pictures as files. */
export class CopySource extends ServiceSource {
  override readonly live = false;

  constructor(private readonly copy: Copy) { super(copy.id); }

  private folder(layer: string, side: number): string { return `${encodeURIComponent(quoted(layer))}/${side}`; }

  override async cellsOfTile(layer: string, side: number, x: number, y: number): Promise<CellDocument[]> {
    const cells = await listOf<CellDocument>(`${this.level(layer, side)}/cells`);
    return cells.filter((cell) => Math.floor(cell.column / TILE_SIDE) === x && Math.floor(cell.row / TILE_SIDE) === y);
  }

  override async strongest(layer: string, side: number): Promise<Strongest> {
    return strongestOf(await listOf<CellDocument>(`${this.level(layer, side)}/cells`));
  }

  override tile(layer: string, side: number, x: number, y: number): TilePicture | null {
    const tile = super.tile(layer, side, x, y);
    return tile && { ...tile, url: `${this.folder(layer, side)}/tiles/${x}-${y}.webp` };
  }

  override wish(): void {}

  override async points(): Promise<null> { return null; }

  override exemplar(layer: string, side: number, column: number, row: number, n: number): string | null {
    return n < this.copy.exemplars(layer, side) ? `${this.folder(layer, side)}/exemplars/${column}-${row}-${n}.webp` : null;
  }
}
