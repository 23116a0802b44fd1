// Above another panel: the cell that is chosen, in a line, and the way to what is known of it.

import { clearClass, headed } from "../clarity";
import { CellIcon } from "../parts/CellIcon";
import { IconButton } from "../parts/IconButton";
import { count } from "../parts/words";
import type { View } from "../view";
import { panelOf } from "./open";
import { shownCell } from "./shown";

export function Chosen({ view }: { view: View }) {
  const { place, cell } = shownCell(view), at = place.value, found = cell.value;
  if (!at) return null;
  const first = clearClass(view, view.layer.value, at.side, found);
  return (
    <section class="chosen" aria-label="Chosen cell">
      {view.atlas.value.seeded !== null && <CellIcon view={view} place={at} pixels={112} label="" />}
      <p><strong>{headed(first, found)}</strong><br />
        <span class="quiet">column {at.column}, row {at.row}{found && `, ${count(found.count)} samples`}</span></p>
      <button type="button" onClick={() => { panelOf(view).value = "details"; }}>Details</button>
      <IconButton icon="close" name="Let the cell go" onClick={() => { view.selected.value = null; }} />
    </section>
  );
}
