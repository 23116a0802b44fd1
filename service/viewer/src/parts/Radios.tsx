// One of a few ways, as radio buttons that look like one switch.

import { useId } from "preact/hooks";

interface Props { label: string; options: [value: string, text: string][]; value: string; onPick: (value: string) => void }

export function Radios({ label, options, value, onPick }: Props) {
  const name = useId();
  return (
    <fieldset class="radios">
      <legend>{label}</legend>
      <div class="switch">
        {options.map(([one, text]) => (
          <label key={one}><input type="radio" name={name} value={one} checked={one === value} onChange={() => onPick(one)} /><span>{text}</span></label>
        ))}
      </div>
    </fieldset>
  );
}
