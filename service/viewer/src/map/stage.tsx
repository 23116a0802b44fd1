// A map with what floats on its edges.

import { useEffect, useRef } from "preact/hooks";
import type { View } from "../view";
import { ATTACHMENTS } from "./attachments";
import { CONTROLS } from "./controls";
import { AtlasMap } from "./map";
import { waitingFor } from "./waiting";

const CORNERS = ["top-left", "top-right", "bottom-left", "bottom-right"] as const;

export function Stage({ view }: { view: View }) {
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const map = new AtlasMap(view, place.current!);
    const ends = ATTACHMENTS.map((attach) => attach(map));
    return () => {
      for (const end of ends) end?.();
      map.close();
    };
  }, [view]);
  return (
    <section class="stage" aria-label={view.prefix === "" ? "Map" : "Second map"}>
      <div class="bar"><Corner view={view} corner="bar" /></div>
      <div class="ground">
      <div class="map" ref={place} tabIndex={0} role="application" aria-describedby="keys" aria-label={named(view)} />
      <p id="keys" class="unseen">Arrow keys walk from cell to cell, with Shift they choose a part of the map, L at two cells draws a line between them, plus and minus zoom, 0 shows all, Escape lets go.</p>
      {waitingFor(view) && <p class="waiting float" role="status">{waitingFor(view)}</p>}
      {CORNERS.map((corner) => <div class={`corner ${corner}`}><Corner view={view} corner={corner} /></div>)}
      </div>
      <Corner view={view} corner="below" />
    </section>
  );
}

function named(view: View): string {
  const cells = view.cells.value;
  return cells ? `${cells.layer}, ${cells.side} cells a side, ${cells.length} of them filled` : "Map";
}

function Corner({ view, corner }: { view: View; corner: string }) {
  const shown = CONTROLS.filter((control) => control.corner === corner && (control.available?.(view) ?? true));
  return <>{shown.map(({ id, component: Component }) => <Component key={id} view={view} />)}</>;
}
