"""summary.md: the audit in at most 60 lines, for a pull request.

Names of classes and datasets are users' text, so all of it is escaped. Pictures are links to files beside the summary.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from atlas_core.reports.order import in_order, summary_pictures
from atlas_core.reports.readings import in_words, readings
from atlas_core.reports.words import CHECKS, ROLES, place, sentence, standing

if TYPE_CHECKING:
    from atlas_core.audit.findings import Audit, CheckResult, Evidence, Finding

VERDICTS = {"pass": "✅ Pass", "fail": "❌ Fail", "inconclusive": "❔ Inconclusive"}
FINDINGS = 5
"""So many are told; the others are counted."""
SPECIAL = re.compile(r"([\\`*_\[\]<>|#~&!@])")


def summary_md(audit: Audit, pictures: Mapping[str, bytes], service: str | None) -> bytes:
    """The audit in Markdown."""
    findings = in_order(audit)
    blocks = [
        [f"## {VERDICTS[audit.verdict]}: audit of {plain(audit.model.name)}", "", plain(sentence(audit.reason))],
        _checks(audit),
        [f"{number}. {_told(finding)}" for number, finding in enumerate(findings[:FINDINGS], 1)],
        _rest(len(findings) - FINDINGS),
        _pictures([each for each in summary_pictures(audit) if each.name in pictures], findings),
        [_about(audit, service)],
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block).encode() + b"\n"


def summary_files(audit: Audit, pictures: Mapping[str, bytes]) -> dict[str, bytes]:
    """The files that a summary shows, by their path beside it."""
    shown = [each.name for each in summary_pictures(audit) if each.name in pictures]
    return {_path(name): pictures[name] for name in shown if name}


def plain(text: str) -> str:
    """Text of a user as one line of Markdown that means nothing but itself."""
    return SPECIAL.sub(r"\\\1", " ".join(text.split()))


def _checks(audit: Audit) -> list[str]:
    rows = [_row(check) for check in audit.checks]
    rows += [f"| {CHECKS[name].title} | Not run | | | {plain(sentence(why))} |" for name, why in audit.skipped.items()]
    return ["| check | verdict | findings | looked at | why |", "| --- | --- | --- | --- | --- |", *rows]


def _row(check: CheckResult) -> str:
    why = plain(" ".join(map(sentence, filter(None, [check.reason, check.needs]))))
    cells = [
        CHECKS[check.check].title,
        VERDICTS[check.verdict],
        _counted(check),
        in_words(check.coverage, "share"),
        why,
    ]
    return f"| {' | '.join(cells)} |"


def _counted(check: CheckResult) -> str:
    accepted = sum(standing(finding) == "accepted" for finding in check.findings)
    return f"{len(check.findings)}{f', {accepted} accepted' if accepted else ''}"


def _told(finding: Finding) -> str:
    numbers = [f"{each.label} {each.whole}" for each in readings(finding.statistics) if each.is_drawn]
    until = f" until {finding.accepted.expires}" if finding.accepted and finding.accepted.expires else ""
    said = {
        "fails": "",
        "noted": " (does not fail the check)",
        "accepted": f" (accepted{until}: {plain(finding.accepted.reason)})" if finding.accepted else "",
    }[standing(finding)]
    new = " New since the baseline." if finding.known_in_baseline is False else ""
    remedy = f" Remedy: {plain(sentence(finding.remedy.summary))}" if finding.remedy else ""
    where = " · ".join(filter(None, [plain(place(finding)), *map(plain, numbers)]))
    return f"**{plain(sentence(finding.title))}**{said}{new}{f' {where}.' if where else ''}{remedy}"


def _rest(count: int) -> list[str]:
    return [f"And {count} more in the report."] if count > 0 else []


def _pictures(shown: list[Evidence], findings: Sequence[Finding]) -> list[str]:
    """The pictures below each other: most are several pictures side by side, and wide."""
    said = []
    for each in shown:
        number = next(place for place, finding in enumerate(findings, 1) if each in finding.evidence)
        caption = plain(f"Finding {number}, {ROLES[each.role].lower()}: {each.caption}")
        said.append((caption, _path(each.name or "")))
    return "\n\n".join(f"![{caption}]({path})\n<sub>{caption}</sub>" for caption, path in said).splitlines()


def _path(name: str) -> str:
    return f"pictures/{re.sub(r'[^A-Za-z0-9._-]', '-', name)}.png"


def _about(audit: Audit, service: str | None) -> str:
    baseline = f" against {plain(audit.baseline.name)}" if audit.baseline else ""
    link = f" [The atlas]({service}/?atlas={audit.atlas})." if service and audit.atlas else ""
    return (
        f"<sub>Dataset {plain(audit.dataset.name)}{baseline}, policy {plain(audit.policy.name)}, seed {audit.seed}, "
        f"audit {audit.id[:12]}. Everything is in report.html.{link}</sub>"
    )
