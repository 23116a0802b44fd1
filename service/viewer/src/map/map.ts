// The map: OpenSeadragon moves and zooms it, overlays are drawn above its tiles, tools take over its pointer.

import { type Signal, effect, signal } from "@preact/signals";
import OpenSeadragon from "openseadragon";
import type { IconName } from "../parts/Icon";
import { type Camera, type Place, type View, WHOLE, feature } from "../view";
import { Canvas } from "./canvas";
import { listenToKeys } from "./keys";
import { Levels } from "./levels";
import { listenToPointer } from "./pointer";

const SHARE = 0.85; // of the room that what is to be shown fills
const MARGIN = 0.96; // share of the shorter side that the whole map fills

/** Where things are while an overlay is drawn, in CSS pixels of the map. */
export interface Frame {
  width: number;
  height: number;
  pixelRatio: number;
  side: number;
  /** Side of a cell. */
  cellSize: number;
  /** A place of the plane (unit square, y up). */
  toScreen(x: number, y: number): [number, number];
  /** Left, top and side of a cell. */
  cellBox(column: number, row: number): [left: number, top: number, size: number];
  /** Cells in view: first and last column and row. */
  visible: { left: number; top: number; right: number; bottom: number };
  dark: boolean;
  /** A colour of tokens.css, such as "--accent". */
  colour(name: string): string;
}

/** Something drawn above the tiles, low orders first; `order` of what there is: docs/viewer.md. */
export interface Overlay {
  order: number;
  draw(context: CanvasRenderingContext2D, frame: Frame): void;
}

/** Where the pointer is: CSS pixels of the map, and the plane. */
export interface Pointed { px: number; py: number; x: number; y: number; event: PointerEvent }

/** Takes over the pointer while it is active: a rectangle, a lasso, a line. */
export interface Tool {
  id: string;
  /** What it does, for its button. */
  title: string;
  /** Name of its picture in parts/Icon.tsx. */
  icon: IconName;
  cursor?: string;
  /** Also used by dragging with Shift held, without being chosen. */
  shift?: boolean;
  down(at: Pointed): void;
  move(at: Pointed): void;
  /** The pointer was let go; the tool is then left, unless it returns true. */
  up(at: Pointed): boolean | void;
  /** It was left before it was done. */
  cancel?(): void;
}

/** The map of a view, null until it is there. */
export const mapOf = feature((_: View): Signal<AtlasMap | null> => signal(null));

export class AtlasMap {
  readonly viewer: OpenSeadragon.Viewer;
  readonly levels: Levels;
  /** The tool that is active. */
  readonly tool = signal<Tool | null>(null);
  readonly tools = signal<Tool[]>([]);
  private readonly canvas: Canvas;
  private readonly ends: (() => void)[] = [];
  private readonly releases = new Set<() => void>();
  private moving = false;
  /** Its own size in CSS pixels. */
  room = { x: 0, y: 0 };
  private kept: Camera | null = null; // where it looks since its room was last another one, until it is moved

  /** @param element Is filled by the map; it takes the focus and the keys. */
  constructor(readonly view: View, readonly element: HTMLElement) {
    forbidStyle();
    this.viewer = OpenSeadragon({
      element, drawer: "canvas", tabIndex: "" as never, showNavigationControl: false, showNavigator: false, keyboardNavEnabled: false,
      preserveViewport: true, autoResize: true, animationTime: matchMedia("(prefers-reduced-motion: reduce)").matches ? 0 : 0.35, springStiffness: 8,
      visibilityRatio: 0.9, constrainDuringPan: true, minZoomImageRatio: 0.9, maxZoomPixelRatio: Infinity, zoomPerScroll: 1.25,
      homeFillsViewer: false, imageLoaderLimit: 6, maxImageCacheCount: 400, smoothTileEdgesMinZoom: Infinity,
      subPixelRoundingForTransparency: { "*": OpenSeadragon.SUBPIXEL_ROUNDING_OCCURRENCES.ALWAYS },
      gestureSettingsMouse: { clickToZoom: false, dblClickToZoom: true }, gestureSettingsTouch: { pinchRotate: false, clickToZoom: false, dblClickToZoom: true },
      gestureSettingsPen: { clickToZoom: false, dblClickToZoom: true },
    });
    // Tiles end on whole pixels, so nothing shows between them; an overlap would hide the gaps of their icons.
    Object.assign(this.viewer.drawer, { minimumOverlapRequired: () => false });
    this.keepCamera();
    this.levels = new Levels(this);
    this.canvas = new Canvas(this);
    this.ends.push(listenToPointer(this), listenToKeys(this), this.followCamera());
    this.viewer.addHandler("update-viewport", () => this.canvas.draw());
    this.viewer.addHandler("viewport-change", () => this.tellCamera());
    mapOf(view).value = this;
  }

  /** Side of the whole map, and its left and top, in CSS pixels. */
  get square(): { left: number; top: number; size: number } {
    const { viewport } = this.viewer;
    const corner = viewport.viewportToViewerElementCoordinates(new OpenSeadragon.Point(0, 0));
    return { left: corner.x, top: corner.y, size: viewport.getContainerSize().x * viewport.getZoom(true) };
  }

  /** A place of the plane in CSS pixels of the map. */
  toScreen(x: number, y: number): [number, number] {
    const { left, top, size } = this.square;
    return [left + x * size, top + (1 - y) * size];
  }

  /** CSS pixels of the map as a place of the plane. */
  toPlane(px: number, py: number): [number, number] {
    const { left, top, size } = this.square;
    return [(px - left) / size, 1 - (py - top) / size];
  }

