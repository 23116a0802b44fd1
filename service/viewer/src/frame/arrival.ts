// Who comes to a page by a link is taken to its heading and told where they are; on the first page they start at its top.

import { useEffect, useRef } from "preact/hooks";
import { say } from "../parts/said";
import { title } from "./title";

const TURN = 50, TURNS = 100; // milliseconds, and how often a page that still loads is looked for

/** @param shown The address of the page that is shown; null while the first is fetched. */
export function useArrival(shown: string | null): void {
  const first = useRef<string | null>(null);
  useEffect(() => {
    first.current ??= shown;
    if (shown === first.current) return;
    first.current = ""; // the first page may be come back to
    let left = TURNS;
    const timer = setInterval(() => { if (arrive() || --left === 0) clearInterval(timer); }, TURN);
    return () => clearInterval(timer);
  }, [shown]);
}

function arrive(): boolean {
  const heading = document.querySelector<HTMLElement>("main h1");
  if (!heading) return false;
  heading.tabIndex = -1;
  heading.focus({ preventScroll: true });
  say(title.peek());
  return true;
}
