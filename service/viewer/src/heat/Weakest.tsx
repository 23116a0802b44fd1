// The cells whose icons deserve least trust, the weakest first, each with what is wrong with it in words.

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { panelOf } from "../panels/open";
import { CellIcon } from "../parts/CellIcon";
import { MARKS } from "../parts/marks";
import { say } from "../parts/said";
import { count, decimal } from "../parts/words";
import type { CellDocument } from "../types";
import type { View } from "../view";
import { choose } from "./HeatPanel";
import { type HeatDocument, told } from "./scale";

const ALIKE = 0.5; // coherence under which a mean shows little of its samples

/** What speaks against trusting a cell's icon, the gravest first. */
export function reasonsOf({ icon, coherence, few_images, images }: CellDocument): string[] {
  const marks = (icon?.marks ?? []).map((mark) => MARKS[mark]?.long ?? mark);
  return [
    ...marks,
    ...(icon?.whitened_cosine !== undefined && !icon.marks.includes("low_fidelity") ? [`Its fidelity of ${decimal(icon.whitened_cosine)} passes, but is among the lowest of this level.`] : []),
    ...(coherence !== null && coherence < ALIKE ? [`Its samples differ much, coherence ${decimal(coherence)}: their mean shows little of any of them.`] : []),
    ...(few_images ?? images < 3 ? [`Only ${count(images)} ${images === 1 ? "image" : "images"} fell into it.`] : []),
  ];
}

export function Weakest({ view, shown, title, cells }: { view: View; shown: HeatDocument; title: string; cells: number[] }) {
  const found = useSignal(new Map<number, CellDocument | null>()), { layer, side } = shown;
  useEffect(() => {
    let gone = false;
    const asked = cells.map((n) => view.source.cell(layer, side, shown.column[n]!, shown.row[n]!).then((cell) => [n, cell] as const));
    Promise.all(asked).then((pairs) => {
      if (gone) return;
      found.value = new Map(pairs);
      const [n, cell] = pairs[0] ?? [0, null];
      if (cell) say(`${title}: first column ${cell.column}, row ${cell.row}, ${told(shown.value[n]!, shown.measure)}. ${reasonsOf(cell).join(" ")}`);
    }, () => undefined);
    return () => { gone = true; };
  }, [shown]);
  const pick = (n: number) => {
    choose(view, side, shown.column[n]!, shown.row[n]!);
    panelOf(view).value = "details";
  };
  return (
    <section aria-label={title}>
      <h3>{title}, the weakest first</h3>
      <p class="quiet small">Of {layer} at {side} cells a side.</p>
      <ol class="weakest">
        {cells.map((n) => {
          const column = shown.column[n]!, row = shown.row[n]!, cell = found.value.get(n);
          return (
            <li key={n}><button type="button" title={`Column ${column}, row ${row}`} onClick={() => pick(n)}>
              <CellIcon view={view} layer={layer} place={{ side, column, row }} pixels={144} label="" />
              <span><strong>{told(shown.value[n]!, shown.measure)}</strong> <span class="quiet">column {column}, row {row}</span>
                {cell && reasonsOf(cell).map((reason) => <span key={reason} class="reason">{reason}</span>)}</span>
            </button></li>
          );
        })}
      </ol>
    </section>
  );
}
