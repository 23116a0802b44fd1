// Icons or points, and icons sized by density.

import { Problem } from "../api";
import { Busy } from "../parts/Busy";
import { Choice } from "../parts/Choice";
import { Popover } from "../parts/Popover";
import { count } from "../parts/words";
import type { View } from "../view";
import { displayOf } from "./display";
import { namesOf } from "../names/names";
import { tipOf } from "../tip/shown";
import { pointsOf } from "./points";

const LEAST = 0.2, MOST = 8; // of the slider, as in the article; it is logarithmic, so that 1 lies near its middle

export function Displaying({ view }: { view: View }) {
  return <Popover icon="settings" name="How the map is drawn" kind="display">{() => <Settings view={view} />}</Popover>;
}

function Settings({ view }: { view: View }) {
  const { shown, density } = displayOf(view), bare = view.atlas.value.seeded === null;
  const cells = bare ? "Counts" : "Icons";
  return (
    <>
      <span class="label">Show</span>
      <Choice label="Show" value={shown.value} onPick={(value) => { shown.value = value as "icons" | "points"; }}
        options={[{ value: "icons", text: cells }, { value: "points", text: "Points", disabled: !view.source.live, title: view.source.live ? undefined : "Only a service has them" }]} />
      {shown.value === "points" ? <PointsNote view={view} /> : (
        <>
          <label class="check"><input type="checkbox" checked={density.value !== null} onChange={(event) => { density.value = event.currentTarget.checked ? 1 : null; }} /> Size by number of samples</label>
          {density.value !== null && (
            <label class="slider">Density
              <input type="range" min={Math.log(LEAST)} max={Math.log(MOST)} step="0.01" value={Math.log(density.value)} aria-valuetext={density.value.toFixed(2)}
                onInput={(event) => { density.value = Math.exp(Number(event.currentTarget.value)); }} />
              <output>{density.value.toFixed(1)}</output>
            </label>
          )}
        </>
      )}
      <Extras view={view} />
      <Location view={view} />
    </>
  );
}

function Extras({ view }: { view: View }) {
  const names = namesOf(view), tip = tipOf(view);
  return (
    <>
      {names.list.value.length > 0 && (
        <label class="check"><input type="checkbox" checked={names.shown.value} onChange={(event) => { names.shown.value = event.currentTarget.checked; }} /> Names of places</label>
      )}
      <label class="check"><input type="checkbox" checked={tip.value} onChange={(event) => { tip.value = event.currentTarget.checked; }} /> Say what a cell is beside the pointer</label>
    </>
  );
}

function Location({ view }: { view: View }) {
  const { x, y, zoom } = view.camera.value;
  return <p class="quiet location">x {x.toFixed(3)}, y {y.toFixed(3)}, zoom {zoom.toFixed(zoom < 10 ? 1 : 0)}</p>;
}

function PointsNote({ view }: { view: View }) {
  const points = pointsOf(view).value;
  if (points === null) return <Busy>Fetching the points…</Busy>;
  if (points instanceof Problem) return <p class="failed">{points.message}</p>;
  const known = points.right.some((it) => it >= 0), wrong = points.right.reduce((sum, it) => sum + (it === 0 ? 1 : 0), 0);
  return <p class="quiet">{count(points.count)} samples{known && <>, <span class="wrong-dot" aria-hidden="true" /> {count(wrong)} of images that the network got wrong</>}</p>;
}
