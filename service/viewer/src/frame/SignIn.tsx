// In place of every page until there is a key.

import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { Problem } from "../api";
import { Body } from "../parts/Body";
import { Field } from "../parts/Field";
import { signIn } from "./session";

export function SignIn() {
  const key = useSignal(""), wrong = useSignal<string | null>(null), busy = useSignal(false), field = useRef<HTMLInputElement>(null);
  useEffect(() => field.current?.focus(), []);
  const send = async (event: Event) => {
    event.preventDefault();
    busy.value = true;
    wrong.value = await signIn(key.value.trim()).then(() => null, (error) => (error instanceof Problem ? error.message : String(error)));
    busy.value = false;
    field.current?.focus();
  };
  return (
    <Body title="Sign in" narrow>
      <form class="sign-in" onSubmit={send}>
        <Field label="Key" wrong={wrong.value} help={<>Whoever runs this service can make you one: <code>atlas keys create</code></>}>
          {(told) => <input {...told} ref={field} type="password" autocomplete="current-password" spellcheck={false} required maxLength={200} value={key.value} onInput={(event) => { key.value = event.currentTarget.value; }} />}
        </Field>
        <button type="submit" class="primary" disabled={busy.value || key.value.trim() === ""}>Sign in</button>
      </form>
    </Body>
  );
}
