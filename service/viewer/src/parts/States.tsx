// In place of what should be there: it loads, there is none, it went wrong. Each says what to do.

import type { ComponentChildren } from "preact";
import type { Problem } from "../api";
import { Icon } from "./Icon";
import { sentence } from "./words";

export function Empty({ title, children }: { title: string; children?: ComponentChildren }) {
  return <div class="empty"><h2>{title}</h2>{children}</div>;
}

interface WrongProps { problem: Problem; what: string; again: () => void; back?: { href: string; text: string }; held?: boolean }

/** What went wrong where a list or a page should be; `what` names it, as "The atlases"; `held` where an older answer is shown. */
export function Wrong({ problem, what, again, back, held }: WrongProps) {
  if (held) return <p class="notes" role="alert"><strong>Not up to date.</strong> {sentence(problem.message)} <button type="button" onClick={again}>Try again</button></p>;
  const missing = problem.status === 404;
  return (
    <div class="empty wrong" role="alert">
      <h2><Icon name="warning" />{missing ? `${what} cannot be found` : `${what} cannot be shown`}</h2>
      <p>{sentence(problem.message)}</p>
      {problem.status === 0 && <p>On the machine it runs on, start it with <code>atlas up</code>. This page looks again by itself.</p>}
      <p class="row">
        {!missing && <button type="button" onClick={again}>Try again</button>}
        {back && <a class="button" href={back.href}>{back.text}</a>}
      </p>
    </div>
  );
}

/** Grey shapes where cards will be. */
export function Ghosts({ count, kind = "card" }: { count: number; kind?: "card" | "line" }) {
  return (
    <div class={kind === "card" ? "cards" : "lines"} aria-busy="true">
      <p class="unseen">Loading…</p>
      {Array.from({ length: count }, (_, n) => <div key={n} class={`ghost ${kind}`} aria-hidden="true" />)}
    </div>
  );
}
