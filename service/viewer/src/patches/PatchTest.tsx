// The patch test of a cell: its real patches pasted on images of one class; how many turn into another, beside controls.

import { useSignal } from "@preact/signals";
import { post } from "../api";
import { className } from "../classes";
import { JobLine, useJob } from "../parts/JobLine";
import { count, percent, sentence } from "../parts/words";
import type { Job } from "../types";
import type { Place, View } from "../view";

interface Share { hits: number; n: number; share: number; interval: [number, number] }
interface Size { size: number; pixels: number; fixed: Share; corners: Share }
/** `best_size` is the place of the size that flips most. */
interface Result { sizes: Size[]; best_size: number }
interface Patch extends Result { n: number; url: string | null }
interface Description {
  base_images: number; control_images: number; held_out: boolean; verdict: "flips" | "no flips" | "inconclusive"; reason: string; needs: string | null;
  patches: Patch[]; controls: Partial<Record<"crops" | "noise", Result>>;
}
type PatchesJob = Job & { description: Description | null };

interface Props { view: View; cell: Place; target: number; base: number }

const EACH = 3;
const VERDICTS = { flips: "Its patches flip the answer.", "no flips": "Its patches do not flip the answer.", inconclusive: "That cannot be said for sure." };

export function PatchTest({ view, cell, target, base }: Props) {
  const swapped = useSignal(false), asked = useSignal<string | null>(null), failed = useSignal<string | null>(null);
  const [from, to] = swapped.value ? [target, base] : [base, target], root = view.source.root;
  const job = useJob<PatchesJob>(asked.value);
  const ask = async () => {
    failed.value = null;
    asked.value = null;
    const cells = [{ column: cell.column, row: cell.row }], z = view.level(cell.side)?.z ?? 0;
    try {
      const made = await post<PatchesJob>(`${root}/patches`, { target: to, base: from, patches: { kind: "cells", layer: view.layer.peek(), z, cells, each: EACH } });
      asked.value = `${root}/patches/${made.id}`;
    } catch (error) {
      failed.value = (error as Error).message;
    }
  };
  const [one, other] = [className(view, from), className(view, to)];
  return (
    <section class="patch-test" aria-label="Patch test">
      <h3>Patch test</h3>
      <p>Paste this cell's patches on images of <strong>{one}</strong>: does the model then say <strong>{other}</strong>?</p>
      <div class="tools">
        <button type="button" class="primary" disabled={asked.value !== null && !ended(job)} onClick={() => void ask()}>Test it</button>
        <button type="button" onClick={() => { swapped.value = !swapped.value; asked.value = null; }}>The other way round</button>
      </div>
      {failed.value && <p class="failed" role="alert">{failed.value}</p>}
      {asked.value && <JobLine job={job} doing="Pasting" />}
      {job?.description && <Found found={job.description} root={asked.value!} one={one} other={other} />}
    </section>
  );
}

const ended = (job: Job | null) => job !== null && !["queued", "running"].includes(job.state);

function Found({ found, root, one, other }: { found: Description; root: string; one: string; other: string }) {
  const rows: [name: string, result: Result, picture: string | null][] = [
    ...found.patches.map((patch, n) => [`Patch ${n + 1}`, patch, patch.url] as [string, Result, string | null]),
    ...(found.controls.crops ? [[`Crops of ${other}`, found.controls.crops, null] as [string, Result, null]] : []),
    ...(found.controls.noise ? [["Noise", found.controls.noise, null] as [string, Result, null]] : []),
  ];
  return (
    <>
      <p role="status" class="verdict"><strong>{VERDICTS[found.verdict]}</strong> {sentence(found.reason)}{found.needs ? ` To be sure it takes ${found.needs}.` : ""}</p>
      <table>
        <caption>Images of {one} that flip to {other}, of {count(found.base_images)}, each at the size that flips most and in the best corner; 95 % interval</caption>
        <thead><tr><th scope="col">Pasted</th><th scope="col">Size</th><th scope="col">Flip</th><th scope="col">Interval</th></tr></thead>
        <tbody>{rows.map(([name, result, picture]) => <Row key={name} name={name} result={result} picture={picture} />)}</tbody>
      </table>
      {!found.held_out && <p class="note">Tested on images that the atlas is made of: it left none out to test on.</p>}
      {found.patches.length > 0 && <figure><a href={`${root}/sheet`} target="_blank" rel="noreferrer"><img class="sheet" src={`${root}/sheet`} alt={`Images of ${one}, before and after a patch was pasted, with what the model says of each`} /></a><figcaption class="quiet">Those that flipped, if any: before and after, the surest first</figcaption></figure>}
    </>
  );
}

function Row({ name, result, picture }: { name: string; result: Result; picture: string | null }) {
  const size = result.sizes[result.best_size]!, { share, interval } = size.corners;
  return (
    <tr>
      <th scope="row">{picture && <img src={picture.replace(/^\//, "")} alt="" width="32" height="32" />}{name}</th>
      <td title="Of the picture's side">{percent(size.size)}</td>
      <td>{percent(share)}</td>
      <td class="interval"><span class="range" aria-hidden="true"><span style={{ left: `${100 * interval[0]}%`, width: `${100 * (interval[1] - interval[0])}%` }} /><i style={{ left: `${100 * share}%` }} /></span>{percent(interval[0])}–{percent(interval[1])}</td>
    </tr>
  );
}
