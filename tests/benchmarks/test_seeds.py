"""Agreement of audits over seeds: counted against the first, and what differs against the noise that is stated."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.seeds import at_least, row, said


def test_so_many_or_more_of_events_with_their_own_probabilities() -> None:
    assert at_least(0, [0.5, 0.1]) == pytest.approx(1)
    assert at_least(1, [0.5, 0.1]) == pytest.approx(1 - 0.5 * 0.9)
    assert at_least(2, [0.5, 0.1]) == pytest.approx(0.05)
    assert at_least(1, []) == 0


def test_noise_is_of_any_check_that_states_it() -> None:
    finding = {"gate": True, "target": {"name": "wok"}}
    checks: list[dict[str, Any]] = [
        {"noise": {"another_verdict": 0.1}, "findings": [{**finding, "gate": False}], "forward_passes": 5},
        {"noise": {"another_verdict": 0.5}, "findings": [finding], "forward_passes": 2},
        {"noise": {}, "findings": [], "forward_passes": 0},
    ]
    assert said({"verdict": "fail", "checks": checks}) == {
        "verdict": "fail", "another_verdict": 0.55, "first": "wok", "passes": 7}  # fmt: skip


def test_other_verdicts_are_covered_where_they_were_to_be_expected() -> None:
    one = {"verdict": "fail", "another_verdict": 0.0, "first": "wok", "seconds": 9.0}
    other = {**one, "verdict": "pass", "first": None}
    assert row("m", one, [one] * 20) == (
        "| m | fail | 20 of 20 | fail 20 | wok 20 | 0.000, 0.000 | nothing to cover | 9 |"
    )
    assert "| 19 of 20 | fail 19, pass 1 | wok 19, none 1 | 0.000, 0.000 | no |" in row("m", one, [*[one] * 19, other])
    unsure = {**one, "another_verdict": 0.1}
    assert "| 0.100, 0.100 | yes |" in row("m", one, [*[unsure] * 19, {**unsure, "verdict": "pass", "first": None}])
