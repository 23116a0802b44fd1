// All classes of the model, and the page of one: its icon, where on the map it is, its strongest cells.

import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { Problem } from "../api";
import { heatOf } from "../heat/heat";
import type { HeatDocument } from "../heat/scale";
import { goTo } from "../linked/Through";
import { panelOf } from "../panels/open";
import { Busy } from "../parts/Busy";
import { CellIcon } from "../parts/CellIcon";
import { ProblemLine } from "../parts/Problem";
import { amount, brief } from "../parts/words";
import type { View } from "../view";
import { Drawn } from "./Drawn";
import { Trueness } from "./Trueness";
import { galleryOf } from "./showing";

export const STRONGEST = 8;
const LISTED = 60, OPPOSED = 4;
const SMALL = 168; // CSS pixels of the small map

export function ClassList({ view, classes }: { view: View; classes: string[] }) {
  const typed = useSignal(""), { label } = galleryOf(view);
  const wanted = typed.value.trim().toLowerCase();
  const fitting = classes.map((name, index) => ({ name, index })).filter(({ name }) => name.toLowerCase().includes(wanted));
  return (
    <>
      <label class="gallery-search">Search classes<input type="search" value={typed.value} onInput={(event) => { typed.value = event.currentTarget.value; }} /></label>
      <ul class="plain" aria-label="Classes">
        {fitting.slice(0, LISTED).map(({ name, index }) => <li key={index}><button type="button" class="row" title={name} onClick={() => { label.value = index; }}>{brief(name)}</button></li>)}
      </ul>
      {!fitting.length && <p class="quiet">No class of that name.</p>}
      {fitting.length > LISTED && <p class="quiet">{fitting.length - LISTED} more: type a part of the name.</p>}
    </>
  );
}

export function ClassPage({ view, label, name }: { view: View; label: number; name: string }) {
  const { heat, problem } = useHeat(view, `class-${label}`);
  return (
    <>
      <h2 title={name}>{brief(name)}</h2>
      <h3>Its icon at {view.layer.value}</h3>
      {view.atlas.value.seeded === null ? <p class="quiet">This atlas was made without icons.</p> : (
        <Drawn key={`${view.layer.value} ${label}`} view={view} wanted={{ kind: "classes", classes: [label], of: "cells" }} ask="Draw what the layer has seen of it">
          {(pictures, seeded) => {
            const picture = pictures.find((one) => one.class === label) ?? pictures[0]!;
            return <figure><img class="drawn" src={picture.url.slice(1)} alt={`Icon of ${brief(name)}`} /><figcaption><Trueness picture={picture} seeded={seeded} /></figcaption></figure>;
          }}
        </Drawn>
      )}
      <h3>Where it is on the map</h3>
      {problem ? <ProblemLine problem={problem} /> : !heat ? <Busy>Looking…</Busy> : <Where view={view} heat={heat} name={name} label={label} />}
    </>
  );
}

/** A heat map of the shown level: of `class-INDEX` or of `channel-NUMBER`. */
export function useHeat(view: View, of: string): { heat: HeatDocument | null; problem: Problem | null } {
  const found = useSignal<{ heat: HeatDocument | null; problem: Problem | null }>({ heat: null, problem: null });
  const layer = view.layer.value, side = view.level()?.side ?? 0;
  useEffect(() => {
    let gone = false;
    view.source.heat(of, layer, side).then(
      (heat) => { if (!gone) found.value = { heat, problem: null }; },
      (problem: Problem) => { if (!gone) found.value = { heat: null, problem }; },
    );
    return () => { gone = true; };
  }, [layer, side, of]);
  return found.value;
}

function Where({ view, heat, name, label }: { view: View; heat: HeatDocument; name: string; label: number }) {
  const sorted = ranked(heat);
  return (
    <>
      <SmallHeat heat={heat} label={`Where cells add to ${brief(name)}, and where they take from it`} />
      <p class="quiet small"><span class="swatch for" /> adds to it, <span class="swatch against" /> takes from it, up to {amount(heat.scale)} logits</p>
      <button type="button" onClick={() => { heatOf(view).of.value = `class-${label}`; panelOf(view).value = "heat"; }}>Show it over the map</button>
      <Cells view={view} heat={heat} title="Its strongest cells" cells={sorted.filter((n) => heat.value[n]! > 0).slice(0, STRONGEST)} />
      <Cells view={view} heat={heat} title="Cells most against it" cells={sorted.reverse().filter((n) => heat.value[n]! < 0).slice(0, OPPOSED)} />
    </>
  );
}

/** The cells with enough samples and a value, the largest first. */
export const ranked = (heat: HeatDocument): number[] => heat.value.map((_, n) => n).filter((n) => heat.count[n]! >= heat.enough && heat.value[n] !== null).sort((a, b) => heat.value[b]! - heat.value[a]!);

export function Cells({ view, heat, title, cells }: { view: View; heat: HeatDocument; title: string; cells: number[] }) {
  if (!cells.length) return null;
  const layer = view.layer.value, { side } = heat;
  return (
    <section aria-label={title}>
      <h3>{title}</h3>
      <ul class="gallery-cells">
        {cells.map((n) => {
          const place = { side, column: heat.column[n]!, row: heat.row[n]! }, value = amount(heat.value[n]!);
          return (
            <li key={n}>
              <button type="button" title={`Column ${place.column}, row ${place.row}`} aria-label={`${value} in column ${place.column}, row ${place.row}`} onClick={() => goTo(view, layer, place)}>
                {view.atlas.value.seeded === null ? <span class="blank" /> : <CellIcon view={view} place={place} pixels={120} label="" />}<span>{value}</span>
              </button>
            </li>
          );
        })}
      </ul>
    </section>
  );
}

// The level in small, a square a cell, the stronger its colour the more it adds or takes.
export function SmallHeat({ heat, label }: { heat: HeatDocument; label: string }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const place = canvas.current;
    if (!place) return;
    const context = place.getContext("2d")!, colours = getComputedStyle(place), size = (2 * SMALL) / heat.side;
    context.clearRect(0, 0, 2 * SMALL, 2 * SMALL);
    heat.value.forEach((value, n) => {
      const [left, right] = [heat.column[n]!, heat.column[n]! + 1].map((edge) => Math.round(edge * size)) as [number, number];
      const [top, bottom] = [heat.row[n]!, heat.row[n]! + 1].map((edge) => Math.round(edge * size)) as [number, number];
      context.fillStyle = colours.getPropertyValue(value !== null && value < 0 ? "--against" : "--for");
      context.globalAlpha = 0.08 + 0.92 * Math.min(1, Math.abs(value ?? 0) / (heat.scale || 1));
      context.fillRect(left, top, right - left, bottom - top);
    });
  }, [heat]);
  return <canvas class="small-heat" ref={canvas} width={2 * SMALL} height={2 * SMALL} role="img" aria-label={label} />;
}
