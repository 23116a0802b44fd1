"""audit.sarif: the findings in SARIF 2.1.0, each at the line of the policy that it breaks.

GitHub refuses a whole file for one result without a place in a file, so every result has one: the policy's first line
where no other is known. An inconclusive check is a result too, a warning: what could not be tested must not look as if
it had passed.
"""

from __future__ import annotations

import json
from importlib.metadata import version
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from atlas_core.reports.order import failing
from atlas_core.reports.readings import readings
from atlas_core.reports.words import CHECKS, place, sentence, standing

if TYPE_CHECKING:
    from atlas_core.audit.findings import Audit, CheckResult, Finding

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
LEVELS = {"fails": "error", "noted": "note", "accepted": "error"}


def audit_sarif(audit: Audit) -> bytes:
    """The audit as one run of SARIF 2.1.0."""
    rules = [_rule(check) for check in CHECKS]
    driver = {"name": "atlas audit", "semanticVersion": version("activation-atlas"), "rules": rules}
    run = {
        "tool": {"driver": driver},
        "automationDetails": {"id": f"atlas-audit/{audit.model.name}/"},
        "invocations": [_invocation(audit)],
        "artifacts": [_policy(audit)],
        "results": [result for check in audit.checks for result in _results(audit, check)],
        "properties": {name: getattr(audit, name) for name in ("verdict", "reason", "id", "digest", "atlas")},
    }
    said = json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2, ensure_ascii=False)
    return f"{said}\n".encode()


def _invocation(audit: Audit) -> dict[str, Any]:
    """How it went: what was not run, and what the policy should be told."""
    skipped = [f"{CHECKS[name].title} was not run: {why}" for name, why in audit.skipped.items()]
    return {
        "executionSuccessful": True,
        "exitCode": audit.exit_code,
        "toolExecutionNotifications": [{"level": "note", "message": {"text": sentence(each)}} for each in skipped],
        "toolConfigurationNotifications": [{"level": "warning", "message": {"text": each}} for each in audit.warnings],
    }


def _rule(check: str) -> dict[str, Any]:
    words = CHECKS[check]
    return {
        "id": f"atlas/{check}",
        "name": "".join(word.capitalize() for word in words.title.split()),
        "shortDescription": {"text": words.title},
        "fullDescription": {"text": words.asks},
        "help": {
            "text": f"{words.means}\n\n{words.todo}",
            "markdown": f"**{words.asks}**\n\n{words.means}\n\n**What to do.** {words.todo}",
        },
        "defaultConfiguration": {"level": "error"},
    }


def _policy(audit: Audit) -> dict[str, Any]:
    """The policy with its text, so that a line can be shown where the file is not at hand."""
    return {
        "location": {"uri": quote(audit.policy.name)},
        "contents": {"text": audit.policy.text},
        "hashes": {"sha-256": audit.policy.sha256},
    }


def _results(audit: Audit, check: CheckResult) -> list[dict[str, Any]]:
    """The results of a check: its findings, and itself where nothing else says how it ended."""
    results = [_finding(audit, finding) for finding in check.findings]
    if check.verdict == "inconclusive":
        text = f"{CHECKS[check.check].title}: inconclusive. {_reason(check)}"
        results.append(_result(audit, check.check, "warning", text, f"{check.check}/inconclusive"))
    elif check.verdict == "fail" and not failing(check):
        results.append(_result(audit, check.check, "error", _reason(check), f"{check.check}/fail"))
    return results


def _finding(audit: Audit, finding: Finding) -> dict[str, Any]:
    text = f"{sentence(finding.title)} {_numbers(finding)}".strip()
    result = _result(audit, finding.check, LEVELS[standing(finding)], text, finding.id, finding.policy_line)
    if place(finding):
        name = f"{finding.layer}/{finding.cell.column}-{finding.cell.row}" if finding.cell else finding.layer
        result["locations"][0]["logicalLocations"] = [
            {"fullyQualifiedName": name, "kind": "cell" if finding.cell else "layer"}
        ]
    if finding.known_in_baseline is not None:
        result["baselineState"] = "unchanged" if finding.known_in_baseline else "new"
    if finding.accepted is not None:
        result["suppressions"] = [{"kind": "external", "status": "accepted", "justification": finding.accepted.reason}]
    result["properties"] = {"statistics": finding.model_dump(mode="json")["statistics"], "direction": finding.direction}
    return result


def _result(
    audit: Audit, check: str, level: str, text: str, fingerprint: str, line: int | None = None
) -> dict[str, Any]:
    where = {"artifactLocation": {"uri": quote(audit.policy.name), "index": 0}, "region": {"startLine": line or 1}}
    return {
        "ruleId": f"atlas/{check}",
        "ruleIndex": list(CHECKS).index(check),
        "level": level,
        "message": {"text": text},
        "locations": [{"physicalLocation": where}],
        "partialFingerprints": {"atlasFinding/v1": fingerprint},
    }


def _reason(check: CheckResult) -> str:
    return " ".join(map(sentence, filter(None, [check.reason, check.needs])))


def _numbers(finding: Finding) -> str:
    told = [f"{each.label}: {each.whole}" for each in readings(finding.statistics) if each.is_drawn]
    return f"{'; '.join(told)}." if told else ""
