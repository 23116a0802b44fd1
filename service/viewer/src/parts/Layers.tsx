// The layers of a model in a table: what they give, and how much of the picture one position sees.

import { useSignal } from "@preact/signals";
import type { LayerInfo } from "../registered";
import { count } from "./words";

const SHORT = 12; // layers up to which all are shown at once

export const shapeOf = ({ shape: [channels, height, width] }: LayerInfo): string => `${count(channels)} × ${height} × ${width}`;

/** Side of the receptive field in pixels of the input. */
export function fieldOf({ receptive_field: field }: LayerInfo): string {
  if (!field) return "all";
  const [height, width] = field.size.map(Math.round);
  return height === width ? `${count(height)} px` : `${height} × ${width} px`;
}

const MARKS = [
  ["block", "block", "Output of a block: the most useful layers"],
  ["fixed", "fixed size", "Only of inputs of the card's size"],
  ["silent", "silent", "The logits do not depend on it: it has no attribution"],
] as const;

export function LayerMarks({ layer }: { layer: LayerInfo }) {
  return <>{MARKS.filter(([key]) => layer[key]).map(([key, text, title]) => <span key={key} class="mark-word" title={title}>{text}</span>)}</>;
}

export function LayerTable({ layers }: { layers: LayerInfo[] }) {
  const search = useSignal(""), all = useSignal(layers.length <= SHORT);
  const blocks = layers.filter(({ block }) => block);
  const found = layers.filter(({ name }) => name.toLowerCase().includes(search.value.toLowerCase()));
  const shown = search.value ? found : all.value || !blocks.length ? layers : blocks;
  return (
    <>
      {layers.length > SHORT && (
        <div class="filters">
          <label class="inline">Find a layer <input type="search" value={search.value} onInput={(event) => { search.value = event.currentTarget.value; }} /></label>
          <p class="quiet" role="status">{count(shown.length)} of {count(layers.length)}</p>
        </div>
      )}
      <div class="scroll" tabIndex={0} role="group" aria-label="Layers">
        <table>
          <thead><tr><th scope="col">Layer</th><th scope="col" class="numeric">Channels × height × width</th><th scope="col" class="numeric">One position sees</th><td /></tr></thead>
          <tbody>{shown.map((layer) => (
            <tr key={layer.name}><th scope="row"><code>{layer.name}</code></th><td class="numeric">{shapeOf(layer)}</td><td class="numeric">{fieldOf(layer)}</td><td><LayerMarks layer={layer} /></td></tr>
          ))}</tbody>
        </table>
      </div>
      {!shown.length && <p class="quiet">No layer is called “{search.value}”.</p>}
      {!search.value && !all.value && blocks.length > 0 && <p><button type="button" onClick={() => { all.value = true; }}>Show all {count(layers.length)} layers</button></p>}
    </>
  );
}
