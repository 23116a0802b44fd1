// How fine the map is, how its pictures are made, and what of the images it keeps.

import { Group, NumberField } from "../parts/Field";
import { type Form, RECIPES, type Recipe, SIDES } from "./request";

interface Props { form: Form; wrong: (pointer: string) => string | null; onChange: (change: Partial<Form>) => void }

export function Fineness({ form, wrong, onChange }: Props) {
  const { levels } = form;
  const toggle = (side: number) => onChange({ levels: SIDES.filter((one) => (one === side ? !levels?.includes(one) : levels?.includes(one))) });
  return (
    <>
      <div class="fields">
        <NumberField label="Samples of each layer" placeholder="50,000" min={100} step={1} value={form.samples} onInput={(samples) => onChange({ samples })} wrong={wrong("/samples")} help="One or more positions of each image. More samples fill finer levels." />
      </div>
      <Group label="Levels" help="Cells a side of each level that can be zoomed to." wrong={wrong("/levels")}>
        <div class="row in-row">
          <label class="check-line"><input type="radio" name="levels" checked={levels === null} onChange={() => onChange({ levels: null, allow_sparse: false })} /> What the samples fill</label>
          <label class="check-line"><input type="radio" name="levels" checked={levels !== null} onChange={() => onChange({ levels: [20] })} /> Choose</label>
          {levels !== null && <span class="row chips-choice">{SIDES.map((side) => <label key={side} class="chip"><input type="checkbox" checked={levels.includes(side)} onChange={() => toggle(side)} />{side}</label>)}</span>}
        </div>
        {levels !== null && <label class="check-line"><input type="checkbox" checked={form.allow_sparse} onChange={(event) => onChange({ allow_sparse: event.currentTarget.checked })} /> Take levels too fine for the samples all the same</label>}
      </Group>
    </>
  );
}

export function Pictures({ form, wrong, onChange }: Props) {
  const recipe = form.strict && form.recipe !== "none" ? "pure" : form.recipe;
  return (
    <>
      <Group label="Icons" wrong={wrong("/recipe")}>
        <div class="recipes">
          {(Object.entries(RECIPES) as [Recipe, readonly [string, string]][]).map(([key, [name, text]]) => (
            <label key={key} class="tile"><input type="radio" name="recipe" checked={recipe === key} disabled={form.strict && key !== "pure" && key !== "none"} onChange={() => onChange({ recipe: key })} />
              <span><strong>{name}</strong><br /><span class="quiet">{text}</span></span></label>
          ))}
        </div>
      </Group>
      <Group label="Privacy" wrong={wrong("/privacy")}>
        <label class="check-line"><input type="checkbox" checked={form.strict} onChange={(event) => onChange({ strict: event.currentTarget.checked })} /> Strict: keep no picture and no file name of the dataset; icons are pure</label>
      </Group>
    </>
  );
}
