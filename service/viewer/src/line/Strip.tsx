// The strip of icons along a line: of the cells there at once, or rendered between its ends.

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { post } from "../api";
import { CellIcon } from "../parts/CellIcon";
import { IconButton } from "../parts/IconButton";
import { JobLine, useJob } from "../parts/JobLine";
import { UNCLEAR, clearClass } from "../clarity";
import { brief, percent } from "../parts/words";
import type { CellDocument, Job } from "../types";
import type { Place, View } from "../view";
import { type Line, cellsAlong, lineOf } from "./line";

const STEPS = 12;

export interface IconPicture { n: number; url: string; share: number; fidelity: { whitened_cosine?: number } }
type IconsJob = Job & { description: { pictures: IconPicture[] } | null };

export function Strip({ view }: { view: View }) {
  const line = lineOf(view), cells = view.cells.value, rendered = useSignal<string[]>([]);
  const shown = line.value && cells ? cellsAlong(line.value, cells) : [];
  useEffect(() => { rendered.value = []; }, [line.value, view.layer.value]);
  const close = () => { line.value = null; };
  if (!line.value) return null;
  return (
    <section class="strip" aria-label="Icons along the line">
      <div class="row">
        <strong>{shown.length} {shown.length === 1 ? "cell" : "cells"} along the line</strong>
        <Rendering view={view} line={line.value} shown={shown} onAsked={(jobs) => { rendered.value = jobs; }} />
        <IconButton icon="close" name="Take the line away" onClick={close} />
      </div>
      {shown.length === 0 && <p class="quiet">There is no cell along it.</p>}
      <ol class="icons" tabIndex={-1}>{shown.map((place) => <Cell key={`${place.side}-${place.column}-${place.row}`} view={view} place={place} />)}</ol>
      {rendered.value.length > 0 && <Rendered paths={rendered.value} />}
    </section>
  );
}

function Cell({ view, place }: { view: View; place: Place }) {
  const { side, column, row } = place, cell = useSignal<CellDocument | null>(null), layer = view.layer.value;
  useEffect(() => {
    let gone = false;
    cell.value = null;
    void view.source.cell(layer, side, column, row).then((found) => { if (!gone) cell.value = found; }, () => null);
    return () => { gone = true; };
  }, [layer, side, column, row, view.looks.value]);
  const best = clearClass(view, layer, side, cell.value), classless = cell.value && !cell.value.classes?.length;
  const name = best ? brief(best.name) : classless ? `${cell.value!.count} samples` : best === null ? UNCLEAR : "";
  const point = () => { view.hovered.value = place; }, leave = () => { view.hovered.value = null; };
  return (
    <li>
      <button type="button" title={`Column ${column}, row ${row}`} onClick={() => { view.selected.value = place; }} onPointerEnter={point} onPointerLeave={leave} onFocus={point} onBlur={leave}>
        <CellIcon view={view} layer={layer} place={place} pixels={128} label="" />
        <span>{name}</span>
      </button>
    </li>
  );
}

/** The pairs of cells between which icons are rendered: at the corners of the line, of cells that are there. */
export function legs(line: Line, shown: Place[]): [Place, Place][] {
  const near = ([x, y]: [number, number]) => [...shown].sort((a, b) => far(a, x, y) - far(b, x, y))[0]!;
  const corners = line.map(near);
  return corners.slice(1).map((to, n) => [corners[n]!, to] as [Place, Place]).filter(([a, b]) => a !== b);
}

const far = ({ side, column, row }: Place, x: number, y: number) => Math.hypot((column + 0.5) / side - x, 1 - (row + 0.5) / side - y);

function Rendering({ view, line, shown, onAsked }: { view: View; line: Line; shown: Place[]; onAsked: (paths: string[]) => void }) {
  const busy = useSignal(false), failed = useSignal<string | null>(null), root = view.source.root;
  if (!view.source.live || view.atlas.value.seeded === null || shown.length < 2) return null;
  const ask = async () => {
    busy.value = true;
    failed.value = null;
    try {
      const pairs = legs(line, shown), z = view.level()?.z ?? 0, steps = Math.max(3, Math.round(STEPS / pairs.length));
      const end = ({ column, row }: Place) => ({ column, row });
      const jobs = await Promise.all(pairs.map(([from, to]) => post<Job>(`${root}/icons`, { kind: "path", layer: view.layer.peek(), z, start: end(from), end: end(to), steps, along: "map" })));
      onAsked(jobs.map(({ id }) => `${root}/icons/${id}`));
    } catch (error) {
      failed.value = (error as Error).message;
    }
    busy.value = false;
  };
  return <><button type="button" disabled={busy.value} onClick={() => void ask()}>Render steps between</button>{failed.value && <span class="failed" role="alert">{failed.value}</span>}</>;
}

function Rendered({ paths }: { paths: string[] }) {
  return <ol class="icons rendered" aria-label="Rendered steps">{paths.map((path) => <Leg key={path} path={path} />)}</ol>;
}

function Leg({ path }: { path: string }) {
  const job = useJob<IconsJob>(path), pictures = job?.description?.pictures;
  if (!pictures) return <li class="wide"><JobLine job={job} doing="Rendering" /></li>;
  return (
    <>
      {pictures.map(({ n, url, share, fidelity }) => (
        <li key={n} tabIndex={0} title={fidelity.whitened_cosine === undefined ? undefined : `Fidelity ${fidelity.whitened_cosine.toFixed(2)}`}>
          <img src={url.replace(/^\//, "")} alt={`Rendered at ${percent(share)} of the way`} width="64" height="64" />
          <span>{percent(share)}</span>
        </li>
      ))}
    </>
  );
}
