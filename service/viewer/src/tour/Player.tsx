// The tour while it plays: the caption of the place, and where to go from it.

import { useEffect, useRef } from "preact/hooks";
import { IconButton } from "../parts/IconButton";
import type { View } from "../view";
import { tourOf } from "./tour";

export function Player({ view }: { view: View }) {
  const tour = tourOf(view), at = tour.at.value, box = useRef<HTMLElement>(null), before = useRef<Element | null>(null);
  const playing = at !== null;
  useEffect(() => {
    if (!playing) return undefined;
    before.current = document.activeElement;
    box.current?.focus();
    return () => { if (before.current instanceof HTMLElement) before.current.focus(); };
  }, [playing]);
  if (at === null) return null;
  const stops = tour.stops.value, paused = tour.paused.value;
  const key = (event: KeyboardEvent) => {
    const act = { ArrowRight: () => tour.step(1), ArrowLeft: () => tour.step(-1), Escape: () => tour.end(), " ": () => tour.pause(!paused) }[event.key];
    if (!act || (event.key === " " && event.target !== event.currentTarget)) return; // a button takes the space bar itself
    event.preventDefault();
    event.stopPropagation();
    act();
  };
  return (
    <section class="player float" ref={box} tabIndex={-1} aria-label="Tour" onKeyDown={key}>
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
