"""From what the checks found to one verdict: what is accepted, what the baseline has too, what was not looked at."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

from atlas_core.audit.checks import CHECKS
from atlas_core.audit.directions import same_direction
from atlas_core.audit.findings import Accepted, with_more

if TYPE_CHECKING:
    from atlas_core.audit.findings import CheckName, CheckResult, Finding, Verdict
    from atlas_core.audit.policy import Acceptance, Policy

SAME_SAMPLES = 0.3
"""Share of a finding's samples that lie, for the baseline, in cells of its findings of the same class: those of one
shortcut spread over several cells, and each map cuts them otherwise."""
Shared = Callable[["Finding", Sequence["Finding"]], float]
"""Gives that share, 0 where it cannot be told."""


class Judgement(NamedTuple):
    """The verdict of an audit, why in a sentence, and what its checks found."""

    verdict: Verdict
    reason: str
    checks: list[CheckResult]


def exit_code(policy: Policy, verdict: Verdict) -> Literal[0, 1, 3]:
    """What `atlas audit` ends with."""
    if verdict == "inconclusive":
        return 0 if policy.audit.inconclusive == "allow" else 3
    return 1 if verdict == "fail" else 0


def judge_audit(
    policy: Policy,
    results: Sequence[CheckResult],
    *,
    expired: Sequence[int] = (),
    baseline: Mapping[CheckName, CheckResult] | None = None,
    shared: Shared = lambda finding, others: 0.0,
) -> Judgement:
    """Judge an audit.

    Args:
        policy: The policy.
        results: Of the checks, by their own thresholds.
        expired: Acceptances, counted from 0, that no longer hold.
        baseline: What the same checks found of the model that this one is compared with, None without one.
        shared: Tells findings of two models by their samples.
    """
    active = [one for number, one in enumerate(policy.accepted) if number not in expired]
    judged = []
    for result in results:
        known = (baseline or {}).get(result.check)
        before = None if known is None else known.findings
        findings = [_weighed(policy, finding, active, before, shared) for finding in result.findings]
        judged.append(_concluded(policy, result, findings))
    for verdict in ("fail", "inconclusive"):
        found = [result for result in judged if result.verdict == verdict]
        if found:
            return Judgement(verdict, _reason(found), judged)
    return Judgement("pass", _reason_to_pass(judged), judged)


def _weighed(
    policy: Policy, finding: Finding, active: Sequence[Acceptance], before: Sequence[Finding] | None, shared: Shared
) -> Finding:
    """A finding with its line of the policy, and whether it counts: not if it is accepted, or known and no worse."""
    accepted = next((one for one in active if accepts(one, finding)), None)
    same = None if before is None else [one for one in before if _same(finding, one)]
    if before is not None and not same:
        alike = [one for one in before if _about(one) == _about(finding)]
        same = alike if finding.cell and alike and shared(finding, alike) >= SAME_SAMPLES else []
    tolerated = bool(same) and policy.baseline.known == "report" and not _worse(policy, finding, same or [])
    return finding.model_copy(
        update={
            "gate": finding.gate and accepted is None and not tolerated,
            "accepted": accepted and Accepted(reason=accepted.reason, expires=_day(accepted)),
            "known_in_baseline": None if same is None else bool(same),
            "policy_line": policy.line_of(finding.policy_key or finding.check),
        }
    )


def accepts(acceptance: Acceptance, finding: Finding) -> bool:
    """Whether an acceptance stands for a finding: the same check, class and layer, and the same direction or id."""
    target = None if finding.target is None else finding.target.name
    if acceptance.check != finding.check or acceptance.class_name not in (None, target):
        return False
    if acceptance.layer not in (None, finding.layer):
        return False
    if acceptance.direction is not None:
        return finding.direction is not None and same_direction(acceptance.direction, finding.direction)
    return acceptance.id == finding.id


def _same(finding: Finding, other: Finding) -> bool:
    """Whether two models' findings are one by what they are about, without looking at samples."""
    if _about(finding) != _about(other) or finding.layer != other.layer:
        return False
    if finding.cell is None or not finding.direction or not other.direction:
        return finding.id == other.id
    return same_direction(finding.direction, other.direction)


def _about(finding: Finding) -> tuple[object, ...]:
    return finding.check, finding.target, finding.policy_key


def _worse(policy: Policy, finding: Finding, before: Sequence[Finding]) -> bool:
    name = CHECKS[finding.check].strength
    return _middle(finding, name) - max(_middle(one, name) for one in before) > policy.baseline.worse


def _middle(finding: Finding, name: str) -> float:
    value = finding.statistics.get(name)
    if isinstance(value, tuple):
        return sum(value) / 2
    return float(value) if isinstance(value, int | float) else 0.0


def _day(acceptance: Acceptance) -> str | None:
    return None if acceptance.expires is None else acceptance.expires.isoformat()


def _concluded(policy: Policy, result: CheckResult, findings: Sequence[Finding]) -> CheckResult:
    """A check's verdict after all: fail only by findings that count, pass only where enough was looked at.

    Args:
        policy: The policy.
        result: By the check's own thresholds.
        findings: The same, weighed.
    """
    gating = [finding for finding in findings if finding.gate]
    let_pass = [now for now, before in zip(findings, result.findings, strict=True) if before.gate and not now.gate]
    verdict, reason, needs = result.verdict, result.reason, result.needs
    if verdict == "fail" and let_pass and not gating:
        verdict, reason = "pass", f"what would fail the check does not count: {_let_pass(let_pass)}"
        if needs is not None:
            verdict, reason = "inconclusive", f"{reason}; whether there is more cannot be told"
    elif verdict == "fail" and gating and let_pass:
        reason = f"{with_more(gating[0].title, len(gating) - 1)}; besides, {_let_pass(let_pass)}"
    if verdict == "pass" and result.coverage < policy.audit.coverage:
        verdict = "inconclusive"
        reason = (f"{reason}, but only {result.coverage:.0%} of what there is was looked at; the policy asks for "
                  f"{policy.audit.coverage:.0%} (line {policy.line_of('audit.coverage')})")  # fmt: skip
        needs = f"more time: raise {'max_minutes' if policy.audit.passes is None else 'passes'}"
    told = None if verdict == "fail" else needs
    return result.model_copy(update={"verdict": verdict, "reason": reason, "needs": told, "findings": list(findings)})


def _let_pass(findings: Sequence[Finding]) -> str:
    """How many findings are accepted, and how many the baseline has too, of those that would fail a check."""
    accepted = sum(finding.accepted is not None for finding in findings)
    counts = ((accepted, "accepted by the policy"), (len(findings) - accepted, "in the baseline too"))
    return " and ".join(f"{count} finding{'s are' if count > 1 else ' is'} {how}" for count, how in counts if count)


def _reason(found: Sequence[CheckResult]) -> str:
    if found[0].verdict == "inconclusive":
        return f"{found[0].check}: {found[0].reason}" + (f"; {found[0].needs}" if found[0].needs else "")
    gating = [finding for result in found for finding in result.findings if finding.gate]
    if not gating:
        return f"{found[0].check}: {found[0].reason}"
    return with_more(gating[0].title, len(gating) - 1)


def _reason_to_pass(judged: Sequence[CheckResult]) -> str:
    findings = [finding for result in judged for finding in result.findings]
    if not findings:
        return f"nothing was found by {', '.join(result.check for result in judged) or 'any check'}"
    if len(findings) == 1:
        return "one finding, which does not fail the policy"
    return f"{len(findings)} findings, none of which fails the policy"
