// On the map: puts a second one beside it, and ties where both look.

import { Icon } from "../parts/Icon";
import { say } from "../parts/said";
import type { View } from "../view";
import { besideOf } from "./beside";

export function BesideControl({ view }: { view: View }) {
  const { open, together } = besideOf(view);
  const toggle = () => {
    open.value = !open.value;
    say(open.value ? "A second layer is shown beside the map" : "One layer is shown");
  };
  return (
    <div class="beside">
      <button type="button" aria-pressed={open.value} title="Show another layer beside this one: what you point at is lit in both" onClick={toggle}>
        <Icon name="columns" /> <span class="roomy">Side by side</span>
      </button>
      {open.value && <label><input type="checkbox" checked={together.value} onChange={(event) => { together.value = event.currentTarget.checked; }} /> move together</label>}
    </div>
  );
}
