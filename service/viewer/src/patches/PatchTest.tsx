// The patch test of a cell: its real patches pasted on images of one class; how many turn into another, beside controls.

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { listOf, post } from "../api";
import { className } from "../classes";
import { isRunning } from "../jobs";
import { CellIcon } from "../parts/CellIcon";
import { JobLine, useJob } from "../parts/JobLine";
import type { Job } from "../types";
import type { Place, View } from "../view";
import { type Description, Found } from "./Found";

type PatchesJob = Job & { description: Description | null };

interface Props { view: View; cell: Place; target: number; base: number }

const EACH = 3;

/** What is asked for: the cell's patches on images of one class, to turn into another. */
const requestOf = (view: View, { side, column, row }: Place, target: number, base: number) =>
  ({ target, base, patches: { kind: "cells", layer: view.layer.peek(), z: view.level(side)?.z ?? 0, cells: [{ column, row }], each: EACH } });

/** Whether a job was asked for by that, whatever else its request was filled up with. */
function isOf(job: Job, { target, base, patches }: ReturnType<typeof requestOf>): boolean {
  const asked = job.request ?? {}, of = asked.patches ?? {}, [cell, ...more] = of.cells ?? [], wanted = patches.cells[0]!;
  return asked.target === target && asked.base === base && of.kind === "cells" && !of.icons && of.layer === patches.layer && of.z === patches.z
    && of.each === EACH && !more.length && cell?.column === wanted.column && cell.row === wanted.row;
}

/** The last test, that runs or is made, of a request. */
const lastOf = (made: Job[], request: ReturnType<typeof requestOf>): Job | undefined =>
  made.filter((one) => (one.state === "succeeded" || isRunning(one)) && isOf(one, request)).sort((a, b) => (a.created! < b.created! ? 1 : -1))[0];

export function PatchTest({ view, cell, target, base }: Props) {
  const swapped = useSignal(false), made = useSignal<Job[]>([]), failed = useSignal<string | null>(null);
  const [from, to] = swapped.value ? [target, base] : [base, target], root = view.source.root;
  const request = requestOf(view, cell, to, from), last = lastOf(made.value, request), path = last ? `${root}/patches/${last.id}` : null;
  const job = useJob<PatchesJob>(path);
  // One that was made before, by anybody, is shown at once; the other way round, if that alone was tested.
  useEffect(() => {
    let gone = false;
    void listOf<Job>(`${root}/patches`).then((found) => {
      if (gone) return;
      if (!lastOf(found, request) && lastOf(found, requestOf(view, cell, from, to))) swapped.value = true;
      made.value = [...found, ...made.value];
    }, () => null);
    return () => { gone = true; };
  }, [root]);
  const ask = async () => {
    failed.value = null;
    try {
      made.value = [...made.value, await post<Job>(`${root}/patches`, request)];
    } catch (error) {
      failed.value = (error as Error).message;
    }
  };
  const [one, other] = [className(view, from), className(view, to)];
  return (
    <section class="patch-test" aria-label="Patch test">
      <h3>Patch test</h3>
      <div class="of">
        <CellIcon view={view} place={cell} pixels={112} label="" />
        <p>Paste patches of this cell (column {cell.column}, row {cell.row}) on images of <strong>{one}</strong>: does the model then say <strong>{other}</strong>?</p>
      </div>
      <div class="tools">
        <button type="button" class="primary" disabled={path !== null && (!job || isRunning(job))} onClick={() => void ask()}>Test it</button>
        <button type="button" onClick={() => { swapped.value = !swapped.value; failed.value = null; }}>The other way round</button>
      </div>
      {failed.value && <p class="failed" role="alert">{failed.value}</p>}
      {path && <JobLine job={job} doing="Pasting" />}
      {job?.description && <Found found={job.description} root={path!} one={one} other={other} />}
    </section>
  );
}
