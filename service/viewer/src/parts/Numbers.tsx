// Measured numbers: a dot with its interval on one scale from 0 where they are shares, else the number in words.

import type { ToldNumber, ToldNumbers } from "../audits";

const FEW = 6; // numbers that are told at once
const TICKS = [0, 0.25, 0.5, 0.75, 1];
const across = (share: number): string => `${100 * Math.min(1, Math.max(0, share))}%`;

export function Numbers({ items, scale }: ToldNumbers) {
  const drawn = items.filter(({ value, interval }) => value !== null && interval), others = items.filter((each) => !drawn.includes(each));
  return (
    <>
      {drawn.length > 0 && (
        <div class="chart">
          {drawn.map((each) => <Drawn key={each.label} number={each} scale={scale} />)}
          <div class="ticks" aria-hidden="true">{TICKS.map((tick) => <span key={tick}>{(100 * tick * scale).toFixed(scale < 0.1 && tick % 1 ? 1 : 0)} %</span>)}</div>
        </div>
      )}
      <Listed items={others.slice(0, FEW)} />
      {others.length > FEW && <details><summary>More numbers</summary><Listed items={others.slice(FEW)} /></details>}
    </>
  );
}

function Drawn({ number: { label, text, interval_text, is_compared_with, value, interval }, scale }: { number: ToldNumber; scale: number }) {
  return (
    <p class={is_compared_with ? "measured faint" : "measured"}>
      <span>{label}</span>
      <span class="number"><strong>{text}</strong> <span class="quiet">{interval_text}</span></span>
      <svg class="plot" aria-hidden="true" focusable="false">
        {TICKS.map((tick) => <line key={tick} class="grid" x1={across(tick)} x2={across(tick)} y1="0" y2="16" />)}
        <line class="interval" x1={across(interval![0] / scale)} x2={across(interval![1] / scale)} y1="8" y2="8" />
        <circle cx={across(value! / scale)} cy="8" r="4.5" />
      </svg>
    </p>
  );
}

export function Listed({ items }: { items: ToldNumber[] }) {
  if (!items.length) return null;
  return (
    <dl class="numbers">
      {items.map(({ label, text, interval_text }) => <div key={label}><dt>{label}</dt><dd>{text} {interval_text && <span class="quiet">{interval_text}</span>}</dd></div>)}
    </dl>
  );
}