  /** The cell at CSS pixels of the map, null where there is none. */
  cellAt(px: number, py: number): Place | null {
    const cells = this.view.cells.peek();
    if (!cells) return null;
    const [x, y] = this.toPlane(px, py);
    const column = Math.floor(x * cells.side), row = Math.floor((1 - y) * cells.side);
    return cells.has(column, row) ? { side: cells.side, column, row } : null;
  }

  /** Zoom that shows a cell of the shown level as large as most people want to look at one. */
  get largestZoom(): number { return Math.max(1, (320 * Math.max(1, ...this.view.levels.peek().map((level) => level.side))) / this.home); }

  /** CSS pixels of the whole map at zoom 1. */
  get home(): number {
    const size = this.viewer.viewport.getContainerSize();
    return Math.max(1, Math.min(size.x, size.y) * MARGIN);
  }

  flyTo({ x, y, zoom }: Partial<Camera>, immediately = false): void {
    const { viewport } = this.viewer, now = this.view.camera.peek();
    const wanted = Math.min(this.largestZoom, Math.max(1, zoom ?? now.zoom));
    viewport.zoomTo((wanted * this.home) / viewport.getContainerSize().x, undefined, immediately);
    viewport.panTo(new OpenSeadragon.Point(x ?? now.x, 1 - (y ?? now.y)), immediately);
    viewport.applyConstraints(immediately);
  }

  /** Zoom by a factor about CSS pixels of the map, its middle by default. */
  zoomBy(factor: number, px?: number, py?: number): void {
    const { viewport } = this.viewer;
    const about = px === undefined || py === undefined ? undefined : viewport.viewerElementToViewportCoordinates(new OpenSeadragon.Point(px, py));
    viewport.zoomBy(factor, about);
    viewport.applyConstraints();
  }

  showAll(): void { this.flyTo(WHOLE); }

  /** Look at places of the plane, as near as all of them are in view. */
  show(places: readonly { x: number; y: number }[]): void {
    const [x, y] = (["x", "y"] as const).map((key) => { const all = places.map((one) => one[key]); return [Math.min(...all), Math.max(...all)] as const; });
    const fits = (room: number, [low, high]: readonly [number, number]) => (room * SHARE) / this.home / Math.max(1e-6, high - low);
    this.flyTo({ x: (x![0] + x![1]) / 2, y: (y![0] + y![1]) / 2, zoom: Math.min(fits(this.room.x, x!), fits(this.room.y, y!), this.largestZoom / 4) });
  }

  /** Draw the overlays in the next frame. */
  redraw(): void { this.canvas.wish(); }

  addOverlay(overlay: Overlay): () => void { return this.canvas.add(overlay); }

  /** Offer a tool as a button on the map. */
  addTool(tool: Tool): () => void {
    this.tools.value = [...this.tools.peek(), tool];
    return () => {
      this.use(this.tool.peek() === tool ? null : this.tool.peek());
      this.tools.value = this.tools.peek().filter((one) => one !== tool);
    };
  }

  /** Make a tool active, or none. */
  use(tool: Tool | null): void {
    const before = this.tool.peek();
    if (before === tool) return;
    before?.cancel?.();
    this.tool.value = tool;
  }

  /** Have something let go of, too, when Escape is pressed. */
  onLetGo(release: () => void): () => void {
    this.releases.add(release);
    return () => { this.releases.delete(release); };
  }

  /** Leave the tool that is active, or else let go of all that is chosen. */
  letGo(): void {
    if (this.tool.peek()) return this.use(null);
    this.view.selected.value = null;
    for (const release of this.releases) release();
  }

  close(): void {
    mapOf(this.view).value = null;
    for (const end of this.ends.splice(0)) end();
    this.canvas.close();
    this.levels.close();
    this.viewer.destroy();
  }

  // In a room of another size the same part of the map is looked at. What the room forbids of it is no wish: it is not told.
  private keepCamera(): void {
    this.room = { ...this.viewer.viewport.getContainerSize() };
    this.flyTo(this.view.camera.peek(), true);
    this.kept = this.looks;
  }

  private get looks(): Camera {
    const { viewport } = this.viewer, centre = viewport.getCenter(false);
    return { x: centre.x, y: 1 - centre.y, zoom: (viewport.getZoom(false) * viewport.getContainerSize().x) / this.home };
  }

  // OpenSeadragon zooms by itself once it has told that its room is another one, so only what it shows then is set right.
  private tellCamera(): void {
    const room = this.viewer.viewport.getContainerSize();
    if (room.x !== this.room.x || room.y !== this.room.y) return this.keepCamera();
    const camera = this.looks;
    if (this.kept && same(camera, this.kept)) return;
    this.kept = null;
    if (same(camera, this.view.camera.peek())) return;
    this.moving = true;
    this.view.camera.value = camera;
    this.moving = false;
  }

  // Whoever sets the camera moves the map, which then tells it again.
  private followCamera(): () => void {
    return effect(() => {
      const camera = this.view.camera.value;
      if (!this.moving) this.flyTo(camera);
    });
  }
}

const same = (one: Camera, other: Camera) => (["x", "y", "zoom"] as const).every((key) => Math.abs(one[key] - other[key]) < 1e-6);

// OpenSeadragon would put a style of its own into the page, which the service's policy forbids, unless it finds this mark.
function forbidStyle(): void {
  if (document.querySelector("style[data-openseadragon-mobile-css]")) return;
  const mark = document.createElementNS(null, "style");
  mark.setAttribute("data-openseadragon-mobile-css", "");
  document.head.append(mark);
}
