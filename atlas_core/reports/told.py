"""An audit as pages show it: words, numbers with intervals and pictures, in order, and nothing of how it looks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import Field

from atlas_core.audit.findings import Accepted, CheckName, Evidence, Interval, Verdict
from atlas_core.cards import Card
from atlas_core.reports.order import before_and_after, by_role, explained, in_order
from atlas_core.reports.readings import Reading, readings, scale
from atlas_core.reports.snippet import acceptance
from atlas_core.reports.tabled import Table, single, tabled
from atlas_core.reports.words import CHECKS, ROLES, VERDICTS, Standing, place, sentence, standing, words_of

if TYPE_CHECKING:
    from atlas_core.audit.findings import Audit, CheckResult, Finding

UNTOLD = frozenset(("kind", "why"))
"""Statistics that are said in words."""


class ToldNumber(Card):
    """A number in words of its unit; `value` and `interval` are told where it is drawn, on a scale from 0."""

    label: str
    text: str
    interval_text: str
    is_compared_with: bool
    value: float | None = None
    interval: Interval | None = None


class ToldNumbers(Card):
    """Numbers, and the end of the scale on which they are drawn."""

    items: list[ToldNumber]
    scale: float


class ToldPictures(Card):
    """Pictures of a finding in one role; `pairs` are before and after, one beside the other."""

    heading: str
    items: list[Evidence] = Field(default_factory=list)
    pairs: list[tuple[Evidence, Evidence]] = Field(default_factory=list)


class ToldRemedy(Card):
    """A remedy that was tried."""

    works: bool
    summary: str
    numbers: ToldNumbers
    model: str | None


class ToldFinding(Card):
    """A finding; `means` and `todo` are said once for each kind, `acceptance` is what a policy needs to accept it."""

    id: str
    check: CheckName
    one: str
    standing: Standing
    title: str
    place: str
    layer: str | None
    side: int | None
    cell: str | None
    known_in_baseline: bool | None
    policy_key: str | None
    policy_line: int | None
    pictures: list[ToldPictures]
    numbers: ToldNumbers
    why: str | None
    means: str | None
    todo: str | None
    accepted: Accepted | None
    remedy: ToldRemedy | None
    acceptance: str | None


class ToldCell(Card):
    """A cell of a table."""

    text: str
    pictures: list[Evidence]
    is_number: bool


class ToldTable(Card):
    """A table of a check; `more` rows are not told, `pictures` are too large for its cells."""

    title: str
    columns: list[str]
    rows: list[list[ToldCell]]
    more: int
    pictures: list[Evidence]


class ToldCheck(Card):
    """A check; `coverage` is a share of what there is to be looked at, None where the check did not run."""

    check: CheckName
    title: str
    verdict: Verdict | None
    asks: str
    reason: str
    needs: str | None = None
    coverage: float | None = None
    findings: int = 0
    numbers: list[ToldNumber] = Field(default_factory=list)
    values: dict[str, str] = Field(default_factory=dict)
    tables: list[ToldTable] = Field(default_factory=list)


class Told(Card):
    """An audit in the words of its reports."""

    title: str
    reason: str
    findings: list[ToldFinding]
    checks: list[ToldCheck]


def told(audit: Audit) -> Told:
    """What the reports of an audit say, for pages that show it themselves."""
    findings = in_order(audit)
    first = explained(findings)
    return Told(
        title=f"{audit.model.name} {VERDICTS[audit.verdict][1]}",
        reason=sentence(audit.reason),
        findings=[_finding(each, explains=each.id in first) for each in findings],
        checks=[*map(_check, audit.checks), *(
            ToldCheck(check=name, title=CHECKS[name].title, verdict=None, asks=CHECKS[name].asks, reason=sentence(why))
            for name, why in audit.skipped.items())],
    )  # fmt: skip


def _finding(finding: Finding, *, explains: bool) -> ToldFinding:
    words, stands, why = words_of(finding), standing(finding), finding.statistics.get("why")
    fails = stands == "fails"
    return ToldFinding(
        one=words.one,
        standing=stands,
        title=f"{finding.title[:1].upper()}{finding.title[1:]}",
        place=place(finding),
        cell=f"{finding.cell.column}-{finding.cell.row}" if finding.cell else None,
        pictures=_pictures(finding),
        numbers=_numbers(finding.statistics),
        why=sentence(f"{words.one}: {why}") if why and stands != "accepted" else None,
        means=(words.means if fails else words.noted) if explains and stands != "accepted" else None,
        todo=words.todo if explains and fails else None,
        remedy=finding.remedy and ToldRemedy(
            works=finding.remedy.works, summary=sentence(finding.remedy.summary),
            numbers=_numbers(finding.remedy.statistics), model=finding.remedy.model,
        ),
        acceptance=acceptance(finding) if fails else None,
        **{name: getattr(finding, name) for name in (
            "id", "check", "layer", "side", "known_in_baseline", "policy_key", "policy_line", "accepted")},
    )  # fmt: skip


def _pictures(finding: Finding) -> list[ToldPictures]:
    pairs = before_and_after(finding)
    alone = [ToldPictures(heading=heading, items=by_role(finding, role)) for role, heading in ROLES.items()]
    beside = [ToldPictures(heading="Before and after", pairs=pairs)] if pairs else []
    return beside + [each for each in alone if each.items]


def _numbers(statistics: Mapping[str, Any]) -> ToldNumbers:
    found = [each for each in readings(statistics) if each.name not in UNTOLD and each.whole]
    return ToldNumbers(items=list(map(_number, found)), scale=scale([each for each in found if each.is_drawn]))


def _number(reading: Reading) -> ToldNumber:
    drawn = {"value": reading.value, "interval": reading.interval} if reading.is_drawn else {}
    return ToldNumber(label=reading.label, text=reading.text, interval_text=reading.interval_text,
                      is_compared_with=reading.is_compared_with, **drawn)  # fmt: skip


def _check(check: CheckResult) -> ToldCheck:
    words, values = CHECKS[check.check], single(check.tables)
    tables = [tabled(name, value) for name, value in check.tables.items()]
    passes = {"forward_passes": check.forward_passes} if check.forward_passes else {}
    return ToldCheck(
        check=check.check,
        title=words.title,
        verdict=check.verdict,
        asks=words.asks,
        reason=sentence(check.reason),
        needs=check.needs and sentence(check.needs),
        coverage=check.coverage,
        findings=len(check.findings),
        numbers=[_number(each) for each in readings(passes | dict(check.noise)) if each.text],
        values=values,
        tables=[_table(each) for each in tables if each.title not in values and (each.rows or each.pictures)],
    )


def _table(table: Table) -> ToldTable:
    rows = [[ToldCell(text=cell.text, pictures=_evidence(cell.pictures), is_number=cell.is_number) for cell in row]
            for row in table.rows]  # fmt: skip
    return ToldTable(title=table.title, columns=list(table.columns), rows=rows, more=table.more,
                     pictures=_evidence(table.pictures))  # fmt: skip


def _evidence(pictures: Any) -> list[Evidence]:
    return [Evidence(**{name: each[name] for name in Evidence.model_fields}) for each in pictures]
