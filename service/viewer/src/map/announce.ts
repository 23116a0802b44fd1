// Screen readers are told what was chosen.

import { effect } from "@preact/signals";
import { UNCLEAR, clearClassOf } from "../clarity";
import { say, silence } from "../parts/said";
import { brief, count } from "../parts/words";
import type { Attach } from "./attachments";

export const attachAnnounce: Attach = ({ view }) => {
  let asked = {};
  return effect(() => {
    const place = view.selected.value, layer = view.layer.peek(), mine = (asked = {}), silent = silence();
    if (!place) return;
    view.source.cell(layer, place.side, place.column, place.row).then(async (cell) => {
      const first = cell && (await clearClassOf(view, layer, place.side, cell));
      if (mine !== asked || !cell || !silent()) return;
      const about = first ? brief(first.name) : cell.classes?.length ? UNCLEAR.toLowerCase() : cell.classes ? "no class" : "classes still to come";
      say(`Column ${place.column}, row ${place.row}: ${about}, ${count(cell.count)} samples`);
    }, () => undefined);
  });
};
