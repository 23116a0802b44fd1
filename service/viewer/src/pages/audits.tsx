// The audits of a service, the newest first, and starting another.

import type { AuditJob } from "../audits";
import { isRunning, useJobs, when } from "../jobs";
import { AuditForm } from "../parts/AuditForm";
import { Body } from "../parts/Body";
import { Icon } from "../parts/Icon";
import { Progress, StateBadge, VERDICTS, VerdictBadge, VerdictSign } from "../parts/Standing";
import { Empty, Ghosts, Wrong } from "../parts/States";
import { useRegistered } from "../registered";
import type { PageProps } from ".";

export default function AuditsPage({ query }: PageProps) {
  const jobs = useJobs<AuditJob>("v1/audits", "v1/jobs?kind=audit&state=queued&state=running"), models = useRegistered("models");
  const all = jobs.value.value, problem = jobs.problem.value, adding = query.has("add");
  const add = <a class="button primary" href="?audits&add"><Icon name="plus" />New audit</a>;
  const named = (id: string | undefined) => models.value.value?.find((one) => one.id === id)?.name ?? "a model";
  return (
    <Body title="Audits" lead="What is wrong with a model, and may it be released?" actions={adding ? <a class="button" href="?audits">Close</a> : add}>
      {adding && <AuditForm query={query} />}
      {problem && <Wrong problem={problem} what="The audits" again={jobs.again} held={all !== null} />}
      {!all && !problem && <Ghosts count={3} kind="line" />}
      {all && !all.length && !adding && <Empty title="No audit yet"><p>An audit looks for shortcuts, for kinds of pictures that a model gets wrong, and for what changed since the last release. It ends in a verdict: pass, fail, or inconclusive.</p>{add}</Empty>}
      {all && all.length > 0 && <ul class="lines">{all.map((job) => <li key={job.id}><Line job={job} model={named(job.request?.model ?? job.spec.model)} /></li>)}</ul>}
    </Body>
  );
}

function Line({ job, model }: { job: AuditJob; model: string }) {
  const { summary } = job;
  return (
    <article class="line">
      <div>
        <p class="quiet">{when(job.created)}{job.request?.policy_name && ` · ${job.request.policy_name}`}</p>
        <h2><a class="whole" href={`?audit=${job.id}`}>{model}</a></h2>
        {summary && <p>{summary.reason.charAt(0).toUpperCase() + summary.reason.slice(1)}</p>}
        {job.error && <p class="failed">{job.error.detail}</p>}
        <Progress job={job} label={`Progress of the audit of ${model}`} />
        {summary && <p class="row signs">{Object.entries(summary.checks).map(([check, verdict]) => <span key={check}><VerdictSign verdict={verdict} />{check}<span class="unseen">: {VERDICTS[verdict]}</span></span>)}</p>}
      </div>
      {summary && !isRunning(job) ? <VerdictBadge verdict={summary.verdict} /> : <StateBadge state={job.state} />}
    </article>
  );
}
