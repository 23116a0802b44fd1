"""Regions are judged against all images and against a baseline, and overlapping ones are told once."""

from __future__ import annotations

from typing import Any

import pytest
from scipy.stats import binom

from atlas_core.audit.regions import Thresholds, judge, judged, merged
from atlas_core.statistics import fisher_greater, wilson


def region(wrong: int, images: int = 80, *, first: int = 0, **changes: Any) -> dict[str, Any]:
    return {"layer": "late", "column": 3, "row": 4, "cells": 1, "images": images, "wrong": wrong, "confidence": 0.7,
            "calibration": 0.1, "paired": False, "lost": 0, "won": 0, "wrong_images": list(range(first, first + wrong)),
            "confused": [{"label": "pan", "predicted": "wok", "images": 7}], "direction": "AQI=", "evidence": [],
            **changes}  # fmt: skip


def measured(*regions: dict[str, Any], wrong: int = 100, images: int = 1000) -> dict[str, Any]:
    low, high = wilson(wrong, images)
    whole = {"images": images, "wrong": wrong, "error": wrong / images, "error_interval": [float(low), float(high)],
             "asked": 1250, "covered": 1000}  # fmt: skip
    return {"whole": whole, "regions": list(regions), "side": 20, "least": 50, "dataset": "things", "passes": images}


def test_a_region_that_surely_fails_more_often_than_not_fails_the_audit() -> None:
    result = judge(measured(region(60), region(8, first=500, column=9)), Thresholds())
    assert (result.verdict, result.coverage, result.forward_passes) == ("fail", 0.8, 1000)
    (finding,) = result.findings
    assert finding.title == ("The model is wrong on 75% of the 80 images in cell 3-4 of late, against 10% of all, "
                             "mostly 'pan' as 'wok'")  # fmt: skip
    low, high = wilson(60, 80)
    assert finding.statistics["error_interval"] == (round(float(low), 4), round(float(high), 4))
    assert (finding.gate, finding.side, finding.cell and finding.cell.column) == (True, 20, 3)


def test_a_region_that_stands_out_under_the_limit_is_told_and_does_not_fail() -> None:
    result = judge(measured(region(36)), Thresholds())
    assert (result.verdict, [one.gate for one in result.findings]) == ("pass", [False])
    assert judge(measured(region(36)), Thresholds(error=0.3)).verdict == "fail"
    low = float(wilson(36, 80)[0])
    margin = low - float(wilson(100, 1000)[1])
    assert judge(measured(region(36)), Thresholds(margin=margin - 1e-4)).findings
    assert not judge(measured(region(36)), Thresholds(margin=margin + 1e-4)).findings


def test_p_is_that_of_the_images_outside_and_adjusted_over_all_regions() -> None:
    found = judged(measured(region(20), *(region(8, column=column) for column in range(9))))
    assert found[0]["q"] == pytest.approx(10 * float(fisher_greater(20, 80, 80, 920)), abs=1e-6)
    assert [one["wrong"] for one in found] == [20] + [8] * 9


def test_regions_of_the_same_wrong_images_are_one() -> None:
    worst, inside, other = region(30), region(12, first=10, column=4), region(12, first=25, column=8)
    found = merged([worst, inside, other, region(0)])
    assert [(one["column"], one["stands_for"]) for one in found] == [(3, 2), (8, 1)]


def test_against_a_baseline_the_same_images_count_in_pairs() -> None:
    # Of 80 images 24 went from right to wrong and 4 the other way.
    pairs = region(30, paired=True, lost=24, won=4)
    (one,) = judged(measured(pairs))
    assert one["worse"] == pytest.approx(0.25)
    assert one["worse_q"] == pytest.approx(float(binom.sf(23, 28, 0.5)), abs=1e-6)
    deviation = (24.5 + 4.5 - 20**2 / 82) ** 0.5 / 82  # Agresti and Min: half an image more in each of four cells
    assert one["worse_low"] == pytest.approx(20 / 82 - 1.959964 * deviation, abs=1e-6)
    assert one["worse_high"] == pytest.approx(20 / 82 + 1.959964 * deviation, abs=1e-6)
    result = judge(measured(pairs), Thresholds())
    assert result.verdict == "fail"
    assert [one.policy_key for one in result.findings if one.gate] == ["regions.worse"]
    assert judge(measured(pairs), Thresholds(worse=0.2)).verdict == "pass"
    assert judge(measured(region(30, paired=True, lost=12, won=10)), Thresholds()).verdict == "pass"


def test_a_model_that_is_wrong_everywhere_has_no_worst_region() -> None:
    result = judge(measured(region(78), wrong=950), Thresholds())
    assert result.verdict == "inconclusive"
    assert "wrong on 95% of all images" in result.reason
    assert result.needs is not None


@pytest.mark.parametrize(
    ("found", "said"),
    [(measured(region(9), wrong=9, images=90), "90 labelled held-out images are too few"),
     (measured(), "hold 50 held-out images")],
)  # fmt: skip
def test_too_little_is_inconclusive(found: dict[str, Any], said: str) -> None:
    result = judge(found, Thresholds())
    assert result.verdict == "inconclusive"
    assert said in result.reason
    assert result.needs
