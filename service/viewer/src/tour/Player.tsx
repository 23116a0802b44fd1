// The tour while it plays: the caption of the place, and where to go from it.

import { useEffect, useRef } from "preact/hooks";
import { IconButton } from "../parts/IconButton";
import type { View } from "../view";
import { type Tour, tourOf } from "./tour";

const OWN_KEYS = "textarea, input, select, [role=tab]"; // what needs the arrows itself

// The keys of a tour that plays, wherever the focus is.
function steer(tour: Tour, event: KeyboardEvent): void {
  const target = event.target as Element;
  const act = { ArrowRight: () => tour.step(1), ArrowLeft: () => tour.step(-1), Escape: () => tour.end(), " ": () => tour.pause(!tour.paused.peek()) }[event.key];
  if (!act || event.ctrlKey || event.altKey || event.metaKey || target.closest(OWN_KEYS) || (event.key === " " && target.closest("button, a"))) return;
  event.preventDefault();
  event.stopPropagation();
  act();
}

export function Player({ view }: { view: View }) {
  const tour = tourOf(view), at = tour.at.value, box = useRef<HTMLElement>(null), before = useRef<Element | null>(null);
  const playing = at !== null;
  useEffect(() => {
    if (!playing) return undefined;
    before.current = document.activeElement;
    box.current?.focus();
    const key = (event: KeyboardEvent) => steer(tour, event);
    addEventListener("keydown", key, { capture: true }); // before the map, whose arrows walk from cell to cell
    return () => {
      removeEventListener("keydown", key, { capture: true });
      if (before.current instanceof HTMLElement) before.current.focus();
    };
  }, [playing]);
  if (at === null) return null;
  const stops = tour.stops.value, paused = tour.paused.value;
  return (
    <section class="player float" ref={box} tabIndex={-1} aria-label="Tour">
      <p>{stops[at]?.caption || "This place has no caption."}</p>
      <div class="player-row">
        <IconButton icon="back" name="Previous place" title="Previous place (←)" disabled={at === 0} onClick={() => tour.step(-1)} />
        <IconButton icon={paused ? "play" : "pause"} name={paused ? "Go on" : "Pause"} title={paused ? "Go on (space)" : "Pause (space)"} onClick={() => tour.pause(!paused)} />
        <IconButton icon="next" name="Next place" title="Next place (→)" disabled={at === stops.length - 1} onClick={() => tour.step(1)} />
        <span class="quiet">{at + 1} of {stops.length}</span>
        <IconButton icon="close" name="End the tour" title="End the tour (Esc)" onClick={() => tour.end()} />
      </div>
    </section>
  );
}
