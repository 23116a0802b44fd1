"""From findings to a verdict: what is accepted, what the baseline has too, and what was not looked at."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pytest

from atlas_core.audit.directions import pack_direction
from atlas_core.audit.findings import CheckResult, Finding, FoundAt, Target
from atlas_core.audit.judging import exit_code, judge_audit
from atlas_core.audit.policy import parse_policy

AHEAD, ASIDE = str(pack_direction(np.array([1.0, 0.1, 0]))), str(pack_direction(np.array([0.0, 1, 0])))
NEARLY = str(pack_direction(np.array([1.0, 0.4, 0])))  # cosine .93 with AHEAD


def finding(**changes: Any) -> Finding:
    value = {"id": "one", "check": "shortcuts", "title": "Noodles make woks", "gate": True, "layer": "deep", "side": 20,
             "cell": FoundAt(column=1, row=2), "target": Target(index=9, name="wok"), "direction": AHEAD,
             "statistics": {"flips": 0.7}, "policy_key": "shortcuts.margin"}  # fmt: skip
    return Finding(**{**value, **changes})


def result(*findings: Finding, **changes: Any) -> CheckResult:
    verdict = "fail" if any(one.gate for one in findings) else "pass"
    value = {"check": "shortcuts", "verdict": verdict, "reason": "as told", "coverage": 1, "findings": list(findings)}
    return CheckResult(**{**value, **changes})


def accepted(**changes: str) -> str:
    value = {"check": "shortcuts", "class": "wok", "layer": "deep", "direction": AHEAD, "reason": "known", **changes}
    return "[[accepted]]\n" + "".join(f'{key} = "{text}"\n' for key, text in value.items())


def test_a_finding_that_counts_fails_the_audit_at_its_line() -> None:
    judged = judge_audit(parse_policy("[shortcuts]\nmargin = 0.3\n"), [result(finding(), finding(id="two"))])
    assert (judged.verdict, judged.reason) == ("fail", "Noodles make woks; and 1 more finding")
    assert [one.policy_line for one in judged.checks[0].findings] == [2, 2]
    assert judged.checks[0].findings[0].known_in_baseline is None


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        (accepted(), "pass"),
        (accepted(direction=NEARLY), "pass"),
        (accepted(direction=ASIDE), "fail"),
        (accepted(**{"class": "pan"}), "fail"),
        (accepted(layer="shallow"), "fail"),
        (accepted(check="regions"), "fail"),
    ],
)
def test_what_is_accepted_is_the_same_check_class_layer_and_direction(text: str, verdict: str) -> None:
    judged = judge_audit(parse_policy(text), [result(finding())])
    assert judged.verdict == verdict
    told = judged.checks[0].findings[0]
    assert (told.gate, told.accepted is None) == (verdict == "fail", verdict == "fail")


def test_only_what_would_fail_is_said_to_be_accepted_or_known() -> None:
    """One that fails is accepted, one the baseline has too; a third never failed, and is no part of the reason."""
    aside = finding(id="two", direction=ASIDE, target=Target(index=1, name="pan"))
    noted = finding(id="three", gate=False, direction=ASIDE, target=Target(index=2, name="mask"))
    policy = parse_policy(accepted())
    passed = judge_audit(policy, [result(finding(), aside, noted)], baseline={"shortcuts": result(aside)})
    (check,) = passed.checks
    assert (check.verdict, check.reason) == (
        "pass", "what would fail the check does not count: 1 finding is accepted by the policy and 1 finding is in the "
        "baseline too",
    )  # fmt: skip
    assert passed.reason == "3 findings, none of which fails the policy"
    other = finding(id="four", title="Sand makes pans", direction=ASIDE, target=Target(index=1, name="pan"))
    failed = judge_audit(policy, [result(finding(), other, noted)]).checks[0]
    assert failed.reason == "Sand makes pans; besides, 1 finding is accepted by the policy"


def test_a_finding_without_a_direction_is_accepted_by_its_id() -> None:
    plain = finding(direction=None, cell=None, id="brightness-wok")
    text = '[[accepted]]\ncheck = "shortcuts"\nid = "brightness-wok"\nreason = "known"\nexpires = 2030-01-31\n'
    judged = judge_audit(parse_policy(text), [result(plain)])
    assert judged.verdict == "pass"
    assert judged.checks[0].findings[0].accepted is not None
    assert judged.checks[0].findings[0].accepted.expires == "2030-01-31"
    assert judge_audit(parse_policy(text), [result(plain.model_copy(update={"id": "other"}))]).verdict == "fail"


def test_an_acceptance_that_has_expired_no_longer_holds_and_is_warned_of() -> None:
    policy = parse_policy(accepted() + "expires = 2026-05-01\n")
    assert policy.expired(date(2026, 5, 1)) == ()
    assert policy.expired(date(2026, 5, 2)) == (0,)
    assert judge_audit(policy, [result(finding())], expired=(0,)).verdict == "fail"
    (warning,) = policy.warnings((0,))
    assert warning.startswith("policy.toml, line 1: this acceptance expired on 2026-05-01")


@pytest.mark.parametrize(
    ("before", "verdict", "known"),
    [
        (finding(direction=NEARLY, id="other"), "pass", True),
        (finding(direction=ASIDE, id="other"), "fail", False),
        (finding(direction=ASIDE, id="one"), "fail", False),  # the same place of another map
        (finding(target=Target(index=1, name="pan")), "fail", False),
        (finding(statistics={"flips": 0.61}), "pass", True),
        (finding(statistics={"flips": 0.59}), "fail", True),  # it has become worse by more than .1
    ],
)
def test_what_the_baseline_has_too_counts_where_it_is_worse(before: Finding, verdict: str, known: bool) -> None:
    judged = judge_audit(parse_policy(""), [result(finding())], baseline={"shortcuts": result(before)})
    assert judged.verdict == verdict
    assert judged.checks[0].findings[0].known_in_baseline is known


def test_findings_of_models_apart_are_one_where_they_share_samples() -> None:
    before, asked = result(finding(direction=ASIDE, layer="other", id="two")), []

    def shared(one: Finding, others: Any) -> float:
        asked.append((one.id, [other.id for other in others]))
        return 0.4

    judged = judge_audit(parse_policy(""), [result(finding())], baseline={"shortcuts": before}, shared=shared)
    assert (judged.verdict, asked) == ("pass", [("one", ["two"])])
    strict = parse_policy('[baseline]\nknown = "fail"\n')
    assert judge_audit(strict, [result(finding())], baseline={"shortcuts": before}, shared=shared).verdict == "fail"


def test_too_little_looked_at_is_inconclusive_and_exits_as_the_policy_says() -> None:
    policy = parse_policy("[audit]\ncoverage = 0.6\n")
    assert judge_audit(policy, [result(coverage=0.6)]).verdict == "pass"
    judged = judge_audit(policy, [result(coverage=0.59), result(coverage=1, check="regions")])
    assert judged.verdict == "inconclusive"
    assert "59%" in judged.reason
    assert "line 2" in judged.reason
    assert judged.checks[0].needs == "more time: raise max_minutes"
    assert judge_audit(policy, [result(coverage=0.1), result(finding())]).verdict == "fail"
    allowing = parse_policy('[audit]\ninconclusive = "allow"\n')
    assert [exit_code(policy, one) for one in ("pass", "fail", "inconclusive")] == [0, 1, 3]
    assert [exit_code(allowing, one) for one in ("pass", "fail", "inconclusive")] == [0, 1, 0]


def test_what_was_in_doubt_besides_an_accepted_finding_stays_in_doubt() -> None:
    unsure = result(finding(), needs="more pictures of each class")
    assert judge_audit(parse_policy(accepted()), [unsure]).verdict == "inconclusive"
    failed = judge_audit(parse_policy(""), [unsure])
    assert (failed.verdict, failed.checks[0].needs) == ("fail", None)
