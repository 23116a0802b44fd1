// What a cell is, beside the pointer: how many samples, the classes it adds most to, whether its icon is to be trusted.

import { type Signal, signal } from "@preact/signals";
import { render } from "preact";
import { useEffect } from "preact/hooks";
import type { Attach } from "../map/attachments";
import type { AtlasMap } from "../map/map";
import { UNCLEAR, clearClass } from "../clarity";
import { amount, brief, count } from "../parts/words";
import type { CellDocument } from "../types";
import { type Place, type View, feature } from "../view";
import { MARKS } from "../parts/marks";
import { tipOf } from "./shown";

const SHOWN = 5; // classes, as in the article
const AWAY = 16; // pixels from the pointer
const PAUSE = 60; // milliseconds on a cell before it is asked for

interface Pointer { x: number; y: number }

/** The tooltip of a map; nothing for fingers, which hide it. */
export const attachTip: Attach = (map) => {
  const place = document.createElement("div"), pointer = signal<Pointer | null>(null);
  place.className = "tip-place";
  map.element.parentElement!.append(place);
  const box = () => map.element.getBoundingClientRect();
  const move = (event: Event) => {
    const { pointerType, buttons, clientX, clientY } = event as PointerEvent, { left, top } = box();
    pointer.value = pointerType === "touch" || buttons ? null : { x: clientX - left, y: clientY - top };
  };
  const leave = () => { pointer.value = null; };
  const on = { pointermove: move, pointerdown: leave, pointerleave: leave, wheel: leave };
  for (const [name, listener] of Object.entries(on)) map.element.addEventListener(name, listener, { passive: true });
  render(<Tip map={map} pointer={pointer} />, place);
  return () => {
    for (const [name, listener] of Object.entries(on)) map.element.removeEventListener(name, listener);
    render(null, place);
    place.remove();
  };
};

function Tip({ map, pointer }: { map: AtlasMap; pointer: Signal<Pointer | null> }) {
  const { view } = map, at = pointer.value, cell = view.hovered.value;
  if (!at || !cell || !tipOf(view).value || map.tool.value) return null;
  const { clientWidth: width, clientHeight: height } = map.element;
  // On the side where there is room, so that the cell itself stays in view.
  const across = at.x > width / 2 ? { right: `${width - at.x + AWAY}px` } : { left: `${at.x + AWAY}px` };
  const down = at.y > height / 2 ? { bottom: `${height - at.y + AWAY}px` } : { top: `${at.y + AWAY}px` };
  return <div class="tip float" role="tooltip" style={{ ...across, ...down }}><Said view={view} place={cell} /></div>;
}

function Said({ view, place }: { view: View; place: Place }) {
  const cells = view.cells.value, n = cells && cells.side === place.side ? cells.at(place.column, place.row) : -1;
  const cell = useCell(view, place), classes = cell?.classes?.slice(0, SHOWN) ?? [], [mark] = cell?.icon?.marks ?? [];
  const unclear = classes.length > 0 && clearClass(view, view.layer.value, place.side, cell) === null;
  const total = cell?.count ?? (n < 0 ? null : cells!.count[n]!);
  return (
    <>
      <p class="of">{total === null ? "A cell" : `Average of ${count(total)} ${total === 1 ? "sample" : "samples"}`}</p>
      {unclear && <p>{UNCLEAR}: it adds almost nothing</p>}
      {classes.length > 0 && !unclear && <p>Adds to the classes (logits)</p>}
      {classes.length > 0 && <dl class={unclear ? "facts faint" : "facts"}>{classes.map(({ index, name, attribution }) => <><dt key={index} class={attribution < 0 ? "against" : ""}>{brief(name)}</dt><dd>{amount(attribution)}</dd></>)}</dl>}
      {mark && <p class="marked"><span class="wrong-dot" aria-hidden="true" /> {MARKS[mark]?.short ?? mark}</p>}
    </>
  );
}

// What is known of the cell, once the pointer has rested on it.
function useCell(view: View, place: Place): CellDocument | null {
  const { side, column, row } = place, layer = view.layer.value, key = `${layer} ${side} ${column} ${row}`;
  const held = known(view);
  useEffect(() => {
    const timer = setTimeout(() => {
      view.source.cell(layer, side, column, row).then((cell) => { held.value = { key, cell }; }, () => undefined);
    }, PAUSE);
    return () => clearTimeout(timer);
  }, [key, view.looks.value]);
  return held.value?.key === key ? held.value.cell : null;
}

const known = feature((_: View) => signal<{ key: string; cell: CellDocument | null } | null>(null));
