// A picture as the network sees it, with the positions of the shown layer as a grid; linked with the map both ways.

import { useEffect, useRef } from "preact/hooks";
import type { Position } from "../types";
import type { Place, View } from "../view";
import { type Landing, landingsOf } from "./landings";
import { seen, squares } from "./seen";

const WIDTH = 312, ODD = 95; // percentile from which a position is unlike the atlas's own samples

interface Props { view: View; landing: Landing; at: Position | null; onChoose: (position: Position) => void }

/** Whether a position lands in a cell. */
function within({ cells }: Position, { side, column, row }: Place): boolean {
  const own = cells[String(side)];
  return own?.column === column && own.row === row;
}

export function Picture({ view, landing, at, onChoose }: Props) {
  const canvas = useRef<HTMLCanvasElement>(null), landings = landingsOf(view);
  const input = view.atlas.value.manifest?.model?.input, layer = landing.answer.value?.layers[view.layer.value];
  const positions = layer?.positions ?? [], grid = layer?.grid ?? ([1, 1] as const);
  const height = Math.round((WIDTH * (input?.height ?? landing.image.naturalHeight)) / (input?.width ?? (landing.image.naturalWidth || 1)));
  const square = squares(positions, grid, WIDTH, height);
  const pointed = landings.pointed.value, hovered = view.hovered.value, shown = landing.shown.value;
  useEffect(() => {
    if (!canvas.current || !shown) return;
    const ratio = devicePixelRatio, pen = canvas.current.getContext("2d")!, { image } = landing;
    Object.assign(canvas.current, { width: WIDTH * ratio, height: height * ratio });
    pen.scale(ratio, ratio);
    const part = seen(image.naturalWidth, image.naturalHeight, input);
    pen.imageSmoothingQuality = "high";
    pen.drawImage(image, part.left, part.top, part.width, part.height, 0, 0, WIDTH, height);
    const lit = pointed ? [pointed] : hovered ? positions.filter((position) => within(position, hovered)) : [];
    drawGrid(pen, positions, square, lit, at);
  });
  const find = (event: PointerEvent | MouseEvent) => {
    const { left, top, width } = canvas.current!.getBoundingClientRect(), scale = WIDTH / width;
    const x = (event.clientX - left) * scale, y = (event.clientY - top) * scale;
    return positions.find((position) => {
      const [l, t, w, h] = square(position);
      return x >= l && x < l + w && y >= t && y < t + h;
    }) ?? null;
  };
  return (
    <canvas ref={canvas} class="picture" style={{ aspectRatio: `${WIDTH} / ${height}` }} tabIndex={0} role="application" aria-label={labelled(landing, pointed)}
      data-positions={positions.length} onPointerMove={(event) => { landings.pointed.value = find(event); }} onPointerLeave={() => { landings.pointed.value = null; }}
      onClick={(event) => { const found = find(event); if (found) onChoose(found); }} onBlur={() => { landings.pointed.value = null; }}
      onKeyDown={(event) => {
        if (event.key === "Enter" && pointed) onChoose(pointed);
        const next = stepped(positions, pointed, event.key);
        if (next) { event.preventDefault(); landings.pointed.value = next; }
      }} />
  );
}

function labelled({ name }: Landing, pointed: Position | null): string {
  if (!pointed) return `${name}. Arrow keys walk over its positions, Enter shows the samples most like one.`;
  return `Row ${pointed.row}, column ${pointed.column}${pointed.ambiguous ? ", could lie in several places" : ""}`;
}

/** The next position in the direction of an arrow key; the middle one where none is pointed at. */
function stepped(positions: readonly Position[], from: Position | null, key: string): Position | null {
  const by = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[key];
  if (!by || !positions.length) return null;
  if (!from) return positions[positions.length >> 1]!;
  const [down, across] = by as [number, number];
  const ahead = positions.filter(({ row, column }) => (down ? column === from.column && (row - from.row) * down > 0 : row === from.row && (column - from.column) * across > 0));
  const far = ({ row, column }: Position) => Math.abs(row - from.row) + Math.abs(column - from.column);
  return ahead.sort((a, b) => far(a) - far(b))[0] ?? from;
}

function drawGrid(pen: CanvasRenderingContext2D, positions: readonly Position[], square: (position: Position) => number[], lit: readonly Position[], at: Position | null): void {
  const box = (position: Position) => square(position) as [number, number, number, number];
  for (const position of positions) {
    const [left, top, width, height] = box(position);
    pen.lineWidth = 1;
    pen.strokeStyle = "rgb(255 255 255 / 45%)";
    pen.strokeRect(left, top, width, height);
    if (position.percentile < ODD) continue;
    pen.fillStyle = "rgb(255 255 255 / 90%)";
    pen.beginPath();
    pen.arc(left + width / 2, top + height / 2, Math.min(2.5, width / 5), 0, 2 * Math.PI);
    pen.fill();
  }
  if (lit.length) { // the rest darkens
    pen.fillStyle = "rgb(0 0 0 / 45%)";
    pen.beginPath();
    for (const position of positions) if (!lit.includes(position)) pen.rect(...box(position));
    pen.fill();
  }
  for (const [position, colour] of [...lit.map((one) => [one, "#ffffff"] as const), ...(at ? [[at, "#fb923c"] as const] : [])]) {
    pen.lineWidth = 2.5;
    pen.strokeStyle = colour;
    pen.strokeRect(...box(position));
  }
}
