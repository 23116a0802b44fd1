// How true a picture on request is, in a line, and what went into it.

import { Explained } from "../parts/Facts";
import { MARKS } from "../parts/marks";
import { MEANINGS } from "../parts/meanings";
import { decimal } from "../parts/words";
import type { IconPicture } from "./icons";

export function Trueness({ picture, seeded }: { picture: IconPicture; seeded: boolean }) {
  const { whitened_cosine, robust, marks = [] } = picture.fidelity;
  return (
    <>
      <p class={seeded ? "badge seeded" : "badge"}>{seeded ? "Seeded from data" : "Pure: no data in the picture"}</p>
      <p class="quiet small"><Explained word={`Fidelity ${decimal(whitened_cosine)}`} says={MEANINGS.fidelity} />{robust !== undefined && <><br /><Explained word={`Slightly changed ${decimal(robust)}`} says={MEANINGS.robust} /></>}</p>
      {marks.map((mark) => <p key={mark} class="small"><span class="wrong-dot" aria-hidden="true" /> {MARKS[mark]?.long ?? mark}</p>)}
    </>
  );
}
