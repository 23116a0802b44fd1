// Dropping a registered model or dataset, from its page.

import { json } from "../api";
import { go } from "../frame/navigate";
import { type Kind, ONE } from "../registered";
import { Confirm } from "./Confirm";
import { say } from "./said";

export function Removal({ kind, id, name }: { kind: Kind; id: string; name: string }) {
  const done = () => { say(`${name} is deleted`); go(`?${kind}`); };
  return (
    <Confirm text="Delete" label={`Delete ${name}`} title={`Delete ${name}?`} onDone={done} act={() => json(`v1/${kind}/${id}`, { method: "DELETE" })}
      explain={`The ${ONE[kind]} is gone for good. While an atlas uses it, it cannot be deleted.`} />
  );
}
