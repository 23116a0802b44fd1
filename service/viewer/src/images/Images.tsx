// Pictures of the user's: chosen, dropped or pasted; what the model makes of them, and where they land.

import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { quoted, send } from "../api";
import { goTo } from "../linked/Through";
import { Bars } from "../parts/Bars";
import { Busy } from "../parts/Busy";
import { type SamplePage, Samples } from "../parts/Samples";
import { brief, count, percent } from "../parts/words";
import type { Position } from "../types";
import type { View } from "../view";
import { Novelty } from "./Novelty";
import { Picture } from "./Picture";
import { type Landing, canPlace, landingsOf } from "./landings";
import { take } from "./taking";

export function Images({ view }: { view: View }) {
  const landings = landingsOf(view), { front } = landings;
  return (
    <section class="images" aria-label="Your pictures">
      <Chooser view={view} first={landings.all.value.length === 0} />
      {landings.refused.value && <p class="failed" role="alert">{landings.refused.value}</p>}
      {landings.all.value.length > 1 && <Shelf view={view} />}
      {front.value && <Landed key={front.value.id} view={view} landing={front.value} />}
    </section>
  );
}

function Chooser({ view, first }: { view: View; first: boolean }) {
  if (!canPlace(view)) return <p class="quiet">Once the atlas is complete, you can see here where a picture of your own lands on it.</p>;
  return <Choosing view={view} first={first} />;
}

function Choosing({ view, first }: { view: View; first: boolean }) {
  const input = useRef<HTMLInputElement>(null);
  return (
    <div class="chooser">
      {first && <p class="quiet">See where a picture of your own lands on this map, what the model makes of each part of it, and whether it has ever seen anything like it.</p>}
      <button type="button" onClick={() => input.current!.click()}>{first ? "Choose a picture" : "Another picture"}</button>
      <span class="quiet">or drop or paste one anywhere</span>
      <input ref={input} type="file" hidden multiple accept="image/jpeg,image/png,image/webp" aria-label="Pictures to place"
        onChange={(event) => { const it = event.currentTarget; if (it.files?.length) take(view, [...it.files]); it.value = ""; }} />
    </div>
  );
}

/** All pictures side by side; one comes to the front. */
function Shelf({ view }: { view: View }) {
  const landings = landingsOf(view);
  return (
    <ul class="shelf">
      {landings.all.value.map((landing) => (
        <li key={landing.id}>
          <button type="button" aria-pressed={landing === landings.front.value} title={landing.name} onClick={() => landings.show(landing)}>
            <img src={landing.url} alt="" width="64" height="64" />
            <span>{landing.problem.value ? "failed" : (landing.answer.value?.novelty?.word ?? (landing.answer.value ? "placed" : "…"))}</span>
            <small>{named(landing)}</small>
          </button>
        </li>
      ))}
    </ul>
  );
}

const named = ({ answer, name }: Landing) => (answer.value?.classes?.[0] ? brief(answer.value.classes[0].name) : name);

function Landed({ view, landing }: { view: View; landing: Landing }) {
  const landings = landingsOf(view), at = useSignal<Position | null>(null), like = useSignal(0);
  const answer = landing.answer.value, layer = view.layer.value, placed = answer?.layers[layer];
  useEffect(() => () => { at.value = null; like.value = 0; }, [layer]); // another layer has other places
  const choose = (position: Position) => {
    at.value = position;
    like.value += 1;
    const cell = position.cells[String(view.shownSide.peek())];
    if (cell) goTo(view, layer, { side: view.shownSide.peek(), ...cell });
  };
  return (
    <article class="landed" aria-label={landing.name}>
      <header><h2 title={landing.name}>{landing.name}</h2><button type="button" class="close" aria-label={`Take ${landing.name} away`} onClick={() => landings.remove(landing)}>×</button></header>
      {landing.problem.value && <p class="failed" role="alert">{landing.problem.value} <button type="button" onClick={() => { landing.waiting.value = "Placing it…"; void landings.ask(landing); }}>Try again</button></p>}
      {!answer && !landing.problem.value && <Busy>{landing.waiting.value}</Busy>}
      {landing.shown.value && <Picture view={view} landing={landing} at={at.value} onChoose={choose} />}
      {answer && <Novelty novelty={answer.novelty} reason={answer.novelty_reason ?? null} />}
      {placed && <Positions view={view} positions={placed.positions} typical={placed.typical_share} />}
      {answer?.classes?.length ? <><h3>What the model takes it for</h3><Bars rows={answer.classes.map((one) => ({ name: brief(one.name), title: one.name, value: percent(one.probability), share: one.probability }))} /></> : null}
      {answer && (
        <p class="like">
          <button type="button" onClick={() => { at.value = null; like.value += 1; }}>Samples most like it</button> <span class="quiet">or choose a place on the picture</span>
        </p>
      )}
      {like.value > 0 && <Like key={like.value} view={view} landing={landing} at={at.value} />}
    </article>
  );
}

function Positions({ view, positions, typical }: { view: View; positions: Position[]; typical?: number }) {
  const unsure = positions.filter((one) => one.ambiguous).length, pointed = landingsOf(view).pointed.value;
  return (
    <>
      <p class="quiet pointed">{pointed ? told(pointed, view) : `${count(positions.length)} positions lie on the map of ${view.layer.value}${unsure ? `; ${count(unsure)} hollow ${unsure === 1 ? "one" : "ones"} could lie in several places` : ""}.`}</p>
      {typical !== undefined && <p class="quiet" title="As near to their neighbours as 95 % of the atlas's own samples are to theirs">{percent(typical)} of them lie among samples like themselves{typical < 1 ? "; the others have a white dot in the picture" : ""}.</p>}
    </>
  );
}

function told(position: Position, view: View): string {
  const cell = position.cells[String(view.shownSide.value)];
  const where = position.ambiguous ? "could lie in several places" : cell ? `lands in column ${cell.column}, row ${cell.row}` : "lands on the map";
  return `Row ${position.row}, column ${position.column} ${where}; ${percent(1 - position.percentile / 100)} of the atlas's samples lie farther from the rest.`;
}

/** The samples most like a position of a picture, or like any of it. */
function Like({ view, landing, at }: { view: View; landing: Landing; at: Position | null }) {
  const url = `${view.source.root}/layers/${quoted(view.layer.peek())}/samples`;
  return (
    <Samples heading={(total) => `The ${count(total)} samples most like ${at ? "the marked place" : "it"}`}
      ask={({ token, size, wrong }) => send<SamplePage>(`${url}?${new URLSearchParams({ page_size: String(size), ...(token && { page_token: token }), ...(wrong && { wrong: "true" }), ...(at && { row: String(at.row), column: String(at.column) }) })}`, landing.file)} />
  );
}
