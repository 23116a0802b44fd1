// Names and values in two columns; what is not known is left out.

import { Fragment } from "preact";

export type Fact = [name: string, value: string, title?: string];

export function Facts({ rows }: { rows: Fact[] }) {
  return (
    <dl class="facts">
      {rows.filter(([, value]) => value !== "–").map(([name, value, title]) => (
        <Fragment key={name}><dt title={title}>{name}</dt><dd>{value}</dd></Fragment>
      ))}
    </dl>
  );
}
