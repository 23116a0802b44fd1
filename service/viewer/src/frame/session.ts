// Who is signed in, where the service asks for a key. The key itself is sent once and kept nowhere on the page.

import { signal } from "@preact/signals";
import { asksForKey, json, post } from "../api";

interface Session { access: "keys" | "open"; name: string; owner: string; scopes: string[] }

/** Who is signed in; null while that is not known, and where no key is asked for. */
export const signedIn = signal<Session | null>(null);

function known(session: Session): void {
  signedIn.value = session.access === "keys" ? session : null;
  asksForKey.value = false;
}

/** Find out who is signed in; nobody, and the page asks for a key. */
export const look = (): Promise<void> => json<Session>("v1/session").then(known, () => undefined);

/** Sign in; throws a `Problem`. */
export const signIn = (key: string): Promise<void> => post<Session>("v1/session", { key }).then(known);

export async function signOut(): Promise<void> {
  await json("v1/session", { method: "DELETE" }).catch(() => undefined);
  signedIn.value = null;
  asksForKey.value = true;
}
