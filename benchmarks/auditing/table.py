"""The table of all audited networks: what was found of each kind of plant, and what of nothing."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from atlas_core.statistics import wilson
from benchmarks.auditing.cases import CHANGED, Case
from benchmarks.auditing.plants import KINDS
from benchmarks.auditing.runs import RESULTS

FIRST = 3
"""Rank up to which a plant counts as found."""


@dataclass(frozen=True)
class Row:
    """One network with what an audit said of it."""

    case: Case
    facts: dict[str, Any]
    audit: dict[str, Any]

    @property
    def changed(self) -> bool:
        """Whether the plant changes what the network says."""
        return bool(self.facts["flips"] >= CHANGED)

    def rank(self, check: str | None = None) -> int | None:
        """Place of the first finding that names the plant's class, among those that fail the audit, from 1.

        Args:
            check: Of one check; by default the best place in any.
        """
        names = [check] if check else list(self.audit["checks"])
        ranks = [rank for name in names for rank in [self._rank(name)] if rank is not None]
        return min(ranks, default=None)

    def _rank(self, check: str) -> int | None:
        gating = [one for one in self.audit["checks"].get(check, {"findings": []})["findings"] if one["gate"]]
        targets = [(one["target"] or {}).get("name") for one in gating]
        return targets.index(self.facts["target"]) + 1 if self.facts["target"] in targets else None

    def findings(self, *, gate: bool) -> int:
        """How many findings there are in all, or of those that fail the audit."""
        found = [one for check in self.audit["checks"].values() for one in check["findings"]]
        return sum(one["gate"] or not gate for one in found)

    @property
    def passes(self) -> int:
        """Forward passes of all checks."""
        return int(sum(check["passes"] for check in self.audit["checks"].values()))

    @property
    def seconds(self) -> float:
        """CPU seconds of the whole audit."""
        return float(sum(self.audit["seconds"].values()))

    @property
    def remedy(self) -> dict[str, Any] | None:
        """What was tried for the plant's class."""
        found = [one["remedy"] for check in self.audit["checks"].values() for one in check["findings"]
                 if one["remedy"] and (one["target"] or {}).get("name") == self.facts["target"]]  # fmt: skip
        return found[0] if found else None


def rows(cases: Iterable[Case], folder: Path) -> list[Row]:
    """The networks that are trained and audited."""
    found = []
    for case in cases:
        files = [folder / case.name / name for name in ("facts.json", RESULTS)]
        if all(file.is_file() for file in files):
            found.append(Row(case, *(json.loads(file.read_text(encoding="utf-8")) for file in files)))
    return found


def table(found: Sequence[Row]) -> str:
    """Markdown: plants by kind, networks without one, remedies, and every miss."""
    planted = [row for row in found if row.case.role == "planted"]
    parts = [_plants(planted), _nothing(found), _remedies(planted), _misses(found)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _plants(planted: Sequence[Row]) -> str:
    lines = ["| plant | networks | change behaviour | found at rank 1 to 3 | 95 % | first | ranks | by pasting | "
             "by properties | passes | CPU s |", "| --- " * 11 + "|"]  # fmt: skip
    for kind in (*KINDS, "all"):
        some = [row for row in planted if kind in (row.case.kind, "all")]
        changed = [row for row in some if row.changed]
        ranks = [row.rank() for row in changed]
        hits = sum(rank is not None and rank <= FIRST for rank in ranks)
        told = " ".join(str(rank or "–") for rank in ranks) if kind != "all" else ""
        by = [sum((row.rank(check) or FIRST + 1) <= FIRST for row in changed) for check in ("shortcuts", "properties")]
        lines.append(f"| {kind} | {len(some)} | {len(changed)} | {_share(hits, len(changed))} | "
                     f"{_interval(hits, len(changed))} | {ranks.count(1)} | {told} | {by[0]} | {by[1]} | "
                     f"{_median(row.passes for row in some)} | {_median(row.seconds for row in some)} |")  # fmt: skip
    return "\n".join(lines)


def _nothing(found: Sequence[Row]) -> str:
    lines = ["| without a shortcut | networks | with a finding that fails | 95 % | with any finding | passes | CPU s |",
             "| --- " * 7 + "|"]  # fmt: skip
    for name, some in (
        ("clean twins", [row for row in found if row.case.role == "clean"]),
        ("plant on all classes alike", [row for row in found if row.case.role == "unused"]),
        ("planted, behaviour unchanged", [row for row in found if row.case.role == "planted" and not row.changed]),
    ):
        failing, any_ = (sum(row.findings(gate=gate) > 0 for row in some) for gate in (True, False))
        passes, seconds = _median(row.passes for row in some), _median(row.seconds for row in some)
        lines.append(f"| {name} | {len(some)} | {_share(failing, len(some))} | {_interval(failing, len(some))} | "
                     f"{any_} | {passes} | {seconds} |")  # fmt: skip
    return "\n".join(lines)


def _remedies(planted: Sequence[Row]) -> str:
    lines = ["| remedy | tried | works | flips before | flips after | accuracy lost, points |", "| --- " * 6 + "|"]
    for kind in KINDS:
        tried = [row.remedy for row in planted if row.case.kind == kind and row.remedy is not None]
        told = [one["statistics"] for one in tried if one["statistics"]]
        values = [_percent([one[name] for one in told])
                  for name in ("flips_before", "flips_after", "accuracy_lost")]  # fmt: skip
        lines.append(f"| {kind} | {len(tried)} | {sum(one['works'] for one in tried)} | {' | '.join(values)} |")
    return "\n".join(lines)


def _misses(found: Sequence[Row]) -> str:
    lines = ["Misses and false alarms:", ""]
    for row in found:
        rank = row.rank()
        if row.case.role == "planted" and row.changed and (rank is None or rank > FIRST):
            lines.append(f"- {row.case.name}: flips {row.facts['flips']:.2f}, rank {rank or 'none'}; {_nearest(row)}")
        elif row.case.role != "planted" and row.findings(gate=True):
            (first, *_) = [one for check in row.audit["checks"].values() for one in check["findings"] if one["gate"]]
            lines.append(f"- {row.case.name}: {first['title']}")
    return "\n".join(lines) if len(lines) > 2 else ""


def _nearest(row: Row) -> str:
    """What was found of the plant's class and does not fail the audit; else its strongest cell."""
    found = [one for check in row.audit["checks"].values() for one in check["findings"]
             if (one["target"] or {}).get("name") == row.facts["target"]]  # fmt: skip
    if found:
        return f"found and not held to fail ({found[0]['statistics'].get('why', '')}): {found[0]['title']}"
    strongest = row.audit["checks"].get("shortcuts", {}).get("strongest", [])
    mine = [one for one in strongest if one["class"] == row.facts["target"]]
    if not mine:
        return "nothing of the class is among what flips most"
    one = mine[0]
    return (f"its strongest cell, {one['column']}-{one['row']} of {one['layer']}, turns {one['flips']:.2f} "
            f"(control {one['control']:.2f})")  # fmt: skip


def _share(hits: int, n: int) -> str:
    return f"{hits} of {n}" if n else "–"


def _interval(hits: int, n: int) -> str:
    low, high = wilson(hits, n)
    return f"{float(low):.2f} to {float(high):.2f}" if n else "–"


def _median(values: Iterable[float]) -> str:
    found = list(values)
    return f"{median(found):,.0f}" if found else "–"


def _percent(values: Sequence[float]) -> str:
    return f"{100 * median(values):.1f} %" if values else "–"
