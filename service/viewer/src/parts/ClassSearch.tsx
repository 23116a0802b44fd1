// A search box over all classes: type, walk with the arrow keys, Enter chooses, Escape takes back.

import { useSignal } from "@preact/signals";
import { useId, useRef } from "preact/hooks";
import { brief, count } from "./words";

interface Props {
  label: string;
  classes: string[];
  /** Index of the class that is chosen, null for none. */
  value: number | null;
  onPick: (index: number | null) => void;
  placeholder?: string;
}

const MOST = 60;
const SEEN = 7; // that the list shows without scrolling
const TOLD = 12; // classes that are told by name where none fits

/** Classes by how well they fit what was typed: those that begin with it, then where a word does, then the others. */
export function found(classes: string[], typed: string): number[] {
  const wanted = typed.trim().toLowerCase();
  if (!wanted) return classes.map((_, index) => index);
  const rank = (index: number) => {
    const name = classes[index]!.toLowerCase();
    if (name.startsWith(wanted) || String(index) === wanted) return 0;
    return new RegExp(`[\\s,_-]${wanted.replace(/[^\w]/g, "\\$&")}`).test(name) ? 1 : name.includes(wanted) ? 2 : 3;
  };
  const ranked = classes.map((_, index) => [rank(index), index] as const).filter(([rank]) => rank < 3);
  return ranked.sort((a, b) => a[0] - b[0] || a[1] - b[1]).map(([, index]) => index);
}

export function ClassSearch({ label, classes, value, onPick, placeholder = "Search classes" }: Props) {
  const id = useId(), box = useRef<HTMLInputElement>(null);
  const open = useSignal(false), typed = useSignal<string | null>(null), at = useSignal(0);
  const name = value === null ? "" : classes[value] ?? String(value);
  const fitting = open.value ? found(classes, typed.value ?? "") : [], listed = fitting.slice(0, MOST);
  const close = () => { open.value = false; typed.value = null; };
  const show = () => { open.value = true; at.value = Math.max(0, value === null || typed.value !== null ? 0 : value < MOST ? value : 0); };
  const pick = (index: number) => { close(); onPick(index); };
  const key = (event: KeyboardEvent) => {
    const last = listed.length - 1;
    if (event.key === "ArrowDown") open.value ? (at.value = Math.min(last, at.value + 1)) : show();
    else if (event.key === "ArrowUp") at.value = Math.max(0, at.value - 1);
    else if (event.key === "Home" && open.value) at.value = 0;
    else if (event.key === "End" && open.value) at.value = last;
    else if (event.key === "Enter" && open.value && listed[at.value] !== undefined) pick(listed[at.value]!);
    else if (event.key === "Escape" && open.value) close();
    else return;
    event.preventDefault();
    event.stopPropagation();
    requestAnimationFrame(() => document.getElementById(`${id}-${at.value}`)?.scrollIntoView({ block: "nearest" }));
  };
  return (
    <div class="class-search" onFocusOut={(event) => { if (!(event.currentTarget as HTMLElement).contains(event.relatedTarget as Node | null)) close(); }}>
      <label for={id}>{label}</label>
      <div class="box">
        <input ref={box} id={id} type="text" role="combobox" autocomplete="off" spellcheck={false} placeholder={placeholder} value={typed.value ?? name}
          aria-expanded={open.value} aria-controls={`${id}-list`} aria-autocomplete="list" aria-activedescendant={open.value && listed.length ? `${id}-${at.value}` : undefined}
          onInput={(event) => { typed.value = event.currentTarget.value; open.value = true; at.value = 0; }}
          onFocus={(event) => event.currentTarget.select()} onClick={show} onKeyDown={key} />
        {value !== null && <button type="button" class="clear" aria-label={`Let ${label.toLowerCase()} go`} onClick={() => { close(); onPick(null); box.current?.focus(); }}>×</button>}
      </div>
      <ul id={`${id}-list`} role="listbox" aria-label={label} hidden={!listed.length}>
        {listed.map((index, n) => (
          <li key={index} id={`${id}-${n}`} role="option" aria-selected={n === at.value} onPointerDown={(event) => event.preventDefault()} onClick={() => pick(index)}
            onPointerEnter={() => { at.value = n; }}>{classes[index]}</li>
        ))}
      </ul>
      {open.value && <p class="quiet found">{fitting.length === 0 ? none(classes) : fitting.length > MOST ? `The first ${MOST} of ${fitting.length}; type more of the name` : fitting.length > SEEN ? `${fitting.length} classes; scroll or type` : ""}</p>}
    </div>
  );
}

function none(classes: string[]): string {
  return `No class of that name. There are ${count(classes.length)}${classes.length > TOLD ? "; type less of the name" : `: ${classes.map(brief).join(", ")}`}.`;
}
