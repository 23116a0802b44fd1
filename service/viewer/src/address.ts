// The whole state of a page is in its address: every piece of state is bound to a key of the hash, both ways.

import { type Signal, effect } from "@preact/signals";
import type { View } from "./view";

export interface Codec<T> {
  /** What a key's text means; undefined where it means nothing, which leaves the fallback. */
  parse(text: string): T | undefined;
  format(value: T): string | null;
  /** What a missing key means; it is not written. */
  fallback: T;
}

const WAIT = 200; // milliseconds that changes are gathered: browsers refuse many addresses a second
const changes = new Map<string, string | null>();
const readers = new Set<() => void>();
let timer = 0;

export function hash(): URLSearchParams { return new URLSearchParams(location.hash.slice(1)); }

/** The address of this state now, also while changes are still being gathered. */
export function addressNow(): string {
  flush();
  return location.href;
}

/** The state of the page as the address holds it, without some keys. */
export function stateNow(without: readonly string[]): string {
  flush();
  const keys = hash();
  for (const key of without) keys.delete(key);
  return keys.toString();
}

/** Show another state of the same page; what it does not say is as it was at first, but for what is given besides. */
export function goTo(state: string, besides: Record<string, string>): void {
  flush();
  const keys = new URLSearchParams(state);
  for (const [key, value] of Object.entries(besides)) if (value) keys.set(key, value);
  history.replaceState(history.state, "", `${location.pathname}${location.search}#${keys}`);
  for (const read of readers) read();
}

function flush(): void {
  clearTimeout(timer);
  timer = 0;
  if (!changes.size) return;
  const keys = hash();
  for (const [key, text] of changes) text === null ? keys.delete(key) : keys.set(key, text);
  changes.clear();
  history.replaceState(history.state, "", `${location.pathname}${location.search}${keys.size ? `#${keys}` : ""}`);
}

addEventListener("hashchange", () => { for (const read of readers) read(); });
addEventListener("pagehide", flush);

/**
 * Bind a signal to a key of the address of a view. The address is read once at once, and whenever it is changed by hand.
 *
 * @returns Ends the binding, and takes the key out of the address.
 */
export function bound<T>(view: Pick<View, "prefix">, key: string, signal: Signal<T>, { parse, format, fallback }: Codec<T>): () => void {
  const name = view.prefix + key;
  const write = (text: string | null) => {
    if ((changes.has(name) ? changes.get(name) : hash().get(name)) === text) return;
    changes.set(name, text);
    timer ||= window.setTimeout(flush, WAIT);
  };
  const told = (value: T) => { const text = format(value); return text === format(fallback) ? null : text; };
  const read = (first: boolean) => {
    const text = hash().get(name);
    if (text === null && first) return;
    const value = text === null ? fallback : parse(text);
    if (value !== undefined && format(value) !== format(signal.peek())) signal.value = value;
  };
  const again = () => read(false);
  read(true);
  const end = effect(() => write(told(signal.value)));
  readers.add(again);
  return () => { end(); readers.delete(again); write(null); };
}

/** Codecs for what is common. */
export const text = (fallback: string): Codec<string> => ({ parse: (it) => it, format: (it) => it, fallback });
export const flag = (fallback = false): Codec<boolean> => ({ parse: (it) => it === "1", format: (it) => (it ? "1" : "0"), fallback });
export const choice = <T extends string>(all: readonly T[], fallback: T): Codec<T> => ({ parse: (it) => all.find((one) => one === it), format: (it) => it, fallback });
export const number = (fallback: number, digits = 3): Codec<number> => ({
  parse: (it) => (it !== "" && Number.isFinite(Number(it)) ? Number(it) : undefined),
  format: (it) => String(Number(it.toFixed(digits))),
  fallback,
});
export const maybe = <T>(codec: Omit<Codec<T>, "fallback">): Codec<T | null> => ({ parse: codec.parse, format: (it) => (it === null ? null : codec.format(it)), fallback: null });
