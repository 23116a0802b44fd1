// Which layers an atlas is of: outputs of blocks first, the others on request.

import { useSignal } from "@preact/signals";
import { Group } from "../parts/Field";
import { LayerMarks, fieldOf, shapeOf } from "../parts/Layers";
import { count } from "../parts/words";
import type { LayerInfo } from "../registered";

const MOST = 16; // layers of one atlas

interface Props { layers: LayerInfo[]; picked: string[]; wrong: string | null; onPick: (layers: string[]) => void }

export function LayerPicker({ layers, picked, wrong, onPick }: Props) {
  const all = useSignal(false), search = useSignal("");
  const blocks = layers.filter(({ block, name }) => block || picked.includes(name));
  const found = layers.filter(({ name }) => name.toLowerCase().includes(search.value.toLowerCase()));
  const shown = all.value || !blocks.length ? found : blocks;
  const toggle = (name: string) => onPick(layers.map((layer) => layer.name).filter((one) => (one === name ? !picked.includes(one) : picked.includes(one))));
  return (
    <Group label="Layers" help={`Each is a map of its own: early layers see edges and textures, late ones whole things. ${picked.length ? `${picked.length} chosen.` : "Choose one or more."}`} wrong={wrong}>
      {all.value && <input type="search" aria-label="Find a layer" placeholder="Find a layer" value={search.value} onInput={(event) => { search.value = event.currentTarget.value; }} />}
      <ul class="picker">
        {shown.map((layer) => (
          <li key={layer.name}><label>
            <input type="checkbox" checked={picked.includes(layer.name)} disabled={!picked.includes(layer.name) && picked.length >= MOST} onChange={() => toggle(layer.name)} />
            <code>{layer.name}</code>
            <span class="quiet">{shapeOf(layer)}</span>
            <span class="quiet">sees {fieldOf(layer)}</span>
            <span><LayerMarks layer={{ ...layer, block: all.value && layer.block }} /></span>
          </label></li>
        ))}
      </ul>
      {!all.value && layers.length > blocks.length && <p><button type="button" onClick={() => { all.value = true; }}>Show all {count(layers.length)} layers</button></p>}
    </Group>
  );
}
