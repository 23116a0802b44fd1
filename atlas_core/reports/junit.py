"""junit.xml: the audit as tests that CI systems show, a suite a check and a case a finding.

The first case of a suite is the check's own: an error where it is inconclusive, because a test that could not tell has
not passed, or skipped where the policy lets it. A finding that fails its check is a failure, an accepted one is skipped
with its reason, and one that is only told passes with its text as the suite's output.

It is what the strictest of the common schemas takes, that of Ant's reports, which asks for time, date and host. The
same document is the same file whenever and wherever it is made, so these are 0, the epoch and `localhost`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree as Xml

from atlas_core.reports.order import failing
from atlas_core.reports.readings import readings
from atlas_core.reports.words import CHECKS, place, sentence, standing, words_of

if TYPE_CHECKING:
    from atlas_core.audit.findings import Audit, CheckResult, Finding

FORBIDDEN = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What no XML 1.0 document may hold."""
EPOCH, HOST, NO_TIME = "1970-01-01T00:00:00", "localhost", "0"


def junit_xml(audit: Audit) -> bytes:
    """The audit as JUnit XML."""
    root = Xml.Element("testsuites")
    for check in audit.checks:
        told = [sentence(check.reason), *(_evidence(each) for each in check.findings if standing(each) == "noted")]
        _suite(root, audit, check.check, [_own_case(audit, check), *map(_case, check.findings)], "\n\n".join(told))
    for name, why in audit.skipped.items():
        case = _element(name, CHECKS[name].asks)
        Xml.SubElement(case, "skipped", message=_clean(sentence(why)))
        _suite(root, audit, name, [case], sentence(why))
    Xml.indent(root)
    return bytes(Xml.tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"


def _suite(root: Xml.Element, audit: Audit, check: str, cases: list[Xml.Element], output: str) -> None:
    """Add a check with its cases."""
    counts: dict[str, str] = {
        name: str(sum(case.find(outcome) is not None for case in cases))
        for name, outcome in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped"))
    }
    suite = Xml.SubElement(
        root, "testsuite",
        {"name": CHECKS[check].title, "id": str(len(root)), "package": "audit", "timestamp": EPOCH, "hostname": HOST,
         "time": NO_TIME, "tests": str(len(cases)), **counts},
    )  # fmt: skip
    properties = Xml.SubElement(suite, "properties")
    for name, value in {"model": audit.model.name, "dataset": audit.dataset.name, "audit": audit.id}.items():
        Xml.SubElement(properties, "property", name=name, value=_clean(value))
    suite.extend(cases)
    Xml.SubElement(suite, "system-out").text = _clean(output)
    Xml.SubElement(suite, "system-err")


def _element(path: str, name: str) -> Xml.Element:
    """A case; `path` is its check and, behind a full stop, its layer."""
    return Xml.Element("testcase", classname=_token(f"audit.{path}"), name=_token(name), time=NO_TIME)


def _own_case(audit: Audit, check: CheckResult) -> Xml.Element:
    """The check itself: it fails by itself only where no finding says why."""
    case = _element(check.check, CHECKS[check.check].asks)
    if check.verdict == "inconclusive" and audit.verdict == "inconclusive" and audit.exit_code == 0:
        Xml.SubElement(case, "skipped", message=_clean(f"inconclusive, which the policy allows: {check.reason}"))
    elif check.verdict == "inconclusive":
        error = Xml.SubElement(case, "error", type="inconclusive", message=_clean(check.reason))
        error.text = _clean("\n".join(map(sentence, filter(None, [check.reason, check.needs]))))
    elif check.verdict == "fail" and not failing(check):
        failure = Xml.SubElement(case, "failure", type=check.check, message=_clean(check.reason))
        failure.text = _clean(sentence(check.reason))
    return case


def _case(finding: Finding) -> Xml.Element:
    """A finding; it has no outcome of its own where it is only told."""
    case = _element(".".join(filter(None, [finding.check, finding.layer])), f"{finding.title} [{finding.id}]")
    if finding.accepted is not None:
        until = f" (until {finding.accepted.expires})" if finding.accepted.expires else ""
        Xml.SubElement(case, "skipped", message=_clean(f"accepted: {finding.accepted.reason}{until}"))
    elif standing(finding) == "fails":
        failure = Xml.SubElement(case, "failure", type=finding.check, message=_clean(finding.title))
        failure.text = _clean(_evidence(finding))
    return case


def _evidence(finding: Finding) -> str:
    """What a finding rests on, in lines of text."""
    lines = [
        sentence(finding.title),
        place(finding),
        *(f"{reading.label}: {reading.whole}" for reading in readings(finding.statistics)),
        *(f"{each.role}: {each.caption}" for each in finding.evidence),
        f"remedy: {finding.remedy.summary}" if finding.remedy else "",
        words_of(finding).todo if standing(finding) == "fails" else "",
    ]
    return "\n".join(filter(None, lines))


def _token(text: str) -> str:
    """Text on one line, without blanks at its ends or two in a row."""
    return " ".join(_clean(text).split())


def _clean(text: str) -> str:
    return FORBIDDEN.sub("\ufffd", text)
