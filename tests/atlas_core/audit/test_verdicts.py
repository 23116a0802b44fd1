"""The verdict on a shortcut audit: what stands out, what kind of thing it is, and when nothing can be said."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from atlas_core.audit.directions import pack_direction
from atlas_core.audit.shortcuts import Thresholds, judge

CLASSES = ["blue", "green", "red"]


def candidate(hits: int, n: int = 300, **changes: Any) -> dict[str, Any]:
    """A cell that turns so many images into red."""
    return {
        "layer": "squares", "column": 1, "row": 2, "target": 2, "size": 0, "pixels": 8, "share": 0.25, "attributed": 2,
        "strongest": 2, "hits": hits, "n": n, "bases": 150, "gain": 2.0, "gain_interval": [1.5, 2.5], "gain_rank": 1,
        "exemplars": [{"hits": hits // 8, "n": n // 8}] * 8, "shown": [],
        "strays": {"images": 3, "hits": 60, "n": 100}, "spread": 0.3, "count": 40, "images": 30, "labelled": 40,
        "own": 34, "direction": pack_direction(np.array([1.0, 2.0])), **changes,
    }  # fmt: skip


def control(target: int, hits: int, n: int = 300, **changes: Any) -> dict[str, Any]:
    return {"target": target, "size": 0, "pixels": 8, "share": 0.25, "hits": hits, "n": n, "images": 60, "bases": 150,
            **changes}  # fmt: skip


def measured(*found: dict[str, Any], **changes: Any) -> dict[str, Any]:
    controls = {f"{target} 0": control(target, 15) for target in range(3)}
    return {"tests": 400, "screened": 300, "side": 8, "layers": ["squares"], "sizes": [8], "classes": CLASSES,
            "base": {"images": 400, "screening": 120, "confirming": 240}, "passes": 20_000,
            "candidates": list(found), "controls": controls, "transplants": [], **changes}  # fmt: skip


def test_a_cell_beyond_the_margin_fails_the_audit() -> None:
    found = judge(measured(candidate(150), candidate(60, column=4)), Thresholds())
    assert found.verdict == "fail"
    assert found.coverage == 0.75
    (finding,) = found.findings
    assert finding.gate
    assert finding.title.startswith(
        "Pasted on other pictures, what cell 1-2 of squares shows turns 50% of them into 'red'"
    )
    assert finding.target is not None
    assert (finding.target.name, finding.statistics["kind"]) == ("red", "shortcut")
    assert finding.statistics["flips"] == 0.5
    assert finding.statistics["control"] == 0.05
    assert finding.statistics["purity"] == 0.85
    assert finding.statistics["flips_interval"] == pytest.approx((0.4438, 0.5562), abs=1e-3)  # Wilson's
    assert found.reason.startswith("1 thing makes the model see 'red' in pictures of other classes; 300 of 400 tests")


@pytest.mark.parametrize(
    ("hits", "share", "found"),
    [(150, 0.25, True), (95, 0.25, False), (150, 0.4, False), (240, 0.4, True)],
    ids=["far beyond", "within the margin by its interval", "a large patch must do more", "and does"],
)
def test_the_margin_is_between_intervals_and_grows_with_the_area(hits: int, share: float, *, found: bool) -> None:
    assert bool(judge(measured(candidate(hits, share=share)), Thresholds()).findings) is found


def test_one_lucky_exemplar_is_no_concept() -> None:
    lucky = [{"hits": 150, "n": 150}, *[{"hits": 0, "n": 21}] * 7]
    assert judge(measured(candidate(150, exemplars=lucky)), Thresholds()).findings == []


def test_all_tests_count_not_those_that_were_confirmed_alone() -> None:
    weak = candidate(24, n=60, bases=150)
    few = measured(weak, tests=1, screened=1, controls={"2 0": control(2, 6, 60)})
    many = measured(weak, tests=4000, screened=4000, controls={"2 0": control(2, 6, 60)})
    options = Thresholds(margin=0.0, q=0.01)
    assert judge(few, options).findings
    assert not judge(many, options).findings


@pytest.mark.parametrize(
    ("changes", "kind", "why"),
    [
        ({}, "shortcut", "3 pictures of other classes do the same"),
        ({"strays": {"images": 3, "hits": 5, "n": 100}}, "feature", "in pictures of other classes does nothing"),
        ({"strays": {"images": 0, "hits": 0, "n": 0}}, "feature", "only pictures of the class have it"),
        ({"strays": {"images": 0, "hits": 0, "n": 0}, "spread": 0.02}, "shortcut", "always lies at the same place"),
    ],
)
def test_what_other_classes_share_or_never_moves_is_a_shortcut(changes: dict[str, Any], kind: str, why: str) -> None:
    result = judge(measured(candidate(200, **changes)), Thresholds())
    (finding,) = result.findings
    assert finding.statistics["kind"] == kind
    assert why in str(finding.statistics["why"])
    assert finding.gate is (kind == "shortcut")
    assert result.verdict == ("fail" if kind == "shortcut" else "pass")
    assert judge(measured(candidate(200, **changes)), Thresholds(gate="all")).verdict == "fail"


def test_grain_that_turns_others_into_its_class_is_found_without_any_cell() -> None:
    tried = [control(0, 15), control(1, 240), control(2, 30)]
    found = judge(measured(transplants=tried), Thresholds())
    (finding,) = found.findings
    assert (finding.cell, finding.gate) == (None, True)
    assert finding.target is not None
    assert finding.target.name == "green"
    assert "turns 80% of them into it; that of a usual class turns 10%" in finding.title
    assert found.verdict == "fail"
    placed = judge(measured(candidate(30, target=1), controls={"1 0": control(1, 15)}, transplants=tried), Thresholds())
    assert placed.findings[0].direction is not None  # where to look, and what a remedy may mute


def test_too_few_images_are_inconclusive_and_say_what_is_needed() -> None:
    few = {"base": {"images": 90, "screening": 20, "confirming": 40}}
    result = judge(measured(candidate(20, n=80, bases=40), **few), Thresholds())
    assert result.verdict == "inconclusive"
    assert result.needs is not None
    assert "at least 150 held-out images" in result.needs
    assert "there are 60 of 90" in result.needs
    strong = judge(measured(candidate(70, n=80, bases=40), **few), Thresholds())
    assert [finding.gate for finding in strong.findings] == [False]
    assert strong.verdict == "inconclusive"


def test_a_class_with_one_picture_has_no_control() -> None:
    result = judge(measured(candidate(20), controls={"2 0": control(2, 10, images=1)}), Thresholds())
    assert result.verdict == "inconclusive"
    assert result.needs is not None
    assert "at least 10 pictures that the model takes for each class" in result.needs


def test_nothing_found_among_enough_images_passes_and_says_what_it_may_have_missed() -> None:
    result = judge(measured(candidate(30)), Thresholds())
    assert (result.verdict, result.findings) == ("pass", [])
    assert result.noise["another_verdict"] == 0.0
    assert result.tables["strongest"][0]["found"] is False
    border = judge(measured(candidate(101)), Thresholds())  # .337: its interval ends where the margin does
    assert border.noise["another_verdict"] == pytest.approx(0.5, abs=0.3)
    assert 0.04 < float(border.noise["half_width"] or 0) < 0.06


def test_no_cell_to_test_is_inconclusive() -> None:
    result = judge(measured(tests=0, screened=0), Thresholds())
    assert (result.verdict, result.coverage) == ("inconclusive", 0)
    assert result.needs is not None
    assert "10 samples or more" in result.needs
