// One finding of an audit: what it is, what it rests on, how sure it is, what it means and what to do.

import { type ToldFinding, onTheMap } from "../audits";
import { Pictures } from "./Evidence";
import { Numbers } from "./Numbers";

const STANDINGS: Record<ToldFinding["standing"], string> = { fails: "Fails the check", noted: "For your information", accepted: "Accepted by the policy" };
const BADGES: Record<ToldFinding["standing"], string> = { fails: "fail", noted: "", accepted: "pass" };

export function Finding({ finding, at, atlas }: { finding: ToldFinding; at: string; atlas: string | null }) {
  const { id, standing, known_in_baseline: known } = finding;
  return (
    <article class={`sheet finding ${standing}`} id={`finding-${id}`} aria-labelledby={`title-${id}`}>
      <header>
        <p class="quiet">{finding.one}{finding.place && `, ${finding.place}`}</p>
        <h3 id={`title-${id}`}>{finding.title}</h3>
        <p class="row">
          <span class={`pill ${BADGES[standing]}`}>{STANDINGS[standing]}</span>
          {known !== null && <span class="pill">{known ? "The baseline has it too" : "New since the baseline"}</span>}
          {finding.policy_line !== null && <a class="pill" href={`#policy-${finding.policy_line}`}>{finding.policy_key ?? "policy"}, line {finding.policy_line}</a>}
          {atlas && finding.layer && <a href={onTheMap(atlas, finding)}>Show on the map</a>}
        </p>
      </header>
      <div class="parts">
        {finding.pictures.length > 0 && <div><Pictures at={at} groups={finding.pictures} /></div>}
        <div>{finding.numbers.items.length > 0 && <><h4>Measured</h4><Numbers {...finding.numbers} /></>}</div>
        <div><Meaning finding={finding} at={at} /></div>
      </div>
    </article>
  );
}

function Meaning({ finding: { why, means, todo, accepted, remedy, acceptance }, at }: { finding: ToldFinding; at: string }) {
  return (
    <>
      {accepted && <><h4>Accepted</h4><p>{accepted.reason} <span class="quiet">{accepted.expires ? `Until ${accepted.expires}.` : "For good."}</span></p></>}
      {(why || means) && <><h4>What it means</h4>{why && <p>{why}</p>}{means && <p>{means}</p>}</>}
      {todo && <><h4>What to do</h4><p>{todo}</p></>}
      {remedy && (
        <>
          <h4>Remedy that was tried: {remedy.works ? "it works" : "it does not do"}</h4>
          <p>{remedy.summary}</p>
          <Numbers {...remedy.numbers} />
          {remedy.model && <p><a href={`${at}/models/${encodeURIComponent(remedy.model)}`} download>Download the repaired model</a></p>}
        </>
      )}
      {acceptance && <details><summary>Accept it in the policy</summary><p class="quiet">Add these lines to the policy and say why.</p><pre tabIndex={0} aria-label="Lines for the policy">{acceptance}</pre></details>}
    </>
  );
}
