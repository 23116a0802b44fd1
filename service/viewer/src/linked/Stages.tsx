// The map, and where it is asked for a second one beside it that is linked to the first.

import { useEffect } from "preact/hooks";
import { Stage } from "../map/stage";
import { say } from "../parts/said";
import type { View } from "../view";
import { besideOf, canBeside, openBeside } from "./beside";
import { lightFrom, moveTogether } from "./linking";

export function Stages({ view }: { view: View }) {
  const { open, together, other } = besideOf(view);
  const shown = open.value && canBeside(view), second = other.value;
  useEffect(() => (shown ? openBeside(view) : undefined), [view, shown]);
  useEffect(() => (second ? ended(lightFrom(view, second), lightFrom(second, view)) : undefined), [second]);
  useEffect(() => (second && together.value ? moveTogether(view, second) : undefined), [second, together.value]);
  return (
    <div class={second ? "stages two" : "stages"}>
      <Stage view={view} />
      {second && <Stage key={second.prefix} view={second} />}
    </div>
  );
}

function ended(...ends: (() => void)[]): () => void {
  return () => { for (const end of ends) end(); };
}

/** On the map: puts a second one beside it, and ties where both look. */
export function BesideControl({ view }: { view: View }) {
  const { open, together } = besideOf(view);
  const toggle = () => {
    open.value = !open.value;
    say(open.value ? "A second layer is shown beside the map" : "One layer is shown");
  };
  return (
    <div class="beside">
      <button type="button" aria-pressed={open.value} title="Show another layer beside this one: what you point at is lit in both" onClick={toggle}>
        <Columns /> Side by side
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
