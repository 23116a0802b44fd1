// Names and values in two columns; what is not known is left out, what not everybody knows explains itself.

import { useSignal } from "@preact/signals";
import { useId } from "preact/hooks";

export type Fact = [name: string, value: string, says?: string];

export function Facts({ rows }: { rows: Fact[] }) {
  return <dl class="facts">{rows.filter(([, value]) => value !== "–").map((row) => <Row key={row[0]} row={row} />)}</dl>;
}

function Row({ row: [name, value, says] }: { row: Fact }) {
  const open = useSignal(false), id = useId();
  return (
    <>
      <dt>{name}{says && <Why of={name} open={open.value} id={id} onClick={() => { open.value = !open.value; }} />}</dt>
      <dd>{value}</dd>
      {says && open.value && <dd class="means" id={id}>{says}</dd>}
    </>
  );
}

function Why({ of, open, id, onClick }: { of: string; open: boolean; id: string; onClick: () => void }) {
  return <button type="button" class="why" aria-expanded={open} aria-controls={open ? id : undefined} aria-label={`What is “${of.replace(/^– /, "")}”?`} onClick={onClick}>?</button>;
}

/** A word within a line, with what it means below it once asked for. */
export function Explained({ word, says }: { word: string; says: string }) {
  const open = useSignal(false), id = useId();
  return <>{word}<Why of={word} open={open.value} id={id} onClick={() => { open.value = !open.value; }} />{open.value && <span class="means" id={id}>{says}</span>}</>;
}
