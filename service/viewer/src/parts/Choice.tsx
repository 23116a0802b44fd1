// One of a few: a row of tabs, walked by arrow keys.

import type { ComponentChildren } from "preact";

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
  return (
    <div class="choice" role="tablist" aria-label={label} onKeyDown={key}>
      {options.map((option) => (
        <button key={option.value} type="button" role="tab" aria-selected={option.value === value} aria-controls={controls} tabIndex={option.value === value ? 0 : -1}
          disabled={option.disabled} title={option.title} onClick={() => onPick(option.value)}>{option.picture}{option.text}</button>
      ))}
    </div>
  );
}
