// Asking a service for samples: of a cell, or of a rectangle.

import { json, quoted } from "./api";
import type { Box } from "./map/box";
import type { Asked, SamplePage } from "./parts/Samples";
import type { ServiceSource, Source } from "./source";
import type { Place } from "./view";

type Samples = Promise<SamplePage>;

// A job that runs may not know them yet: then there are none.
const asking = ({ token, size, wrong }: Asked, more: Record<string, string> = {}) =>
  new URLSearchParams({ wish: "true", page_size: String(size), ...(token && { page_token: token }), ...(wrong && { wrong: "true" }), ...more });

export function samplesOfCell(source: Source, layer: string, { side, column, row }: Place, asked: Asked): Samples {
  return json(`${(source as ServiceSource).level(layer, side)}/cells/${column}-${row}/samples?${asking(asked)}`);
}

export function samplesOfBox(source: Source, layer: string, { x0, y0, x1, y1 }: Box, asked: Asked): Samples {
  const bbox = [x0, y0, x1, y1].map((value) => value.toFixed(6)).join(",");
  return json(`${source.root}/layers/${quoted(layer)}/samples?${asking(asked, { bbox })}`);
}
