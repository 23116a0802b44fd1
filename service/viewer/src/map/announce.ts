// Screen readers are told what was chosen.

import { effect } from "@preact/signals";
import { say } from "../parts/said";
import { brief, count } from "../parts/words";
import type { Attach } from "./attachments";

export const attachAnnounce: Attach = ({ view }) => {
  let asked = {};
  return effect(() => {
    const place = view.selected.value, mine = (asked = {});
    if (!place) return;
    view.source.cell(view.layer.peek(), place.side, place.column, place.row).then((cell) => {
      if (mine !== asked || !cell) return;
      const [first] = cell.classes ?? [], about = first ? brief(first.name) : cell.classes ? "no class" : "classes still to come";
      say(`Column ${place.column}, row ${place.row}: ${about}, ${count(cell.count)} samples`);
    }, () => undefined);
  });
};
