// What went wrong and what to do about it, in place of what should be there.

import type { ComponentChildren } from "preact";

export function Message({ title, children }: { title: string; children?: ComponentChildren }) {
  return <main class="message"><h2>{title}</h2>{children}</main>;
}

export function ProblemLine({ problem, onAgain }: { problem: Error; onAgain?: () => void }) {
  return <p class="failed" role="alert">{problem.message} {onAgain && <button type="button" onClick={onAgain}>Try again</button>}</p>;
}
