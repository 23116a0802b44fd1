// The cell that is pointed at or chosen, on both halves: whose images lie there, how often each model is right, real patches.

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { json, quoted } from "../api";
import { count, percent } from "../parts/words";
import type { Place } from "../view";
import type { PartProps } from "./VersionsPage";
import type { Coupled } from "./coupled";
import { type Which, titles } from "./told";

const CROPS = 12;

export function CellCard({ job, found, halves }: PartProps) {
  const at = pointed(halves);
  if (!at) return <p class="quiet cell-card">Point at a cell: the same samples light up on the other map. Choose one to keep it.</p>;
  const { which, place } = at, cells = halves.half[which].cells, names = titles(found, halves.layer);
  const n = cells.column.findIndex((column, n) => column === place.column && cells.row[n] === place.row);
  if (n < 0) return null;
  const { followed, share } = halves.follow(which, place), samples = cells.samples[n]!, before = cells.old[n], after = cells.new[n];
  return (
    <section class="cell-card" aria-label="Cell">
      <h2>{cells.common[n] ?? "Cell"} {cells.common[n] && <small class="quiet">{percent(cells.share[n])} of its images</small>}</h2>
      <p class="quiet">Column {place.column}, row {place.row} of {names[which]}: {count(samples)} samples of {count(cells.images[n])} images.</p>
      {before !== null && after !== null && <p>Right: {percent(before)} → <strong>{percent(after)}</strong></p>}
      <p class="quiet">{followed ? `On the other map ${percent(share[0])} of them lie together in one cell, all in ${count(share.length)}.` : "None of them is on the other map."}</p>
      <Crops key={`${which} ${place.column} ${place.row}`} job={job} halves={halves} which={which} place={place} />
    </section>
  );
}

function pointed({ view }: Coupled): { which: Which; place: Place } | null {
  for (const which of ["old", "new"] as const) if (view[which].hovered.value) return { which, place: view[which].hovered.value! };
  for (const which of ["new", "old"] as const) if (view[which].selected.value) return { which, place: view[which].selected.value! };
  return null;
}

// Of a comparison of an atlas the old half's samples are the atlas's, in the same order: it has their crops.
function Crops({ job, halves, which, place }: { job: PartProps["job"]; halves: Coupled; which: Which; place: Place }) {
  const base = job.atlas && `v1/atlases/${encodeURIComponent(job.atlas)}/layers/${quoted(halves.layer.layer)}/samples`, same = useSignal(false);
  const chosen = halves.view[which].selected.value, kept = chosen?.column === place.column && chosen.row === place.row;
  useEffect(() => {
    if (base && kept) json<{ total: number }>(`${base}?page_size=1`).then(({ total }) => { same.value = total === halves.half.old.cell.length; }, () => null);
  }, [base, kept]);
  if (!kept || !same.value || job.spec.privacy === "strict") return null;
  const samples = halves.samplesIn(which, place).map((n) => (which === "old" ? n : halves.half.new.twin[n]!)).filter((n) => n >= 0);
  return <ul class="crops">{samples.slice(0, CROPS).map((n) => <li key={n}><img src={`${base}/${n}/crop`} alt="" width="44" height="44" loading="lazy" /></li>)}</ul>;
}
