// The cells that speak most for either of two classes, those of enough samples, and what was left out for having fewer.

import { className } from "../classes";
import { enoughSamples } from "../enough";
import { CellIcon } from "../parts/CellIcon";
import { amount } from "../parts/words";
import type { Cells, View } from "../view";
import { type Compared, differenceAt } from "./classes";

const SHOWN = 3; // cells of each class

export function Ends({ view, compared }: { view: View; compared: Compared }) {
  const cells = view.cells.value;
  if (!cells) return null;
  return <>{[compared.first, compared.second].map((label, end) => <End key={label} view={view} cells={cells} compared={compared} name={className(view, label)} sign={end ? 1 : -1} />)}</>;
}

interface Props { view: View; cells: Cells; compared: Compared; name: string; sign: 1 | -1 }

function End({ view, cells, compared, name, sign }: Props) {
  const { side } = cells, order = Array.from({ length: cells.length }, (_, n) => n), enough = enoughSamples(order.map((n) => cells.count[n]!));
  const more = (n: number) => sign * differenceAt(compared, cells.column[n]!, side);
  const full = order.filter((n) => more(n) > 0 && cells.count[n]! >= enough);
  const found = full.sort((a, b) => more(b) - more(a) || cells.count[b]! - cells.count[a]!).slice(0, SHOWN);
  if (!found.length) return null;
  const few = order.filter((n) => cells.count[n]! < enough && more(n) > more(found.at(-1)!)), chosen = view.selected.value;
  return (
    <section aria-label={`Speaks most for ${name}`}>
      <h3>Speaks most for {name}, <span class="unit">in logits</span></h3>
      <ul class="cells">
        {found.map((n) => {
          const place = { side, column: cells.column[n]!, row: cells.row[n]! }, told = amount(more(n));
          const on = chosen?.side === side && chosen.column === place.column && chosen.row === place.row;
          return (
            <li key={n}><button type="button" aria-pressed={on} title="Choose it, to test it" aria-label={`About ${told} logits more for ${name}, column ${place.column}, row ${place.row}`} onClick={() => { view.selected.value = place; }}>
              <CellIcon view={view} place={place} pixels={112} label="" /><span>{told}</span>
            </button></li>
          );
        })}
      </ul>
      {few.length > 0 && <p class="quiet small">{few.length === 1 ? "One cell speaks" : `${few.length} cells speak`} more for it but {few.length === 1 ? "is" : "are"} left out: fewer than {enough} samples are too few to go by.</p>}
    </section>
  );
}
