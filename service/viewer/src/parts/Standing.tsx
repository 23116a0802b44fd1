// How a job or a registered thing stands, as a word with a sign; a verdict likewise.

import { isRunning, nowAt, fractionOf, spoken, STATES } from "../jobs";
import type { Standing } from "../registered";
import type { Job, State } from "../types";
import { Icon, type IconName } from "./Icon";

const SIGNS: Record<State, IconName> = { queued: "clock", running: "clock", succeeded: "check", failed: "close", cancelled: "minus" };

export function StateBadge({ state }: { state: State }) {
  return <span class={`pill ${state}`}><Icon name={SIGNS[state]} />{STATES[state]}</span>;
}

const REGISTERED: Record<Standing, [string, IconName]> = { inspecting: ["Being looked at", "clock"], ready: ["Ready", "check"], refused: ["Refused", "close"] };

export function StandingBadge({ standing }: { standing: Standing }) {
  const [text, sign] = REGISTERED[standing];
  return <span class={`pill ${standing}`}><Icon name={sign} />{text}</span>;
}

export type Verdict = "pass" | "fail" | "inconclusive" | "skipped";
export const VERDICTS: Record<Verdict, string> = { pass: "Pass", fail: "Fail", inconclusive: "Inconclusive", skipped: "Not run" };
const VERDICT_SIGNS: Record<Verdict, IconName> = { pass: "check", fail: "close", inconclusive: "question", skipped: "minus" };

export function VerdictSign({ verdict }: { verdict: Verdict }) {
  return <span class={`sign ${verdict}`} aria-hidden="true"><Icon name={VERDICT_SIGNS[verdict]} /></span>;
}

export function VerdictBadge({ verdict }: { verdict: Verdict }) {
  return <span class={`pill ${verdict}`}><Icon name={VERDICT_SIGNS[verdict]} />{VERDICTS[verdict]}</span>;
}

/** A bar, and in words what a job is at and how long it will take. */
export function Progress({ job, label }: { job: Job; label: string }) {
  if (!isRunning(job)) return null;
  const share = fractionOf(job);
  return (
    <div class="going">
      <progress max={1} value={share} aria-label={label}>{Math.round(100 * share)} %</progress>
      <p><span>{nowAt(job)}</span>{typeof job.eta_seconds === "number" && <span class="quiet">{spoken(job.eta_seconds)} left</span>}</p>
    </div>
  );
}
