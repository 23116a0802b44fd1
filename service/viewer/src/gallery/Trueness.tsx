// How true a picture on request is, in a line, and what went into it.

import { MARKS } from "../parts/marks";
import { decimal } from "../parts/words";
import type { IconPicture } from "./icons";

export function Trueness({ picture, seeded }: { picture: IconPicture; seeded: boolean }) {
  const { whitened_cosine, robust, marks = [] } = picture.fidelity;
  return (
    <>
      <p class={seeded ? "badge seeded" : "badge"}>{seeded ? "Seeded from data" : "Pure: no data in the picture"}</p>
      <p class="quiet small">Fidelity {decimal(whitened_cosine)} (whitened cosine){robust !== undefined && <>, {decimal(robust)} after blur, turn and zoom</>}</p>
      {marks.map((mark) => <p key={mark} class="small"><span class="wrong-dot" aria-hidden="true" /> {MARKS[mark]?.long ?? mark}</p>)}
    </>
  );
}
