"""What of an audit comes first, and which pictures speak for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain, zip_longest
from typing import TYPE_CHECKING

from atlas_core.reports.words import Standing, standing, words_of

if TYPE_CHECKING:
    from atlas_core.audit.findings import Audit, CheckResult, Evidence, Finding

RANKS: Mapping[Standing, int] = {"fails": 0, "noted": 1, "accepted": 2}
TELLING = ("after", "before", "exemplar", "region", "map", "control")
"""Roles of pictures, the one that says most by itself first."""
SUMMARY_PICTURES = 3


def in_order(audit: Audit) -> list[Finding]:
    """All findings: those that fail first, new ones before what the baseline has too, else as the checks give them."""
    findings = [finding for check in audit.checks for finding in check.findings]
    return sorted(findings, key=lambda finding: (RANKS[standing(finding)], finding.known_in_baseline is True))


def failing(check: CheckResult) -> list[Finding]:
    """The findings that fail this check."""
    return [finding for finding in check.findings if standing(finding) == "fails"]


def summary_pictures(audit: Audit) -> list[Evidence]:
    """The three pictures of a summary at most: the most telling one of each finding in turn, kept ones alone."""
    in_turn = filter(None, chain.from_iterable(zip_longest(*map(_telling, in_order(audit)))))
    shown = list({each.name: each for each in in_turn}.values())[:SUMMARY_PICTURES]
    told = [each for finding in in_order(audit) for each in finding.evidence]
    return sorted(shown, key=told.index)


def before_and_after(finding: Finding) -> list[tuple[Evidence, Evidence]]:
    """The pairs of a finding's pictures, in the order in which they stand."""
    before, after = ([each for each in finding.evidence if each.role == role] for role in ("before", "after"))
    return list(zip(before, after, strict=False))


def by_role(finding: Finding, role: str) -> list[Evidence]:
    """A finding's pictures of one role; of those before and after the ones that have no other half."""
    those = [each for each in finding.evidence if each.role == role]
    paired = min(sum(each.role == half for each in finding.evidence) for half in ("before", "after"))
    return those[paired:] if role in ("before", "after") else those


def explained(findings: Sequence[Finding]) -> set[str]:
    """The findings that say what they mean and what to do: the first of each kind and standing."""
    return set({(words_of(each), standing(each)): each.id for each in reversed(findings)}.values())


def _telling(finding: Finding) -> list[Evidence]:
    """A finding's pictures that were kept: the first of each role by how telling it is, then the second ones."""
    kept = [each for each in finding.evidence if each.name]
    roles = ([each for each in kept if each.role == role] for role in TELLING)
    return list(filter(None, chain.from_iterable(zip_longest(*roles))))
