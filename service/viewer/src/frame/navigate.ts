// Going from page to page without loading the application anew: links as they are written, the browser's own history.

import { signal } from "@preact/signals";
import { addressNow } from "../address";

/** What the address asks for: its query, without the state behind `#`. */
export const query = signal(new URLSearchParams(location.search));

/** Go to an address of this application. */
export function go(address: string): void {
  addressNow(); // what is still to be written belongs to the page that is left
  history.pushState(null, "", address);
  moved();
  scrollTo(0, 0);
}

function moved(): void {
  if (query.peek().toString() !== new URLSearchParams(location.search).toString()) query.value = new URLSearchParams(location.search);
}

function within(event: MouseEvent): string | null {
  const link = (event.target as Element | null)?.closest?.("a");
  if (!link || event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return null;
  if (link.target || link.hasAttribute("download") || link.origin !== location.origin || link.pathname !== location.pathname) return null;
  return link.search === location.search && link.hash ? null : link.href;
}

/** Follow links of this application, and the browser's back and forward. */
export function follow(): void {
  addEventListener("popstate", moved);
  document.addEventListener("click", (event) => {
    const address = within(event);
    if (address === null) return;
    event.preventDefault();
    go(address);
  });
}
