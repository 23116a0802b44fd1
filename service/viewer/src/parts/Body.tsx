// A page of text and lists: its heading, what can be done on it, and its content.

import type { ComponentChildren } from "preact";
import { useTitle } from "../frame/title";

interface Props {
  title: string;
  /** In front of the title: where one came from. */
  from?: { href: string; text: string };
  lead?: ComponentChildren;
  actions?: ComponentChildren;
  narrow?: boolean;
  children?: ComponentChildren;
}

export function Body({ title, from, lead, actions, narrow, children }: Props) {
  useTitle(title);
  return (
    <main class={narrow ? "body narrow" : "body"} id="main">
      <div class="page-head">
        <div>
          {from && <p class="from"><a href={from.href}>{from.text}</a></p>}
          <h1>{title}</h1>
          {lead && <div class="lead">{lead}</div>}
        </div>
        {actions && <div class="actions">{actions}</div>}
      </div>
      {children}
    </main>
  );
}
