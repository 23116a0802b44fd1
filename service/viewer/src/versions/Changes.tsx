// Cells gained, lost and moved, as they are marked on the map.

import { count, percent } from "../parts/words";
import type { PartProps } from "./VersionsPage";
import type { Coupled } from "./coupled";
import { type Change, type ClassShare, type Spot, type Which, local } from "./told";

const KINDS = [
  ["born", "+", "Gained", "Cells of the new map whose samples lay scattered on the old one.", "new"],
  ["lost", "−", "Lost", "Cells of the old map whose samples are scattered on the new one.", "old"],
  ["moved", "→", "Moved", "Samples that stand together on both maps, but elsewhere.", "new"],
] as const;

export function Changes({ halves }: PartProps) {
  const { cells } = halves.layer, none = cells.numbers.born + cells.numbers.lost + cells.numbers.moved === 0;
  if (none) return <p class="quiet">No cell was gained, lost or moved beyond what chance does on the map of a model and itself.</p>;
  return (
    <>
      {KINDS.filter(([kind]) => cells.numbers[kind]).map(([kind, sign, title, text, which]) => (
        <section key={kind} class={`changes ${kind}`} aria-label={title}>
          <h3>{title}: {count(cells.numbers[kind])} {cells.numbers[kind] === 1 ? "cell" : "cells"}</h3>
          <p class="quiet">{text}{cells.numbers[kind] > cells[kind].length ? ` The surest ${cells[kind].length} are listed.` : ""}</p>
          <ol>{cells[kind].map((change, n) => <Row key={n} halves={halves} change={change} badge={`${sign}${n + 1}`} which={which} />)}</ol>
        </section>
      ))}
    </>
  );
}

const at = ({ column, row }: Spot) => `column ${column}, row ${row}`;
export const mixed = (classes: ClassShare[]) => classes.map(({ name, share }) => `${name} ${percent(share)}`).join(", ");

function Row({ halves, change, badge, which }: { halves: Coupled; change: Change; badge: string; which: Which }) {
  return (
    <li>
      <button type="button" onClick={() => halves.choose(which, change)}>
        <span class="tag">{badge}</span>
        <span>
          <strong>{mixed(change.classes) || at(change)}</strong>
          <small>{change.from ? `${count(change.astray)} images from ${at(change.from)} to ${at(change)}` : `${count(change.images)} images at ${at(change)}; ${count(change.others)} on the other map`}</small>
        </span>
      </button>
      {change.exemplars.length > 0 && <ul class="patches">{change.exemplars.map((patch) => <li key={patch.n}><img src={local(patch.url)} alt={patch.image} title={patch.image} loading="lazy" width="56" height="56" /></li>)}</ul>}
    </li>
  );
}
