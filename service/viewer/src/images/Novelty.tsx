// Whether the model has ever seen anything like a picture: a word, a number, what it looks at and what it cannot see.

import type { NoveltyAnswer } from "../types";
import { Bars } from "../parts/Bars";
import { count } from "../parts/words";

const WORDS = {
  ordinary: ["Ordinary", "Many images of the atlas are as strange"],
  rare: ["Rare", "Few images of the atlas are as strange"],
  unseen: ["Unseen", "Hardly any image of the atlas is as strange"],
} as const;
const PARTS: Record<string, string> = { neighbours: "Far from its neighbours", texture: "Unusual texture", energy: "Like no class", spoiled: "Looks spoiled" };

export function Novelty({ novelty, reason }: { novelty: NoveltyAnswer | null; reason: string | null }) {
  if (!novelty) return <p class="quiet">{reason ? `Whether it is new to the atlas cannot be said: ${reason}` : "Whether it is new to the atlas cannot be said."}</p>;
  const [title, text] = WORDS[novelty.word], parts = Object.entries(novelty.parts).sort(([, a], [, b]) => a.p - b.p), [first] = parts;
  return (
    <section class={novelty.word === "ordinary" ? "novelty" : "novelty strange"} aria-label="Novelty">
      <p><strong>{title}</strong> <span class="number" title="novelty_p: small is strange. Of images like those of the atlas 5 % have .05 or less.">p = {short(novelty.novelty_p)}</span></p>
      <p class="quiet">{said(text, novelty)}{novelty.word !== "ordinary" && first ? ` Strangest is ${first[1].says}.` : ""}</p>
      <details>
        <summary>What this looks at, and what it cannot see</summary>
        <Bars rows={parts.map(([name, part]) => ({ name: PARTS[name] ?? name, title: part.says, value: part.word, share: strangeness(part.p, novelty.n), more: `${part.says}: p = ${short(part.p)}` }))} />
        <p class="quiet">It cannot see whether the model is mistaken, nor a strange thing in a corner of an ordinary picture.</p>
        {novelty.blind_spots.length > 0 && <ul class="quiet">{novelty.blind_spots.map((spot) => <li key={spot}>{spot}</li>)}</ul>}
      </details>
    </section>
  );
}

function said(text: string, { novelty_p, n }: NoveltyAnswer): string {
  const as = Math.round(novelty_p * (n + 1)) - 1;
  return as <= 0 ? `None of the atlas's ${count(n)} images is as strange.` : `${text}: ${count(as)} of ${count(n)}.`;
}

const short = (p: number) => (p < 0.095 ? Number(p.toPrecision(2)).toString() : p.toFixed(2));

/** How strange, 0 to 1: the logarithm of p over the smallest that there can be. */
const strangeness = (p: number, n: number) => Math.min(1, Math.log(p) / Math.log(1 / (n + 1)));
