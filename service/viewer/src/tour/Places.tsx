// The panel of saved places: add what is shown, write captions, order them, play them.

import { IconButton } from "../parts/IconButton";
import type { View } from "../view";
import { type Saving, type Tour, isStale, tourOf } from "./tour";

export function Places({ view }: { view: View }) {
  const tour = tourOf(view), stops = tour.stops.value, playing = tour.at.value;
  return (
    <>
      <h2>Saved places</h2>
      <p class="quiet">{tour.canEdit
        ? "Save what the map shows now, say what there is to see, and play the places as a tour. Whoever looks at this map sees them."
        : "Places that were saved before this copy was made."}</p>
      <div class="places-actions">
        {tour.canEdit && <button type="button" class="primary" onClick={() => tour.addHere()}>Save this place</button>}
        {stops.length > 0 && <button type="button" onClick={() => tour.play()}>Play tour</button>}
      </div>
      <ol class="places">
        {stops.map((stop, n) => (
          <li key={n} class={n === playing ? "playing" : ""}>
            <button type="button" class="place-number" aria-label={`Go to place ${n + 1}`} title="Go there" onClick={() => { tour.show(n); tour.pause(true); }}>{n + 1}</button>
            {tour.canEdit
              ? <textarea rows={4} maxLength={1000} aria-label={`Caption of place ${n + 1}`} placeholder="What is there to see?" value={stop.caption} onInput={(event) => tour.setCaption(n, event.currentTarget.value)} />
              : <p>{stop.caption || "No caption"}</p>}
            {tour.canEdit && <Order tour={tour} n={n} last={stops.length - 1} />}
          </li>
        ))}
      </ol>
      <Saved tour={tour} saving={tour.saving.value} />
    </>
  );
}

function Order({ tour, n, last }: { tour: Tour; n: number; last: number }) {
  return (
    <div class="place-order">
      <IconButton icon="up" name={`Move place ${n + 1} up`} disabled={n === 0} onClick={() => tour.move(n, -1)} />
      <IconButton icon="down" name={`Move place ${n + 1} down`} disabled={n === last} onClick={() => tour.move(n, 1)} />
      <IconButton icon="close" name={`Remove place ${n + 1}`} onClick={() => tour.remove(n)} />
    </div>
  );
}

function Saved({ tour, saving }: { tour: Tour; saving: Saving }) {
  if (saving === "read" || !tour.canEdit) return null;
  if (typeof saving === "string") return <p class="quiet" role="status">{saving === "saved" ? (tour.stops.value.length ? "Saved." : "") : "Saving…"}</p>;
  if (!isStale(saving)) return <p class="failed" role="alert">Not saved: {saving.message}</p>;
  return (
    <div role="alert">
      <p class="failed">Somebody else saved places of this map meanwhile.</p>
      <div class="places-actions">
        <button type="button" onClick={() => void tour.load()}>Take theirs</button>
        <button type="button" onClick={() => void tour.keepMine()}>Keep mine</button>
      </div>
    </div>
  );
}
