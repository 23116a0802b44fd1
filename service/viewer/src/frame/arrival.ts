// Who comes to a page by a link is taken to its heading and told where they are; on the first page they start at its top.

import { useEffect, useRef } from "preact/hooks";
import { say } from "../parts/said";
import { title } from "./title";

const TURN = 50, TURNS = 100; // milliseconds, and how often a page that still loads is looked for

export function useArrival(address: string): void {
  const first = useRef(true);
  useEffect(() => {
    if (first.current) { first.current = false; return; }
    let left = TURNS;
    const timer = setInterval(() => { if (arrive() || --left === 0) clearInterval(timer); }, TURN);
    return () => clearInterval(timer);
  }, [address]);
}

function arrive(): boolean {
  const heading = document.querySelector<HTMLElement>("main h1");
  if (!heading) return false;
  heading.tabIndex = -1;
  heading.focus({ preventScroll: true });
  say(title.peek());
  return true;
}
