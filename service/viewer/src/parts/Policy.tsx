// The policy of an audit with its lines, and at each the findings that break it.

import type { ToldFinding } from "../audits";

export function Policy({ name, text, findings }: { name: string; text: string; findings: ToldFinding[] }) {
  return (
    <section aria-labelledby="policy">
      <h2 id="policy">Policy</h2>
      <div class="scroll policy" tabIndex={0} role="region" aria-label={`Text of ${name}`}>
        <ol>{text.split("\n").map((line, n) => {
          const broken = findings.filter(({ policy_line }) => policy_line === n + 1);
          return (
            <li key={n} id={`policy-${n + 1}`} class={broken.length ? "broken" : undefined}>
              <code>{line || " "}</code>{broken.map(({ id, one, title }) => <a key={id} href={`#finding-${id}`} aria-label={`Finding: ${title}`}>{one.toLowerCase()}</a>)}
            </li>
          );
        })}</ol>
      </div>
    </section>
  );
}
