// One of a few: a row of tabs, walked by arrow keys.

import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";

export interface Option { value: string; text: string; picture?: ComponentChildren; disabled?: boolean; title?: string }

interface Props { label: string; options: Option[]; value: string; onPick: (value: string) => void; controls?: string }

export function Choice({ label, options, value, onPick, controls }: Props) {
  const key = (event: KeyboardEvent) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!by) return;
    const tabs = [...(event.currentTarget as HTMLElement).querySelectorAll<HTMLButtonElement>("[role=tab]:not(:disabled)")];
    const next = tabs[tabs.indexOf(document.activeElement as HTMLButtonElement) + by];
    next?.focus();
    next?.click();
  };
  const row = useRef<HTMLDivElement>(null);
  useEffect(() => { // where there is room for some of them only, what is chosen is among these
    const place = row.current!, chosen = place.querySelector<HTMLElement>("[aria-selected=true]");
    if (chosen) place.scrollLeft = Math.min(chosen.offsetLeft - place.offsetLeft, Math.max(place.scrollLeft, chosen.offsetLeft - place.offsetLeft + chosen.offsetWidth - place.clientWidth));
  }, [value, options.length]);
  return (
    <div ref={row} class="choice" role="tablist" aria-label={label} onKeyDown={key}>
      {options.map((option) => (
        <button key={option.value} type="button" role="tab" aria-selected={option.value === value} aria-controls={controls} tabIndex={option.value === value ? 0 : -1}
          disabled={option.disabled} title={option.title} onClick={() => onPick(option.value)}>{option.picture}{option.text}</button>
      ))}
    </div>
  );
}
