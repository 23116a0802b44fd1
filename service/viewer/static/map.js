// One level on a canvas. Cells are (column, row) with row 0 at the top; points are (x, y) in the unit square, y up.

import { paintHeat, paintOverlay } from "./overlay.js";

const TILE = 10;
const MARGIN = 0.96; // share of the canvas that the whole map fills
const LARGEST = 320; // pixels of a cell beyond which zooming ends

export class LevelMap {
  constructor(canvas, { onHover, onSelect, onBox }) {
    Object.assign(this, { canvas, onHover, onSelect, onBox, box: null, boxing: false, side: 0, cells: new Map(), tiles: new Map(), sources: new Map(), points: [] });
    this.view = { x: 0.5, y: 0.5, zoom: 1 };
    this.pointers = new Map();
    this.listen();
    new ResizeObserver(() => this.draw()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  // cells: a list; tileAddress(x, y): where the picture of a tile is; null where there are no icons and counts are the map.
  show(side, cells, tileAddress) {
    this.side = side;
    this.cells = new Map(cells.map((cell) => [`${cell.column}-${cell.row}`, cell]));
    this.most = Math.max(1, ...cells.map((cell) => cell.count));
    this.tiles = new Map(); // by place, the picture shown
    this.sources = new Map(); // by place, the address of the picture shown, or of the one on its way
    this.bare = !tileAddress;
    this.address = tileAddress ?? (() => null);
    this.hovered = this.selected = null;
    for (const cell of cells) this.tiles.set(`${Math.floor(cell.column / TILE)}-${Math.floor(cell.row / TILE)}`, null);
    this.load();
  }

  // Ask for the tiles that are not there yet, or only as previews; again after each look at a job that still renders.
  load() {
    const { sources, tiles } = this;
    for (const key of tiles.keys()) {
      const source = this.address(...key.split("-").map(Number));
      if (!source || source === sources.get(key)) continue;
      const image = new Image(), wanted = () => sources.get(key) === source;
      sources.set(key, source);
      image.onload = () => { if (wanted()) { tiles.set(key, image); this.draw(); } };
      image.onerror = () => wanted() && sources.delete(key);
      image.src = source;
    }
    this.draw();
  }

  // Places of the tiles in view without a picture, the nearest to its middle first.
  lacking() {
    const reach = 0.5 / this.view.zoom, across = TILE / this.side;
    const far = ([x, y]) => Math.max(Math.abs((x + 0.5) * across - this.view.x), Math.abs((y + 0.5) * across - this.view.y));
    const places = [...this.tiles].filter(([, image]) => !image).map(([key]) => key.split("-").map(Number));
    return places.filter((place) => far(place) < reach + across / 2).sort((a, b) => far(a) - far(b));
  }

  tileOf(cell) { return [Math.floor(cell.column / TILE), Math.floor(cell.row / TILE)]; }

  // A cell's picture: the tile's image and the square of it that is the icon.
  icon(cell) {
    const [x, y] = this.tileOf(cell);
    const image = this.tiles.get(`${x}-${y}`);
    if (!image?.complete || !image.naturalWidth) return null;
    const size = image.naturalWidth / Math.min(TILE, this.side - x * TILE);
    return { image, left: (cell.column % TILE) * size, top: (cell.row % TILE) * size, size };
  }

  // Left, top and side of the whole map in CSS pixels.
  square() {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    const size = Math.min(width, height) * MARGIN * this.view.zoom;
    return { left: width / 2 - this.view.x * size, top: height / 2 - this.view.y * size, size };
  }

  cellAt(x, y) {
    const { left, top, size } = this.square();
    const column = Math.floor(((x - left) / size) * this.side), row = Math.floor(((y - top) / size) * this.side);
    return this.cells.get(`${column}-${row}`) ?? null;
  }

  zoom(factor, x = this.canvas.clientWidth / 2, y = this.canvas.clientHeight / 2) {
    const before = this.square();
    const base = before.size / this.view.zoom;
    const most = Math.max(1, (LARGEST * this.side) / base);
    this.view.zoom = Math.min(most, Math.max(1, this.view.zoom * factor));
    const size = base * this.view.zoom;
    const u = (x - before.left) / before.size, v = (y - before.top) / before.size;
    this.view.x = u + (this.canvas.clientWidth / 2 - x) / size;
    this.view.y = v + (this.canvas.clientHeight / 2 - y) / size;
    this.hold();
  }

  fit() { this.view = { x: 0.5, y: 0.5, zoom: 1 }; this.draw(); }

  pan(dx, dy) {
    const { size } = this.square();
    this.view.x -= dx / size;
    this.view.y -= dy / size;
    this.hold();
  }

  // Keep the map where it can be seen.
  hold() {
    const room = 0.5 - 0.5 / this.view.zoom;
    this.view.x = Math.min(0.5 + room, Math.max(0.5 - room, this.view.x));
    this.view.y = Math.min(0.5 + room, Math.max(0.5 - room, this.view.y));
    this.draw();
  }

  select(cell) {
    this.selected = cell;
    this.box = this.stretched = null;
    if (cell) this.reveal(cell);
    this.onSelect(cell);
    this.draw();
  }

  reveal(cell) {
    if (this.view.zoom === 1) return;
    const reach = 0.5 / this.view.zoom - 0.5 / this.side;
    const x = (cell.column + 0.5) / this.side, y = (cell.row + 0.5) / this.side;
    this.view.x = Math.min(x + reach, Math.max(x - reach, this.view.x));
    this.view.y = Math.min(y + reach, Math.max(y - reach, this.view.y));
    this.hold();
  }

  // The nearest cell in a direction, those straight ahead first.
  step(dx, dy) {
    const from = this.selected ?? this.middle();
    if (!from || !this.selected) return this.select(from);
    let best = null, least = Infinity;
    for (const cell of this.cells.values()) {
      const ahead = (cell.column - from.column) * dx + (cell.row - from.row) * dy;
      const aside = Math.abs((cell.column - from.column) * dy) + Math.abs((cell.row - from.row) * dx);
      if (ahead > 0 && ahead + 3 * aside < least) [best, least] = [cell, ahead + 3 * aside];
    }
    return this.select(best ?? from);
  }

  // A rectangle between two points of the canvas, in the unit square.
  boxOf(a, b) {
    const { left, top, size } = this.square(), inside = (value) => Math.min(1, Math.max(0, value));
    const x = [a.x, b.x].map((value) => inside((value - left) / size)).sort((p, q) => p - q);
    const y = [a.y, b.y].map((value) => inside(1 - (value - top) / size)).sort((p, q) => p - q);
    return { x0: x[0], y0: y[0], x1: x[1], y1: y[1] };
  }

  // The rectangle of the cells between the chosen one and another, a step further.
  stretch(dx, dy) {
    const from = this.selected ?? this.stretched?.from ?? this.middle(), last = this.side - 1;
    if (!from) return;
    const to = this.selected || !this.stretched ? from : this.stretched.to;
    const next = { column: Math.min(last, Math.max(0, to.column + dx)), row: Math.min(last, Math.max(0, to.row + dy)) };
    const columns = [from.column, next.column].sort((a, b) => a - b), rows = [from.row, next.row].sort((a, b) => a - b);
    this.choose({ x0: columns[0] / this.side, y0: 1 - (rows[1] + 1) / this.side, x1: (columns[1] + 1) / this.side, y1: 1 - rows[0] / this.side });
    this.stretched = { from, to: next };
  }

  // Take a rectangle for what is chosen.
  choose(box) {
    Object.assign(this, { box, selected: null, hovered: null, stretched: null });
    this.onBox(box);
    this.draw();
  }

  middle() {
    const far = (cell) => (cell.column - this.side / 2) ** 2 + (cell.row - this.side / 2) ** 2;
    return [...this.cells.values()].reduce((best, cell) => (!best || far(cell) < far(best) ? cell : best), null);
  }

  draw() {
    if (this.pending) return;
    this.pending = requestAnimationFrame(() => { this.pending = 0; this.paint(); });
  }

  paint() {
    const { canvas } = this, ratio = devicePixelRatio || 1;
    const width = Math.round(canvas.clientWidth * ratio), height = Math.round(canvas.clientHeight * ratio);
    if (!width || !height) return;
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    const pen = canvas.getContext("2d");
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.clearRect(0, 0, width, height);
    pen.imageSmoothingQuality = "high";
    const square = this.square();
    Object.assign(canvas.dataset, { left: square.left, top: square.top, size: square.size });
    if (!this.side) return;
    const style = getComputedStyle(canvas);
    const colour = (name) => style.getPropertyValue(name);
    const left = square.left * ratio, top = square.top * ratio, cell = (square.size * ratio) / this.side;
    // Edges on whole pixels, so that no seams show.
    const box = (column, row, across, down) => {
      const x = Math.round(left + column * cell), y = Math.round(top + row * cell);
      return [x, y, Math.round(left + (column + across) * cell) - x, Math.round(top + (row + down) * cell) - y];
    };
    this.paintCells(pen, box, colour(this.bare ? "--ink" : "--empty"), ...(this.bare ? [0.06, 0.72] : [0.35, 0.65]));
    this.paintTiles(pen, box);
    this.paintMarks(pen, box, colour);
    const whole = { left, top, size: square.size * ratio };
    if (this.points.length) paintHeat(pen, this.points, whole, colour("--ground"));
    if (this.hovered) this.outline(pen, box, this.hovered, ratio, colour, 1.5);
    if (this.selected) this.outline(pen, box, this.selected, ratio, colour, 3);
paintOverlay(pen, this, whole, ratio, colour);
  }

  paintCells(pen, box, ground, least, more) {
    pen.fillStyle = ground;
    for (const cell of this.cells.values()) {
      const tile = this.tiles.get(`${Math.floor(cell.column / TILE)}-${Math.floor(cell.row / TILE)}`);
      if (tile?.complete && tile.naturalWidth) continue;
      pen.globalAlpha = least + more * Math.sqrt(cell.count / this.most);
      pen.fillRect(...box(cell.column, cell.row, 1, 1));
    }
    pen.globalAlpha = 1;
  }

  paintTiles(pen, box) {
    for (const [key, image] of this.tiles) {
      if (!image?.complete || !image.naturalWidth) continue;
      const [x, y] = key.split("-").map(Number);
      const across = Math.min(TILE, this.side - x * TILE), down = Math.min(TILE, this.side - y * TILE);
      const [px, py, w, h] = box(x * TILE, y * TILE, across, down);
      if (px + w >= 0 && py + h >= 0 && px <= pen.canvas.width && py <= pen.canvas.height) pen.drawImage(image, px, py, w, h);
    }
  }

  // A dot in the corner of an icon that is under a gate, as on posters.
  paintMarks(pen, box, colour) {
    for (const cell of this.cells.values()) {
      if (!cell.icon?.marks?.length) continue;
      const [x, y, w] = box(cell.column, cell.row, 1, 1);
      const radius = Math.max(2.5, w * 0.075), inset = w * 0.04 + radius;
      pen.beginPath();
      pen.arc(x + w - inset, y + inset, radius * 0.84, 0, 2 * Math.PI);
      pen.fillStyle = colour("--dot");
      pen.fill();
      pen.lineWidth = radius * 0.32;
      pen.strokeStyle = "#fff";
      pen.stroke();
    }
  }

  outline(pen, box, cell, ratio, colour, width) {
    const [x, y, w, h] = box(cell.column, cell.row, 1, 1);
    for (const [name, more] of [["--mark-edge", 2], ["--mark", 0]]) {
      pen.lineWidth = (width + more) * ratio;
      pen.strokeStyle = colour(name);
      pen.strokeRect(x, y, w, h);
    }
  }

  pointAt(x, y) {
    const { left, top, size } = this.square();
    const far = (point) => Math.hypot(left + point.x * size - x, top + (1 - point.y) * size - y);
    return this.points.reduce((best, point) => (far(point) < 11 && (!best || far(point) < far(best)) ? point : best), null);
  }

  hover(cell, point) {
    if (cell === this.hovered && point === this.pointed) return;
    Object.assign(this, { hovered: cell, pointed: point });
    this.onHover(cell, point);
    this.draw();
  }

  listen() {
    const { canvas, pointers } = this;
    const where = (event) => ({ x: event.offsetX, y: event.offsetY });
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0016)), event.offsetX, event.offsetY);
    }, { passive: false });
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      pointers.set(event.pointerId, where(event));
      this.moved = pointers.size > 1 ? Infinity : 0;
      this.corner = this.onBox && pointers.size === 1 && (event.shiftKey || this.boxing) ? where(event) : null;
    });
    canvas.addEventListener("pointermove", (event) => {
      const now = where(event), before = pointers.get(event.pointerId);
      if (!before) return this.hover(this.cellAt(now.x, now.y), this.pointAt(now.x, now.y));
      if (pointers.size === 2) this.pinch(event.pointerId, before, now);
      this.moved += Math.hypot(now.x - before.x, now.y - before.y);
      if (this.corner && pointers.size === 1) {
        if (this.moved > 4) this.box = this.boxOf(this.corner, now);
        this.draw();
      } else if (pointers.size === 1 && this.moved > 4) {
        canvas.classList.add("dragging");
        this.pan(now.x - before.x, now.y - before.y);
      }
      pointers.set(event.pointerId, now);
      return undefined;
    });
    const end = (event) => {
      const at = pointers.get(event.pointerId);
      pointers.delete(event.pointerId);
      canvas.classList.remove("dragging");
      if (event.type === "pointerup" && this.corner && this.moved > 4 && this.moved < Infinity) this.choose(this.box);
      else if (event.type === "pointerup" && at && this.moved <= 4) this.select(this.cellAt(at.x, at.y));
    };
    canvas.addEventListener("pointerup", end);
    canvas.addEventListener("pointercancel", end);
    canvas.addEventListener("pointerleave", () => this.hover(null, null));
    canvas.addEventListener("keydown", (event) => this.key(event));
  }

  pinch(id, before, now) {
    const other = [...this.pointers].find(([key]) => key !== id)[1];
    const spread = (a) => Math.hypot(a.x - other.x, a.y - other.y);
    this.zoom(spread(now) / Math.max(1, spread(before)), (now.x + other.x) / 2, (now.y + other.y) / 2);
    this.pan((now.x - before.x) / 2, (now.y - before.y) / 2);
  }

  key(event) {
    const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key in steps && event.shiftKey && this.onBox) this.stretch(...steps[event.key]);
    else if (event.key in steps) this.step(...steps[event.key]);
    else if (event.key === "+" || event.key === "=") this.zoom(1.4);
    else if (event.key === "-") this.zoom(1 / 1.4);
    else if (event.key === "0") this.fit();
    else if (event.key === "Escape") this.select(null);
    else return;
    event.preventDefault();
  }
}
