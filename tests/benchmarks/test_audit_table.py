"""What the table makes of audits: ranks, shares, false alarms, and the misses named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks.auditing.cases import Case
from benchmarks.auditing.table import Row, rows, table

PLANTED = Case("patch", "planted", 0.95, 1.0, 0)


def finding(target: str, *, gate: bool = True) -> dict[str, Any]:
    return {"title": f"it is {target}", "gate": gate, "target": {"index": 0, "name": target}, "remedy": None,
            "statistics": {}}  # fmt: skip


def row(
    case: Case, flips: float, shortcuts: list[dict[str, Any]], properties: list[dict[str, Any]] | None = None
) -> Row:
    near = [{"class": "ball", "column": 3, "row": 4, "layer": "block2", "flips": 0.4, "control": 0.3, "found": False}]
    checks = {"shortcuts": {"findings": shortcuts, "passes": 1000, "strongest": near},
              "properties": {"findings": properties or [], "passes": 500}}  # fmt: skip
    facts = {"target": "ball", "flips": flips}
    return Row(case, facts, {"verdict": "fail", "checks": checks, "seconds": {"atlas": 5.0, "shortcuts": 15.0}})


def test_a_plant_has_the_best_rank_of_the_findings_that_fail() -> None:
    found = row(PLANTED, 0.9, [finding("wok"), finding("ball", gate=False), finding("ball")], [finding("ball")])
    assert (found.rank("shortcuts"), found.rank("properties"), found.rank()) == (2, 1, 1)
    assert row(PLANTED, 0.9, [finding("ball", gate=False)]).rank() is None
    assert (found.findings(gate=True), found.findings(gate=False), found.passes, found.seconds) == (3, 4, 1500, 20)


def test_shares_count_plants_that_change_behaviour_and_misses_are_named() -> None:
    clean = Case("patch", "clean", 0.95, 1.0, 0)
    made = table([
        row(PLANTED, 0.9, [finding("ball")]), row(PLANTED, 0.5, []), row(PLANTED, 0.1, []),
        row(clean, 0.0, []), row(clean, 0.0, [finding("mask")]),
    ])  # fmt: skip
    lines = made.splitlines()
    patch = next(line for line in lines if line.startswith("| patch | 3 "))
    assert patch.startswith("| patch | 3 | 2 | 1 of 2 | 0.09 to 0.91 | 1 | 1 – | 1 | 0 | 1,500 | 20 |")
    assert "| clean twins | 2 | 1 of 2 |" in made
    assert any(
        "flips 0.50, rank none; its strongest cell, 3-4 of block2, turns 0.40 (control 0.30)" in line for line in lines
    )
    assert any(line.endswith("it is mask") for line in lines)


def test_a_miss_that_was_found_and_not_held_to_fail_says_so() -> None:
    assert "found and not held to fail (): it is ball" in table([row(PLANTED, 0.9, [finding("ball", gate=False)])])


def test_networks_that_are_not_audited_yet_are_left_out(tmp_path: Path) -> None:
    for name in ("facts.json", "audit.json"):
        assert rows([PLANTED], tmp_path) == []
        (tmp_path / PLANTED.name).mkdir(exist_ok=True)
        (tmp_path / PLANTED.name / name).write_text(json.dumps({"flips": 0.5}))
    assert len(rows([PLANTED], tmp_path)) == 1
