// A button with an icon that opens a box of settings; Escape and a press elsewhere close it.

import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import type { IconName } from "./Icon";
import { IconButton } from "./IconButton";

interface Props {
  icon: IconName;
  name: string;
  /** Name of its style. */
  kind: string;
  /** What is in the box, made while it is open. */
  children: () => ComponentChildren;
}

export function Popover({ icon, name, kind, children }: Props) {
  const open = useSignal(false), box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!open.value) return undefined;
    const leave = (event: Event) => { if (!box.current?.contains(event.target as Node)) open.value = false; };
    addEventListener("pointerdown", leave, true);
    return () => removeEventListener("pointerdown", leave, true);
  }, [open.value]);
  const key = (event: KeyboardEvent) => {
    if (event.key !== "Escape" || !open.value) return;
    event.stopPropagation();
    open.value = false;
    box.current?.querySelector("button")?.focus();
  };
  return (
    <div class={kind} ref={box} onKeyDown={key}>
      <IconButton icon={icon} name={name} pressed={open.value} onClick={() => { open.value = !open.value; }} />
      {open.value && <div class="settings float">{children()}</div>}
    </div>
  );
}
