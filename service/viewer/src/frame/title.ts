// What the page that is shown is called: in the tab, in the history, and to who arrives at it.

import { signal } from "@preact/signals";
import { useLayoutEffect } from "preact/hooks";

const NAME = "Activation atlas";
export const title = signal(NAME);

/** Call the page by a name, while it is shown. */
export function useTitle(name: string): void {
  useLayoutEffect(() => {
    title.value = name;
    document.title = `${name} · ${NAME}`;
  }, [name]);
}
