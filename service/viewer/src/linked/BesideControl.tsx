// On the map: puts a second one beside it, and ties where both look.

import { Icon } from "../parts/Icon";
import { say } from "../parts/said";
import type { View } from "../view";
import { besideOf } from "./beside";
import { kinsOf } from "./kin";

export function BesideControl({ view }: { view: View }) {
  const { open, against, together } = besideOf(view), kin = kinsOf(view).value, { id, name } = view.atlas.value;
  const toggle = () => {
    open.value = !open.value;
    say(open.value ? "A second map is shown beside the map" : "One map is shown");
  };
  return (
    <div class="beside">
      <button type="button" aria-pressed={open.value} title="Show another layer, or an atlas laid out against this one, beside it: what you point at is lit in both" onClick={toggle}>
        <Icon name="columns" /> <span class="roomy">Side by side</span>
      </button>
      {open.value && kin.length > 0 && (
        <select aria-label="Atlas of the second map" value={against.value} onChange={(event) => { against.value = event.currentTarget.value; }}>
          <option value="">{name ?? id.slice(0, 8)} (this atlas)</option>
          {kin.map((one) => <option key={one.id} value={one.id}>{one.name} (same plane)</option>)}
        </select>
      )}
      {open.value && <label><input type="checkbox" checked={together.value} onChange={(event) => { together.value = event.currentTarget.checked; }} /> move together</label>}
    </div>
  );
}
