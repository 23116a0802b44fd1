// One button beside that of the colours, for who came in with a key.

import { Icon } from "../parts/Icon";
import { signOut, signedIn } from "./session";

export function SignOut() {
  const who = signedIn.value;
  if (!who) return null;
  const told = `Signed in as ${who.name}${who.owner === who.name ? "" : `, for ${who.owner}`}`;
  return <button type="button" class="faint square" onClick={() => void signOut()} aria-label={`Sign out. ${told}`} title={`Sign out. ${told}`}><Icon name="leave" /></button>;
}
