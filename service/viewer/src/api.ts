// Asking the service: JSON, its problems, its pages. Addresses are relative to the page, so that it may live below a path.

import { signal } from "@preact/signals";
import { copy } from "./offline";

/** Whether the service asks for a key that the browser does not have, or no more. */
export const asksForKey = signal(false);

/** What went wrong, in the service's own words; `status` is 0 where nobody answered. */
export class Problem extends Error {
  constructor(readonly status: number, detail: string, readonly errors: { pointer: string; detail: string }[] = []) {
    super(detail);
  }

  /** Whether the same may work in a while. */
  get passing(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

export interface Page<T> {
  items: T[];
  next_page_token: string | null;
  total?: number;
}

async function answered(url: string, options?: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url, options);
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new Problem(0, "The service does not answer. Is it still running?");
  }
  if (response.ok) return response;
  const said = await response.json().catch(() => null);
  if (response.status === 401) asksForKey.value = true;
  throw new Problem(response.status, said?.detail ?? `The service answered ${response.status}.`, said?.errors ?? []);
}

const OFFLINE = "This is an offline copy of the atlas. That takes the service that it was made from.";

/** The JSON at an address; throws a `Problem`. */
export async function json<T>(url: string, options?: RequestInit): Promise<T> {
  if (copy) {
    const kept = options?.method ? undefined : await copy.answer(url);
    if (kept === undefined) throw new Problem(501, OFFLINE);
    return kept as T;
  }
  const response = await answered(url, options);
  if (response.status === 204) return undefined as T;
  const value = await response.json().catch(() => undefined);
  if (value === undefined) throw new Problem(response.status, "What answered is no atlas service.");
  return value as T;
}

/** The bytes at an address; throws a `Problem`. */
export async function bytes(url: string, options?: RequestInit): Promise<ArrayBuffer> {
  if (copy) throw new Problem(501, OFFLINE);
  return (await answered(url, options)).arrayBuffer();
}

/** The picture at an address, ready to be decoded; null where there is none. */
export async function picture(url: string): Promise<ImageBitmapSource | null> {
  if (!copy) return fetch(url).then((response) => (response.ok ? response.blob() : null), () => null);
  const image = new Image();
  image.src = url;
  return image.decode().then(() => image, () => null);
}

/** POST a document. */
export function post<T>(url: string, body: unknown, headers: Record<string, string> = {}): Promise<T> {
  return json<T>(url, { method: "POST", body: JSON.stringify(body), headers: { "content-type": "application/json", ...headers } });
}

/** POST a file as it is. */
export function send<T>(url: string, file: Blob): Promise<T> {
  return json<T>(url, { method: "POST", body: file, headers: { "content-type": file.type || "application/octet-stream" } });
}

/** All items of a list, page by page. */
export async function listOf<T>(path: string): Promise<T[]> {
  const found: T[] = [];
  let token: string | null = null;
  do {
    const query: string = token ? `${path.includes("?") ? "&" : "?"}page_token=${encodeURIComponent(token)}` : "";
    const page: Page<T> = await json<Page<T>>(path + query);
    found.push(...page.items);
    token = page.next_page_token;
  } while (token);
  return found;
}

/** A layer's name in an address and in the name of its folder, as Python's quote(name, safe=""). */
export function quoted(name: string): string {
  return encodeURIComponent(name).replace(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);
}
