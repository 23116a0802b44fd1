"""report.html: one page that needs nothing else, neither scripts nor files nor a network."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined

from atlas_core.reports.order import before_and_after, by_role, explained, in_order
from atlas_core.reports.pictures import Embedded
from atlas_core.reports.readings import in_words, readings, scale, spoken
from atlas_core.reports.snippet import acceptance
from atlas_core.reports.tabled import single, tabled
from atlas_core.reports.words import CHECKS, ROLES, STANDINGS, VERDICTS, place, sentence, standing, words_of

if TYPE_CHECKING:
    from atlas_core.audit.findings import Audit, Finding


def report_html(audit: Audit, pictures: Mapping[str, bytes], service: str | None) -> bytes:
    """The audit as a page."""
    findings = in_order(audit)
    page = _environment().get_template("report.html.jinja")
    return page.render(
        audit=audit,
        findings=findings,
        explained=explained(findings),
        counts={name: sum(standing(each) == name for each in findings) for name in STANDINGS},
        lines=_by_line(findings),
        pictures=Embedded(pictures),
        thumbnails=Embedded(pictures, thumbnail=True),
        service=service if audit.atlas else None,
        version=version("activation-atlas"),
    ).encode()


def viewer_link(audit: Audit, finding: Finding | None, service: str) -> str:
    """The address of a finding's cell in the viewer, or of the atlas."""
    address = f"{service}/?{urlencode({'atlas': audit.atlas})}"
    if finding is None or finding.layer is None:
        return address
    parts = {"layer": finding.layer}
    if finding.cell is not None and finding.side is not None:
        parts |= {"side": str(finding.side), "cell": f"{finding.cell.column}-{finding.cell.row}"}
    return f"{address}#{urlencode(parts)}"


def has_wide(finding: Finding, pictures: Embedded) -> bool:
    """Whether a finding has pictures that want all the room there is."""
    return any(shown.is_wide for each in finding.evidence if (shown := pictures.get(each.name)) is not None)


@cache
def _environment() -> Environment:
    """Everything that a document says is escaped, and a name that is not there is an error."""
    environment = Environment(
        loader=PackageLoader("atlas_core.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals.update(CHECKS=CHECKS, ROLES=ROLES, STANDINGS=STANDINGS, VERDICTS=VERDICTS)
    told: tuple[Any, ...] = (
        acceptance, before_and_after, by_role, has_wide, in_words, place, readings, scale, sentence, single, spoken,
        standing, tabled, viewer_link, words_of,
    )  # fmt: skip
    environment.globals.update({function.__name__: function for function in told})
    return environment


def _by_line(findings: list[Finding]) -> dict[int, list[Finding]]:
    """The findings that break each line of the policy."""
    lines: dict[int, list[Finding]] = {}
    for finding in findings:
        if finding.policy_line is not None:
            lines.setdefault(finding.policy_line, []).append(finding)
    return lines
