// One audit: its verdict, what it found with the pictures it rests on, and its reports to keep.

import { type AuditDocument, type AuditJob, REPORTS, type Told } from "../audits";
import { json } from "../api";
import { go } from "../frame/navigate";
import { cancel, isRunning } from "../jobs";
import { useAsked } from "../parts/asked";
import { Body } from "../parts/Body";
import { Check } from "../parts/Check";
import { Confirm } from "../parts/Confirm";
import { Finding } from "../parts/Finding";
import { Policy } from "../parts/Policy";
import { Progress, StateBadge, VERDICTS, VerdictBadge, VerdictSign } from "../parts/Standing";
import { Ghosts, Wrong } from "../parts/States";
import { count, percent } from "../parts/words";
import type { PageProps } from ".";

const FROM = { href: "?audits", text: "Audits" };

export default function AuditPage({ query }: PageProps) {
  const id = query.get("audit") ?? "", at = `v1/audits/${encodeURIComponent(id)}`;
  const asked = useAsked<AuditJob>((signal) => json(at, { signal, headers: { accept: "application/json" } }), at, (job) => (isRunning(job) ? 1500 : null));
  const job = asked.value.value, problem = asked.problem.value;
  if (problem && !job) return <Body title="Audit" from={FROM}><Wrong problem={problem} what="The audit" again={asked.again} back={{ href: "?audits", text: "See the audits" }} /></Body>;
  if (!job) return <Body title="Audit" from={FROM}><Ghosts count={4} kind="line" /></Body>;
  return job.description ? <Made job={job} document={job.description} at={at} /> : <Making job={job} again={asked.again} />;
}

const dropped = (id: string) => <Confirm text="Delete" label="Delete this audit" title="Delete this audit?" explain="Its reports are gone for good. The atlas that it looked at stays." act={() => json(`v1/audits/${id}`, { method: "DELETE" })} onDone={() => go("?audits")} />;

function Making({ job, again }: { job: AuditJob; again: () => void }) {
  const running = isRunning(job);
  return (
    <Body title="Audit" from={FROM} narrow lead={<StateBadge state={job.state} />}
      actions={running ? <button type="button" onClick={() => { void cancel(job.id).then(again); }}>Cancel</button> : dropped(job.id)}>
      {running && <div class="sheet"><Progress job={job} label="Progress of the audit" /><p class="quiet">The verdict is shown here once it is made. The page may be left.</p></div>}
      {job.error && <section class="notes wrong"><h2>It could not be made</h2><p>{job.error.detail}</p></section>}
      {!running && <p>Ask for the same audit again to go on: what is finished is kept. <a href="?audits&add">Start an audit</a></p>}
    </Body>
  );
}

function Made({ job, document: audit, at }: { job: AuditJob; document: AuditDocument; at: string }) {
  const told = useAsked<Told>((signal) => json(`${at}/told`, { signal }), `${at}/told`);
  const said = told.value.value, problem = told.problem.value;
  const findings = said?.findings ?? [];
  return (
    <Body title={said?.title ?? `Audit of ${audit.model.name}`} from={FROM} lead={<VerdictBadge verdict={audit.verdict} />} actions={<>
      {dropped(job.id)}
      <details class="menu"><summary class="button">Reports</summary><ul>{REPORTS.map(([suffix, text]) => <li key={suffix}><a href={`${at}.${suffix}`} target="_blank">{text}</a></li>)}</ul></details>
      {audit.atlas && <a class="button primary" href={`?atlas=${audit.atlas}`}>Open the map</a>}
    </>}>
      {problem && <Wrong problem={problem} what="The findings" again={told.again} />}
      {said && <p class={`verdict ${audit.verdict}`}><VerdictSign verdict={audit.verdict} />{said.reason}</p>}
      <About audit={audit} />
      {audit.warnings.map((warning) => <p key={warning} class="note">{warning}</p>)}
      {!said && !problem && <Ghosts count={4} kind="line" />}
      {said && (
        <>
          <nav aria-label="Checks" class="checks">{said.checks.map(({ check, title, verdict, findings: many }) => (
            <a key={check} href={`#check-${check}`}><VerdictSign verdict={verdict ?? "skipped"} /><span><strong>{title}</strong><br /><span class="quiet">{VERDICTS[verdict ?? "skipped"]}{verdict && ` · ${many || "no"} ${many === 1 ? "finding" : "findings"}`}</span></span></a>
          ))}</nav>
          <section aria-labelledby="findings" class="stack">
            <h2 id="findings">Findings</h2>
            {findings.length ? findings.map((finding) => <Finding key={finding.id} finding={finding} at={at} atlas={audit.atlas} />) : <p>Nothing was found in what was looked at. How much that was stands with each check.</p>}
          </section>
          <section aria-labelledby="checks" class="stack"><h2 id="checks">Checks</h2>{said.checks.map((check) => <Check key={check.check} check={check} at={at} />)}</section>
          <Policy name={audit.policy.name} text={audit.policy.text} findings={findings} />
        </>
      )}
    </Body>
  );
}

function About({ audit: { dataset, base, model, accuracy, baseline } }: { audit: AuditDocument }) {
  const images = (many: number | null) => (many === null ? "" : `${count(many)} images`);
  return (
    <dl class="about">
      <div><dt>Model</dt><dd><a href={`?model=${model.id}`}>{model.name}</a></dd></div>
      <div><dt>Mapped</dt><dd><a href={`?dataset=${dataset.id}`}>{dataset.name}</a> <span class="quiet">{images(dataset.images)}</span></dd></div>
      <div><dt>Tested on</dt><dd>{base.id === dataset.id ? "the other half" : <a href={`?dataset=${base.id}`}>{base.name}</a>} <span class="quiet">{images(base.images)}</span></dd></div>
      {accuracy && <div><dt>Right</dt><dd>{percent(accuracy.top1)} <span class="quiet">{percent(accuracy.interval[0])} to {percent(accuracy.interval[1])}</span></dd></div>}
      {baseline && <div><dt>Baseline</dt><dd><a href={`?model=${baseline.id}`}>{baseline.name}</a></dd></div>}
    </dl>
  );
}
