// The names of the widest regions as a list: each goes there.

import { mapOf } from "../map/map";
import { brief, percent } from "../parts/words";
import type { View } from "../view";
import { type PlaceName, namesOf } from "./names";

const SHOWN = 12;
const FILLED = 0.8; // share of the map's window that a region fills once it is gone to

// Which of several regions of one name it is.
function again(found: PlaceName[], n: number): string {
  const before = found.slice(0, n).filter((one) => one.name === found[n]!.name).length;
  return before ? ` ${before + 1}` : "";
}

export function Places({ view }: { view: View }) {
  const named = namesOf(view).list.value, widest = named[0]?.rank, found = named.filter((one) => one.rank === widest).slice(0, SHOWN);
  if (!found.length) return null;
  const go = ({ x, y, width }: PlaceName) => mapOf(view).value?.flyTo({ x, y, zoom: FILLED / width });
  return (
    <>
      <h3>On this map</h3>
      <ul class="chips" aria-label="Places on the map">
        {found.map((one, n) => (
          <li key={`${one.name} ${one.x}`}><button type="button" title={`${percent(one.share)} of what is said there, ${(2 ** one.bits).toFixed(1)} times as often as on the whole map`} onClick={() => go(one)}>{brief(one.name)}{again(found, n)}</button></li>
        ))}
      </ul>
      <p class="quiet small">Its widest regions. Zoom in for the names of smaller ones.</p>
    </>
  );
}
