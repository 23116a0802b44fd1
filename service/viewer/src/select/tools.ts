// The lasso: draw around a part of the map.

import { effect, signal } from "@preact/signals";
import type { Attach } from "../map/attachments";
import { firstOf } from "../linked/beside";
import type { AtlasMap, Frame, Tool } from "../map/map";
import { panelOf } from "../panels/open";
import { Stroke, atMost } from "./outline";
import { type Corners, aimOf, selectionOf } from "./selection";

const LEAST = 5; // CSS pixels across, below which a drag was a slip
const MOST_CORNERS = 120;

export const attachLasso: Attach = (map) => {
  const { view } = map, { lasso, box } = selectionOf(view), draft = signal<Corners | null>(null), home = firstOf(view).peek() ?? view;
  if (!view.source.live) return;
  const done = (found: Corners | null) => {
    draft.value = null;
    lasso.value = found;
    if (!found) return;
    aimOf(home).value = home === view ? "first" : "second";
    panelOf(home).value = "select";
  };
  const ends = [
    map.onLetGo(() => { lasso.value = null; }),
    map.addTool(tool(map, draft, done)),
    map.addOverlay({ order: 50, draw: (context, frame) => { const shown = draft.peek() ?? lasso.peek(); if (shown) outline(context, frame, shown); } }),
    effect(() => { draft.value; lasso.value; map.redraw(); }),
    effect(() => { if (box.value) lasso.value = null; }),
    effect(() => { if (lasso.value) box.value = null; }),
  ];
  return () => {
    for (const end of ends) end();
    if (home !== view) lasso.value = null; // its map is taken away
  };
};

function tool(map: AtlasMap, draft: { value: Corners | null }, done: (corners: Corners | null) => void): Tool {
  const stroke = new Stroke();
  return {
    id: "lasso", title: "Draw around a part of the map", icon: "lasso", cursor: "crosshair",
    down: (at) => stroke.begin(at),
    move: (at) => { if (stroke.go(at)) draft.value = stroke.drawn.length > 2 ? [...stroke.drawn] : null; },
    up: () => {
      const found = atMost(stroke.drawn, MOST_CORNERS, 1.2 / map.square.size);
      stroke.end();
      done(stroke.far < LEAST || found.length < 3 ? null : found);
    },
    cancel: () => { stroke.end(); draft.value = null; },
  };
}

function outline(context: CanvasRenderingContext2D, frame: Frame, corners: Corners): void {
  context.beginPath();
  for (const [x, y] of corners) context.lineTo(...frame.toScreen(x, y));
  context.closePath();
  context.fillStyle = frame.colour("--accent");
  context.globalAlpha = 0.14;
  context.fill("evenodd");
  context.globalAlpha = 1;
  context.lineJoin = "round";
  for (const [width, name] of [[4, "--mark"], [2, "--accent"]] as const) {
    context.lineWidth = width;
    context.strokeStyle = frame.colour(name);
    context.stroke();
  }
}
