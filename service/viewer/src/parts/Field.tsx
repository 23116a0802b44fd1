// One field of a form: its label, what it is, and what the service says against it.

import type { ComponentChildren } from "preact";
import { useId } from "preact/hooks";

export interface FieldProps { label: string; help?: ComponentChildren; wrong?: string | null; children: (known: { id: string; "aria-describedby": string | undefined; "aria-invalid": boolean | undefined }) => ComponentChildren }

export function Field({ label, help, wrong, children }: FieldProps) {
  const id = useId(), told = [help && `${id}-help`, wrong && `${id}-wrong`].filter(Boolean).join(" ");
  return (
    <div class={wrong ? "entry wrong" : "entry"}>
      <label for={id}>{label}</label>
      {children({ id, "aria-describedby": told || undefined, "aria-invalid": wrong ? true : undefined })}
      {help && <p class="quiet" id={`${id}-help`}>{help}</p>}
      {wrong && <p class="failed" id={`${id}-wrong`}>{wrong}</p>}
    </div>
  );
}

/** Fields that belong together, such as the layers of an atlas. */
export function Group({ label, help, wrong, children }: Omit<FieldProps, "children"> & { children: ComponentChildren }) {
  const id = useId();
  return (
    <fieldset class={wrong ? "entry wrong" : "entry"} aria-describedby={wrong ? `${id}-wrong` : undefined}>
      <legend>{label}</legend>
      {help && <p class="quiet">{help}</p>}
      {children}
      {wrong && <p class="failed" id={`${id}-wrong`}>{wrong}</p>}
    </fieldset>
  );
}

interface Choice { value: string; text: string }

export function Select({ label, help, wrong, options, none, value, onPick }: Omit<FieldProps, "children"> & { options: Choice[]; none?: string; value: string; onPick: (value: string) => void }) {
  return (
    <Field label={label} help={help} wrong={wrong}>
      {(known) => (
        <select {...known} value={value} onChange={(event) => onPick(event.currentTarget.value)}>
          {none !== undefined && <option value="">{none}</option>}
          {options.map((one) => <option key={one.value} value={one.value}>{one.text}</option>)}
        </select>
      )}
    </Field>
  );
}

/** A number that may be left out. */
export function NumberField({ label, help, wrong, value, onInput, ...more }: Omit<FieldProps, "children"> & { value: number | null; onInput: (value: number | null) => void } & { placeholder?: string; min?: number; max?: number; step?: number | "any" }) {
  return (
    <Field label={label} help={help} wrong={wrong}>
      {(known) => <input {...known} {...more} type="number" inputMode="decimal" value={value ?? ""} onInput={(event) => { const text = event.currentTarget.value; onInput(text === "" ? null : Number(text)); }} />}
    </Field>
  );
}
