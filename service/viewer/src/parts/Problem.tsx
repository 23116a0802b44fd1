// What went wrong and what to do about it, in place of what should be there.

import type { ComponentChildren } from "preact";
import { useTitle } from "../frame/title";
import { sentence } from "./words";

export function Message({ title, children }: { title: string; children?: ComponentChildren }) {
  useTitle(title);
  return <main class="message" id="main"><h1>{title}</h1>{children}</main>;
}

export function ProblemLine({ problem, onAgain }: { problem: Error; onAgain?: () => void }) {
  return <p class="failed" role="alert">{sentence(problem.message)} {onAgain && <button type="button" onClick={onAgain}>Try again</button>}</p>;
}
