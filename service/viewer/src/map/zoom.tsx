// Zoom, show all, and the tools that a map offers.

import { IconButton } from "../parts/IconButton";
import type { View } from "../view";
import { mapOf } from "./map";

export function Zoom({ view }: { view: View }) {
  const map = mapOf(view).value;
  if (!map) return null;
  return (
    <>
      <div class="float column" role="group" aria-label="Tools" hidden={!map.tools.value.length}>
        {map.tools.value.map((tool) => (
          <IconButton key={tool.id} icon={tool.icon} name={tool.title} pressed={map.tool.value === tool} onClick={() => map.use(map.tool.value === tool ? null : tool)} />
        ))}
      </div>
      <div class="float column" role="group" aria-label="Zoom">
        <IconButton icon="plus" name="Zoom in" title="Zoom in (+)" onClick={() => map.zoomBy(1.6)} />
        <IconButton icon="minus" name="Zoom out" title="Zoom out (−)" onClick={() => map.zoomBy(1 / 1.6)} />
        <IconButton icon="whole" name="Show all" title="Show all (0)" onClick={() => map.showAll()} />
      </div>
    </>
  );
}
