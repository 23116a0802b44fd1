"""What was measured is judged by intervals against a control, over all that was looked at."""

from __future__ import annotations

from typing import Any

import pytest

from atlas_core.audit.properties import Thresholds, is_shortcut, judge, judged
from atlas_core.statistics import fisher_greater, wilson


def outcome(**changes: Any) -> dict[str, Any]:
    return {"class": 2, "class_name": "red", "trait": "colour", "place": False, "layer": "late", "flips": 120,
            "given": 200, "images": 150, "gain": 4.0, "donors": 24, "donors_that_flip": None, "spread": 0.9,
            "direction": "AQI=", "control_flips": 4, "control_given": 200, "separation": 0.9, "beyond": 0.2,
            "evidence": [], **changes}  # fmt: skip


def measured(*tests: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {"pairs": 130, "looked_at": 117, "classes": {"all": 10, "looked_at": 9},
            "base": {"looked_at": 1000, "screening": 200, "images": 400}, "associations": [], "files": [],
            "passes": 5000, "tests": list(tests), **changes}  # fmt: skip


def test_a_finding_beats_its_control_by_the_margin_interval_against_interval() -> None:
    result = judge(measured(outcome()), Thresholds())
    (finding,) = result.findings
    assert (result.verdict, finding.gate, result.coverage, result.forward_passes) == ("fail", True, 0.9, 5000)
    low, high = wilson(120, 200)
    assert finding.statistics["flips_interval"] == (round(float(low), 4), round(float(high), 4))
    assert "60% of them, against 2%" in finding.title
    excess = float(low - wilson(4, 200)[1])
    assert judge(measured(outcome()), Thresholds(margin=excess - 1e-3)).verdict == "fail"
    assert judge(measured(outcome()), Thresholds(margin=excess + 1e-3)).verdict == "pass"


def test_p_is_adjusted_over_every_class_and_property() -> None:
    (one,) = judged(measured(outcome(flips=14)))
    p = float(fisher_greater(14, 200, 4, 200))
    assert one["q"] == pytest.approx(min(1, p * 130), abs=1e-6)
    (few,) = judged(measured(outcome(flips=14), pairs=1))
    assert few["q"] == pytest.approx(p, abs=1e-6)
    assert judge(measured(outcome(flips=20), pairs=1, looked_at=1), Thresholds(margin=0)).verdict == "fail"
    assert judge(measured(outcome(flips=20), pairs=100_000), Thresholds(margin=0)).verdict == "pass"


def test_what_sits_on_the_thing_is_told_and_does_not_fail() -> None:
    lemon = measured(outcome(spread=0.1))
    result = judge(lemon, Thresholds())
    assert result.verdict == "pass"
    assert [(one.gate, one.statistics["kind"]) for one in result.findings] == [(False, "feature")]
    assert judge(lemon, Thresholds(gate="all")).verdict == "fail"
    assert judge(lemon, Thresholds(spread=0.05)).verdict == "fail"
    assert not is_shortcut(outcome(spread=None), 0.5)
    assert is_shortcut(outcome(place=True, spread=None), 0.5)


def test_what_goes_with_a_class_is_one_finding_of_each_kind() -> None:
    band = {"trait": "left band", "place": True}
    tests = [outcome(trait="frame", place=True, flips=150), outcome(**band), outcome(**band, **{"class": 4}),
             outcome(), outcome(trait="texture", spread=0.1)]  # fmt: skip
    found = [(one.target.index, one.statistics["property"], one.statistics["also"], one.gate)
             for one in judge(measured(*tests), Thresholds()).findings if one.target]  # fmt: skip
    assert found == [(2, "frame", "left band, colour", True), (4, "left band", "", True), (2, "texture", "", False)]


def test_too_few_images_are_inconclusive_and_fail_nothing() -> None:
    few = {"looked_at": 100, "screening": 40, "images": 60}
    result = judge(measured(outcome(), base=few), Thresholds())
    assert result.verdict == "inconclusive"
    assert result.needs is not None
    assert "there are 60 of 100" in result.needs
    assert not result.findings[0].gate
    none = judge(measured(classes={"all": 10, "looked_at": 0}, looked_at=0), Thresholds())
    assert (none.verdict, none.coverage) == ("inconclusive", 0)


def test_noise_is_how_likely_other_images_and_another_spread_give_another_verdict() -> None:
    assert judge(measured(outcome()), Thresholds()).noise["another_verdict"] == pytest.approx(0, abs=0.01)
    weak = judge(measured(outcome(flips=62, control_flips=4)), Thresholds())  # .31: its interval begins by the margin
    assert 0.2 < float(weak.noise["another_verdict"] or 0) < 0.8
    half = judge(measured(outcome(spread=0.5)), Thresholds())
    assert half.noise["another_verdict"] == pytest.approx(0.5, abs=0.1)
    feature = judge(measured(outcome(spread=0.1)), Thresholds())
    assert feature.verdict == "pass"
    assert feature.noise["another_verdict"] == pytest.approx(0, abs=0.01)
    everything = judge(measured(outcome(spread=0.1)), Thresholds(gate="all"))
    assert everything.noise["another_verdict"] == pytest.approx(0, abs=0.01)
    assert judge(measured(), Thresholds()).noise["another_verdict"] is None
