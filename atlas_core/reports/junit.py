"""junit.xml: the audit as tests that CI systems show, a suite a check and a case a finding.

The first case of a suite is the check's own: an error where it is inconclusive, because a test that could not tell has
not passed. A finding that fails its check is a failure, an accepted one is skipped with its reason, and one that is
only told passes with its text as output. No case has a time: a document is the same whenever and wherever it was made.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree as Xml

from atlas_core.reports.order import failing
from atlas_core.reports.readings import readings
from atlas_core.reports.words import CHECKS, place, sentence, standing

if TYPE_CHECKING:
    from atlas_core.audit.findings import Audit, CheckResult, Finding

FORBIDDEN = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What no XML 1.0 document may hold."""


def junit_xml(audit: Audit) -> bytes:
    """The audit as JUnit XML."""
    root = Xml.Element("testsuites", name="atlas audit")
    for check in audit.checks:
        root.append(_suite(audit, check))
    root.extend(_not_run(name, why) for name, why in audit.skipped.items())
    for counted in ("tests", "failures", "errors"):
        root.set(counted, str(sum(int(suite.get(counted, 0)) for suite in root)))
    Xml.indent(root)
    return bytes(Xml.tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"


def _suite(audit: Audit, check: CheckResult) -> Xml.Element:
    """A check with its case and those of its findings."""
    suite = Xml.Element("testsuite", name=CHECKS[check.check].title)
    properties = Xml.SubElement(suite, "properties")
    told = {
        "model": audit.model.name,
        "dataset": audit.dataset.name,
        "coverage": f"{check.coverage:.3f}",
        "audit": audit.id,
    }
    for name, value in told.items():
        Xml.SubElement(properties, "property", name=name, value=_clean(value))
    suite.append(_own_case(check))
    for finding in check.findings:
        suite.append(_case(finding))
    suite.set("tests", str(len(check.findings) + 1))
    for name, counted in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(name, str(len(suite.findall(f"testcase/{counted}"))))
    return suite


def _not_run(check: str, why: str) -> Xml.Element:
    """A check that had nothing to compare with."""
    words = CHECKS[check]
    suite = Xml.Element("testsuite", name=words.title, tests="1", failures="0", errors="0", skipped="1")
    case = Xml.SubElement(suite, "testcase", classname=f"audit.{check}", name=words.asks)
    Xml.SubElement(case, "skipped", message=_clean(sentence(why)))
    return suite


def _own_case(check: CheckResult) -> Xml.Element:
    """The check itself: it fails by itself only where no finding says why."""
    case = Xml.Element("testcase", classname=f"audit.{check.check}", name=CHECKS[check.check].asks)
    if check.verdict == "inconclusive":
        error = Xml.SubElement(case, "error", type="inconclusive", message=_clean(check.reason))
        error.text = _clean("\n".join(map(sentence, filter(None, [check.reason, check.needs]))))
    elif check.verdict == "fail" and not failing(check):
        failure = Xml.SubElement(case, "failure", type="fail", message=_clean(check.reason))
        failure.text = _clean(check.reason)
    else:
        Xml.SubElement(case, "system-out").text = _clean(check.reason)
    return case


def _case(finding: Finding) -> Xml.Element:
    """A finding; its class is its check and its layer."""
    classname = ".".join(filter(None, ["audit", finding.check, finding.layer]))
    case = Xml.Element("testcase", classname=_clean(classname), name=_clean(finding.title))
    if finding.accepted is not None:
        until = f" (until {finding.accepted.expires})" if finding.accepted.expires else ""
        Xml.SubElement(case, "skipped", message=_clean(f"accepted: {finding.accepted.reason}{until}"))
    elif standing(finding) == "fails":
        failure = Xml.SubElement(case, "failure", type=finding.check, message=_clean(finding.title))
        failure.text = _clean(_evidence(finding))
    else:
        Xml.SubElement(case, "system-out").text = _clean(_evidence(finding))
    return case


def _evidence(finding: Finding) -> str:
    """What a finding rests on, in lines of text."""
    lines = [
        place(finding),
        *(f"{reading.label}: {reading.whole}" for reading in readings(finding.statistics)),
    ]
    lines += [f"{each.role}: {each.caption}" for each in finding.evidence]
    lines += [f"remedy: {finding.remedy.summary}"] if finding.remedy else []
    return "\n".join([*filter(None, lines), CHECKS[finding.check].todo, f"finding {finding.id}"])


def _clean(text: str) -> str:
    return FORBIDDEN.sub("\ufffd", text)
