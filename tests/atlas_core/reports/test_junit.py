from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as Xml

import pytest
from xmlschema import XMLSchema

from atlas_core.reports.junit import junit_xml
from tests.audits import HOSTILE, audit, clean

if TYPE_CHECKING:
    from atlas_core.audit.findings import Audit

SCHEMA = XMLSchema(Path(__file__).with_name("junit.xsd"))


def suites(made: Audit) -> dict[str, Xml.Element]:
    return {suite.get("name", ""): suite for suite in Xml.fromstring(junit_xml(made))}


def counted(suite: Xml.Element) -> list[int]:
    return [int(suite.get(name, -1)) for name in ("tests", "failures", "errors", "skipped")]


@pytest.mark.parametrize("made", [audit(), clean(), audit(checks=[])], ids=["found", "clean", "empty"])
def test_it_is_junit_xml(made: Audit) -> None:
    SCHEMA.validate(Xml.fromstring(junit_xml(made)))


def test_a_check_is_a_suite_and_a_finding_a_case() -> None:
    told = suites(audit())
    assert {name: counted(suite) for name, suite in told.items()} == {
        "Shortcuts": [4, 1, 0, 1],
        "Image properties": [1, 0, 1, 0],
        "Worst regions": [2, 1, 0, 0],
        "Versions": [1, 0, 0, 0],
        "Drift": [1, 0, 0, 1],
    }
    assert [case.get("classname") for case in told["Shortcuts"].iter("testcase")] == [
        "audit.shortcuts", "audit.shortcuts.features.7", "audit.shortcuts.features.7", "audit.shortcuts.features.4",
    ]  # fmt: skip


def test_a_failure_says_what_it_rests_on() -> None:
    (failure,) = suites(audit())["Shortcuts"].iter("failure")
    text = failure.text or ""
    assert "features.7, column 3, row 17 of 20 × 20" in text
    assert "Flips to the class: 75 % (70 to 79 %)" in text
    assert "Flips of the control: 5.3 % (3.3 to 8.5 %)" in text
    assert "remedy: with 1 direction muted" in text
    (case,) = (each for each in suites(audit())["Shortcuts"].iter("testcase") if each.find("failure") is not None)
    assert (case.get("name") or "").endswith("into 'wok' [3f9c2a71d0e4]")


def test_what_does_not_fail_is_told_in_the_suites_output() -> None:
    text = suites(audit())["Shortcuts"].findtext("system-out") or ""
    assert "The vein of a leaf turns 41% of other pictures into 'leaf'." in text
    assert "'mask'" not in text


def test_inconclusive_is_an_error_with_what_is_needed_and_accepted_is_skipped_with_its_reason() -> None:
    (error,) = suites(audit())["Image properties"].iter("error")
    assert (error.get("type"), error.get("message")) == ("inconclusive", "74 pictures are too few to tell")
    assert error.text == "74 pictures are too few to tell.\n200 pictures or more, where now there are 74."
    (not_run,) = suites(audit())["Drift"].iter("skipped")
    assert not_run.get("message") == "No dataset to compare with was named."
    (skipped,) = suites(audit())["Shortcuts"].iter("skipped")
    assert skipped.get("message") == "accepted: The rim is what makes it a mask. (until 2030-01-31)"


def test_a_policy_that_lets_inconclusive_pass_has_it_skipped() -> None:
    made = suites(audit(verdict="inconclusive", exit_code=0, checks=[audit().model_dump(mode="json")["checks"][1]]))
    (case,) = made["Image properties"].iter("testcase")
    assert [each.tag for each in case] == ["skipped"]


def test_a_check_that_fails_without_a_finding_fails_itself() -> None:
    failed = {"check": "drift", "verdict": "fail", "reason": "It drifted.", "coverage": 1}
    (failure,) = suites(audit(checks=[failed], skipped={}))["Drift"].iter("failure")
    assert failure.get("message") == "It drifted."


def test_users_text_stays_text_and_what_xml_cannot_hold_is_replaced() -> None:
    (failure,) = suites(audit())["Worst regions"].iter("failure")
    assert HOSTILE in (failure.get("message") or "")
    made = audit(checks=[{"check": "drift", "verdict": "fail", "reason": "a\x00b\x1fc", "coverage": 1}], skipped={})
    (failure,) = suites(made)["Drift"].iter("failure")
    assert failure.get("message") == "a\ufffdb\ufffdc"
