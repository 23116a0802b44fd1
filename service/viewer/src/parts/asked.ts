// Something asked of the service by a component: its answer, what went wrong, and how to ask again.

import { type Signal, useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { Problem } from "../api";

export interface Asked<T> {
  value: Signal<T | null>;
  problem: Signal<Problem | null>;
  /** Ask again, now. */
  again(): void;
}

const AGAIN = 4000; // milliseconds until what went wrong in passing is asked again

/**
 * @param ask What to ask; the signal ends it where nobody waits any more.
 * @param key Another key is another question, of which nothing is known yet.
 * @param pause Milliseconds after an answer until it is asked again, null for never; not while the page is hidden.
 */
export function useAsked<T>(ask: (signal: AbortSignal) => Promise<T>, key: string, pause: (value: T) => number | null = () => null): Asked<T> {
  const value = useSignal<T | null>(null), problem = useSignal<Problem | null>(null), turn = useSignal(0);
  const latest = useRef({ ask, pause });
  latest.current = { ask, pause };
  const turned = turn.value;
  useEffect(() => () => { value.value = null; problem.value = null; }, [key]);
  useEffect(() => {
    const control = new AbortController();
    let timer = 0;
    const later = (milliseconds: number | null) => {
      if (milliseconds !== null) timer = window.setTimeout(() => (document.hidden ? later(milliseconds) : void look()), milliseconds);
    };
    const look = async () => {
      try {
        const found = await latest.current.ask(control.signal);
        if (control.signal.aborted) return;
        value.value = found;
        problem.value = null;
        later(latest.current.pause(found));
      } catch (error) {
        if (control.signal.aborted) return;
        if (!(error instanceof Problem)) throw error;
        problem.value = error;
        later(error.passing ? AGAIN : null);
      }
    };
    void look();
    return () => { control.abort(); clearTimeout(timer); };
  }, [key, turned]);
  return { value, problem, again: () => { turn.value += 1; } };
}
