// On the map: puts a second one beside it, and ties where both look.

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
        <Columns /> <span class="roomy">Side by side</span>
      </button>
      {open.value && <label><input type="checkbox" checked={together.value} onChange={(event) => { together.value = event.currentTarget.checked; }} /> move together</label>}
    </div>
  );
}

function Columns() {
  return (
    <svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" fill="none" stroke="currentColor" stroke-width="1.5">
      <rect x="1.5" y="2.5" width="5.5" height="11" rx="1" /><rect x="9" y="2.5" width="5.5" height="11" rx="1" />
    </svg>
  );
}
