// Asking a service for samples: of a cell, of a rectangle, or most like a picture.

import { type Page, json, send } from "./api";
import type { Box } from "./map/box";
import type { Question } from "./parts/SampleGrid";
import { type ServiceSource, type Source } from "./source";
import type { SampleDocument } from "./types";
import { quoted } from "./api";
import type { Place } from "./view";

type Samples = Promise<Page<SampleDocument>>;

const asked = ({ token, size, wrong }: Question, more: Record<string, string> = {}) =>
  new URLSearchParams({ page_size: String(size), ...(token && { page_token: token }), ...(wrong && { wrong: "true" }), ...more });

export function samplesOfCell(source: Source, layer: string, { side, column, row }: Place, question: Question): Samples {
  return json(`${(source as ServiceSource).level(layer, side)}/cells/${column}-${row}/samples?${asked(question)}`);
}

export function samplesOfBox(source: Source, layer: string, { x0, y0, x1, y1 }: Box, question: Question): Samples {
  const bbox = [x0, y0, x1, y1].map((value) => value.toFixed(6)).join(",");
  return json(`${source.root}/layers/${quoted(layer)}/samples?${asked(question, { bbox })}`);
}

/** The samples most like a picture, at a position of it or at any. */
export function samplesLike(source: Source, layer: string, file: Blob, at: { row: number; column: number } | null, question: Question): Samples {
  const place: Record<string, string> = at ? { row: String(at.row), column: String(at.column) } : {};
  return send(`${source.root}/layers/${quoted(layer)}/samples?${asked(question, place)}`, file);
}
