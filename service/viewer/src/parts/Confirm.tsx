// A button whose act cannot be undone: it asks before it acts, and tells what went wrong.

import { useSignal } from "@preact/signals";
import { useRef } from "preact/hooks";
import type { Problem } from "../api";

interface Props { text: string; title: string; explain: string; act: () => Promise<unknown>; onDone: () => void; label?: string }

export function Confirm({ text, title, explain, act, onDone, label }: Props) {
  const dialog = useRef<HTMLDialogElement>(null), problem = useSignal<Problem | null>(null), busy = useSignal(false);
  const agreed = async () => {
    busy.value = true;
    try {
      await act();
      dialog.current?.close();
      onDone();
    } catch (error) {
      problem.value = error as Problem;
    }
    busy.value = false;
  };
  return (
    <>
      <button type="button" class="faint" aria-label={label} onClick={() => { problem.value = null; dialog.current?.showModal(); }}>{text}</button>
      <dialog ref={dialog} class="dialog" aria-label={title}>
        <h2>{title}</h2>
        <p>{explain}</p>
        {problem.value && <p class="failed" role="alert">{problem.value.message}</p>}
        <div class="row to-end">
          <button type="button" onClick={() => dialog.current?.close()}>Keep it</button>
          <button type="button" class="danger" disabled={busy.value} onClick={agreed}>{text}</button>
        </div>
      </dialog>
    </>
  );
}
