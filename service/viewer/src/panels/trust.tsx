// How far an icon is to be trusted: each measure with what it means and whether it passes its gate.

import { MARKS } from "../parts/marks";
import { decimal, percent } from "../parts/words";
import type { IconMeasures } from "../types";

interface Measure { name: string; value: string; means: string; /** Whether it passes; left out where there is no gate. */ passes?: boolean }

// The gates of atlas_core/marks.py.
const LOWEST_COSINE = 0.26, COPIED = 0.95, GRAINIEST = 0.1;

function measures(icon: IconMeasures): Measure[] {
  const marked = (mark: string) => !icon.marks.includes(mark), rank = icon.retrieval_rank;
  const copies = [
    { name: "Like its start", value: decimal(icon.start_correlation), means: `Correlation with the picture that it started from; over ${COPIED} it is a copy`, passes: (icon.start_correlation ?? 0) <= COPIED },
    { name: "Like a real patch", value: decimal(icon.exemplar_correlation), means: `The highest correlation with one of the nearest real patches; over ${COPIED} it is a copy`, passes: (icon.exemplar_correlation ?? 0) <= COPIED },
  ];
  return [
    { name: "Fidelity", value: besideGate(icon.whitened_cosine, LOWEST_COSINE), means: `Does the icon excite the layer as the cell does? 1 is exactly so; from ${LOWEST_COSINE} on it shows more than an average of patches would`, passes: marked("low_fidelity") },
    { name: "Fidelity, slightly changed", value: decimal(icon.robust), means: "The same after the icon is blurred, turned and zoomed a little: it should not hang on single pixels" },
    { name: "Fits its own cell best", value: rank === 0 ? "yes" : rank === undefined ? "–" : `rank ${rank + 1}`, means: "Of all cells of the level, is this the one whose direction the icon excites most?" },
    { name: "Contrast", value: decimal(icon.contrast), means: "Beside that of real patches", passes: marked("low_contrast") },
    { name: "High frequencies", value: icon.high_frequency === undefined ? "–" : percent(icon.high_frequency), means: `Share of fine grain; photographs have 4 %, over ${100 * GRAINIEST} % it is noise`, passes: marked("grain") },
    ...copies,
  ].filter(({ value }) => value !== "–");
}

// With a digit more where the value and its gate would look alike.
const besideGate = (value: number | null | undefined, gate: number): string => (value && value < gate && decimal(value) === decimal(gate) ? value.toFixed(3) : decimal(value));

export function Trust({ icon }: { icon: IconMeasures }) {
  return (
    <section aria-label="Fidelity">
      <h3>Can the icon be trusted?</h3>
      {icon.marks.length
        ? <div class="note">{icon.marks.map((mark) => <p key={mark}><span class="wrong-dot" aria-hidden="true" /> {MARKS[mark]?.long ?? mark}</p>)}</div>
        : <p class="quiet">It passes all gates.</p>}
      <dl class="measures">
        {measures(icon).map(({ name, value, means, passes }) => (
          <div key={name} class={passes === false ? "under" : ""}>
            <dt>{name}</dt>
            <dd>{value}{passes !== undefined && <span class="gate" title={passes ? "Passes its gate" : "Under its gate"}>{passes ? " ✓" : " ✗"}<span class="unseen">{passes ? "passes its gate" : "under its gate"}</span></span>}</dd>
            <dd class="means">{means}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
