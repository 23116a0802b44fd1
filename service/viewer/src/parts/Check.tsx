// One check of an audit: what it asked, how much it looked at, and all that it measured.

import type { ToldCheck, ToldTable } from "../audits";
import { Shown } from "./Evidence";
import { Listed } from "./Numbers";
import { VERDICTS, VerdictSign } from "./Standing";
import { percent } from "./words";

export function Check({ check, at }: { check: ToldCheck; at: string }) {
  const verdict = check.verdict ?? "skipped", values = Object.entries(check.values);
  return (
    <section class="sheet audit-check" id={`check-${check.check}`} aria-labelledby={`check-title-${check.check}`}>
      <h3 id={`check-title-${check.check}`}><VerdictSign verdict={verdict} />{check.title}<span class="quiet">{VERDICTS[verdict].toLowerCase()}</span></h3>
      <p class="quiet">{check.asks}</p>
      <p>{check.reason}</p>
      {check.needs && <p><strong>To be conclusive it needs:</strong> {check.needs}</p>}
      {check.coverage !== null && (
        <div class="meter">
          <span>Looked at {percent(check.coverage)} of what there is</span><span />
          <span class="track" aria-hidden="true"><span class="fill" style={{ width: `${100 * check.coverage}%` }} /></span>
          <span class="quiet">{check.coverage >= 1 ? "Nothing was left out." : "Nothing is known of the rest."}</span>
        </div>
      )}
      <Listed items={check.numbers} />
      {(check.tables.length > 0 || values.length > 0) && (
        <details>
          <summary>All numbers</summary>
          {values.length > 0 && <dl class="numbers">{values.map(([name, text]) => <div key={name}><dt>{name}</dt><dd>{text}</dd></div>)}</dl>}
          {check.tables.map((table) => <Table key={table.title} table={table} at={at} />)}
        </details>
      )}
    </section>
  );
}

function Table({ table: { title, columns, rows, more, pictures }, at }: { table: ToldTable; at: string }) {
  return (
    <>
      <h4>{title}</h4>
      {rows.length > 0 && columns.length > 0 && (
        <div class="scroll" tabIndex={0} role="group" aria-label={title}>
          <table>
            <thead><tr>{columns.map((name, n) => (name ? <th key={n} scope="col" class={rows[0]?.[n]?.is_number ? "numeric" : undefined}>{name}</th> : <td key={n} />))}</tr></thead>
            <tbody>{rows.map((row, n) => <tr key={n}>{row.map((cell, m) => (
              <td key={m} class={cell.is_number ? "numeric" : undefined}>{cell.text}{cell.pictures.map((one, k) => <Shown key={k} at={at} picture={one} heading={title} />)}</td>
            ))}</tr>)}</tbody>
          </table>
        </div>
      )}
      {more > 0 && <p class="quiet">{more} more in the JSON document.</p>}
      {pictures.length > 0 && <ul class="shots large">{pictures.map((one, n) => <li key={n}><Shown at={at} picture={one} heading={title} /></li>)}</ul>}
    </>
  );
}
