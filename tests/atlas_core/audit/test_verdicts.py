"""The verdict on a shortcut audit: what stands out, what kind of thing it is, and when nothing can be said."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from atlas_core.audit.directions import pack_direction
from atlas_core.audit.shortcuts import Thresholds, judge

CLASSES = ["blue", "green", "red"]


def shown_by(images: int, hits: int, n: int = 100, classes: int = 2) -> dict[str, Any]:
    """Flips by crops of so many pictures of other classes, of which up to four were cut from, all alike."""
    few = min(images, 4)
    by_class = [images // classes + (one < images % classes) for one in range(classes)]
    return {
        "images": images,
        "hits": hits,
        "n": n,
        "by_class": [one for one in by_class if one],
        "others": 2,
        "each": [{"hits": hits // few, "n": n // few}] * few if few else [],
    }


def candidate(hits: int, n: int = 300, **changes: Any) -> dict[str, Any]:
    """A cell that turns so many images into red."""
    return {
        "layer": "squares", "column": 1, "row": 2, "target": 2, "size": 0, "pixels": 8, "share": 0.25, "attributed": 2,
        "strongest": 2, "hits": hits, "n": n, "bases": 150, "gain": 2.0, "gain_interval": [1.5, 2.5], "gain_rank": 1,
        "exemplars": [{"hits": hits // 8, "n": n // 8}] * 8, "shown": [],
        "strays": shown_by(9, 60), "spread": 0.3, "spread_error": 0.01, "usual_spread": 0.2, "count": 40,
        "images": 30, "labelled": 40, "own": 34, "direction": pack_direction(np.array([1.0, 2.0])), **changes,
    }  # fmt: skip


def control(target: int, hits: int, n: int = 300, **changes: Any) -> dict[str, Any]:
    return {"target": target, "size": 0, "pixels": 8, "share": 0.25, "hits": hits, "n": n, "images": 60, "bases": 150,
            **changes}  # fmt: skip


def measured(*found: dict[str, Any], **changes: Any) -> dict[str, Any]:
    controls = {f"{target} 0": control(target, 15) for target in range(3)}
    return {"tests": 400, "screened": 300, "side": 8, "layers": ["squares"], "sizes": [8], "classes": CLASSES,
            "base": {"images": 400, "screening": 120, "confirming": 240}, "passes": 20_000,
            "candidates": list(found), "controls": controls,
            "general": {"0": {"hits": [9, 9, 9], "n": [300, 300, 300]}}, **changes}  # fmt: skip


def test_a_cell_beyond_the_margin_fails_the_audit() -> None:
    weak = candidate(60, column=4, strays=shown_by(0, 0, 0))
    found = judge(measured(candidate(150), weak), Thresholds())
    assert found.verdict == "fail"
    assert found.coverage == 0.75
    (finding,) = found.findings
    assert finding.gate
    assert finding.title.startswith(
        "Pasted on pictures of other classes, pieces from cell 1-2 of squares turn 50% of them into 'red'; random"
    )
    assert finding.target is not None
    assert (finding.target.name, finding.statistics["kind"]) == ("red", "shared")
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
    still: dict[str, Any] = {"strays": shown_by(0, 0, 0), "spread": 0.0}
    assert bool(judge(measured(candidate(hits, share=share, **still)), Thresholds()).findings) is found


def test_a_cell_that_stands_out_at_two_sizes_is_one_finding() -> None:
    result = judge(measured(candidate(150), candidate(200)), Thresholds())
    assert [finding.statistics["flips"] for finding in result.findings] == [0.6667]


def test_one_lucky_exemplar_is_no_concept() -> None:
    lucky = [{"hits": 150, "n": 150}, *[{"hits": 0, "n": 21}] * 7]
    assert judge(measured(candidate(150, exemplars=lucky)), Thresholds()).findings == []


def test_all_tests_count_not_those_that_were_confirmed_alone() -> None:
    weak = candidate(24, n=60, bases=150, strays=shown_by(12, 40))
    few = measured(weak, tests=1, screened=1, controls={"2 0": control(2, 6, 60)})
    many = measured(weak, tests=4000, screened=4000, controls={"2 0": control(2, 6, 60)})
    options = Thresholds(margin=0.0, q=0.01)
    assert judge(few, options).findings
    assert not judge(many, options).findings


ALIKE = shown_by(12, 60)
FEW_STRAYS = shown_by(12, 20)
NONE = shown_by(0, 0, 0)


@pytest.mark.parametrize(
    ("hits", "changes", "kind", "found"),
    [
        (200, {"strays": ALIKE}, "shared", True),
        (115, {"strays": shown_by(12, 42)}, "shared", True),
        (200, {"strays": FEW_STRAYS}, "feature", False),
        (200, {"strays": shown_by(30, 60, classes=1)}, "feature", False),  # of one other class: these look alike
        (200, {"strays": {**shown_by(30, 60, classes=1), "others": 1}}, "shared", True),  # there is no more
        (200, {"strays": {**shown_by(30, 60), "others": 9}}, "feature", False),
        (200, {"strays": {**shown_by(30, 60, classes=3), "others": 9}}, "shared", True),
        (200, {"strays": NONE, "spread": None}, "feature", False),
        (200, {"strays": NONE, "spread": 0.02}, "fixed", True),
        (90, {"strays": NONE, "spread": 0.02}, "fixed", False),
        (200, {"strays": NONE, "spread": 0.09, "usual_spread": 0.29}, "fixed", True),
        (200, {"strays": NONE, "spread": 0.09, "usual_spread": 0.26}, "feature", False),
        (200, {"strays": NONE, "spread": 0.09, "usual_spread": None}, "fixed", True),
        (200, {"strays": NONE, "spread": 0.11, "usual_spread": 0.4}, "feature", False),
        (200, {"own": 28}, "shared", True),  # .7 of it is of the class, .55 or more for sure
        (200, {"own": 24}, "foreign", True),  # .6, and .45 or more
        (170, {"own": 24}, "foreign", False),
        (170, {"own": 4}, "foreign", False),
        (240, {"own": 4}, "foreign", True),
        (240, {"own": 4, "share": 0.4}, "foreign", False),
        (240, {"own": 0, "labelled": 0}, "foreign", True),
    ],
)
def test_kinds_and_what_each_must_do(hits: int, changes: dict[str, Any], kind: str, *, found: bool) -> None:
    result = judge(measured(candidate(hits, **changes)), Thresholds())
    (row,) = result.tables["strongest"]
    assert row["kind"] == kind
    assert (row["slack"] > 0) is (found or (kind == "feature"))
    assert [finding.gate for finding in result.findings] == [True] * found
    assert result.verdict == ("fail" if found else "pass")
    if kind == "feature":
        assert [one["class"] for one in result.tables["features"]] == ["red"]
        assert judge(measured(candidate(hits, **changes)), Thresholds(gate="all")).verdict == "fail"


def test_too_few_images_are_inconclusive_and_say_what_is_needed() -> None:
    few = {"base": {"images": 90, "screening": 20, "confirming": 40}}
    result = judge(measured(candidate(20, n=80, bases=40), **few), Thresholds())
    assert result.verdict == "inconclusive"
    assert result.needs is not None
    assert "at least 150 held-out images" in result.needs
    assert "there are 60 of 90" in result.needs
    alike = shown_by(12, 90)
    strong = judge(measured(candidate(70, n=80, bases=40, strays=alike), **few), Thresholds())
    assert [finding.gate for finding in strong.findings] == [False]
    assert strong.verdict == "inconclusive"


def test_a_class_with_one_picture_has_no_control() -> None:
    result = judge(measured(candidate(20), controls={"2 0": control(2, 10, images=1)}), Thresholds())
    assert result.verdict == "inconclusive"
    assert result.needs is not None
    assert "at least 10 pictures that the model takes for each class" in result.needs


def test_nothing_found_among_enough_images_passes_and_says_what_it_may_have_missed() -> None:
    result = judge(measured(candidate(30, strays=shown_by(0, 0, 0))), Thresholds())
    assert (result.verdict, result.findings) == ("pass", [])
    assert result.noise["another_verdict"] == 0.0
    assert result.tables["strongest"][0]["slack"] < 0
    still: dict[str, Any] = {"strays": shown_by(0, 0, 0), "spread": 0.0}
    border = judge(measured(candidate(101, **still)), Thresholds())  # .337: its interval ends where the margin does
    assert border.noise["another_verdict"] == pytest.approx(0.5, abs=0.3)
    assert 0.04 < float(border.noise["half_width"] or 0) < 0.06


@pytest.mark.parametrize(("images", "least", "most"), [(2, 0.2, 0.45), (4, 0.1, 0.5), (40, 0.0, 0.01)])
def test_noise_covers_which_pictures_are_mapped(images: int, least: float, most: float) -> None:
    """As many pictures of other classes as may show it do: of 4 expected, under 3 come 24 times in a hundred."""
    result = judge(measured(candidate(200, strays=shown_by(images, 90))), Thresholds())
    assert result.verdict == ("pass" if images < 3 else "fail")
    other = float(result.noise["another_verdict"] or 0)
    assert least <= other <= most
    (row,) = result.tables["strongest"]
    assert row["another_seed_finds_it"] == pytest.approx(other if result.verdict == "pass" else 1 - other, abs=1e-3)


def test_what_two_of_three_seeds_would_not_find_fails_nothing_and_is_told() -> None:
    """Of 3 pictures expected, of one class and of another, both are there and 3 or more less than half of the times."""
    result = judge(measured(candidate(200, strays=shown_by(3, 90))), Thresholds())
    assert (result.verdict, result.findings) == ("pass", [])
    assert [one["class"] for one in result.tables["unsure"]] == ["red"]
    assert "1 cell stands out here and with one other seed in three or more would not" in result.reason
    assert 0.4 < float(result.noise["another_verdict"] or 0) < 0.5
    twice = judge(
        measured(*[candidate(200, column=column, strays=shown_by(3, 90)) for column in range(2)]), Thresholds()
    )
    assert (twice.verdict, len(twice.findings), twice.tables["unsure"]) == ("fail", 2, [])


def test_noise_covers_which_pictures_crops_are_cut_from() -> None:
    """Half of the exemplars do nothing: others may be of one half or of the other."""
    many = shown_by(40, 80)
    alike = measured(candidate(150, own=40, strays=many, exemplars=[{"hits": 18, "n": 37}] * 8))
    apart = measured(candidate(150, own=40, strays=many, exemplars=[{"hits": 37, "n": 37}, {"hits": 0, "n": 37}] * 4))
    assert judge(alike, Thresholds()).noise["another_verdict"] == pytest.approx(0, abs=0.01)
    assert 0.1 < float(judge(apart, Thresholds()).noise["another_verdict"] or 0) < 0.5


def test_noise_covers_where_things_lie() -> None:
    still: dict[str, Any] = {"strays": shown_by(0, 0, 0), "spread": 0.099, "usual_spread": None}
    sure = judge(measured(candidate(250, **still, spread_error=0.0)), Thresholds())
    unsure = judge(measured(candidate(250, **still, spread_error=0.0015)), Thresholds())
    assert (sure.verdict, unsure.verdict) == ("fail", "fail")
    assert sure.noise["another_verdict"] == 0
    assert unsure.noise["another_verdict"] == pytest.approx(0.31, abs=0.03)


def test_a_cell_counts_once_in_the_noise_and_several_are_found_by_themselves() -> None:
    unsure: dict[str, Any] = {"strays": shown_by(5, 90)}
    one, sizes, cells = (float(judge(measured(*found), Thresholds()).noise["another_verdict"] or 0) for found in (
        [candidate(200, **unsure)], [candidate(200, **unsure), candidate(210, **unsure)],
        [candidate(200, column=column, **unsure) for column in range(3)]))  # fmt: skip
    assert sizes == pytest.approx(one, abs=0.03)
    assert cells == pytest.approx(one**3, abs=0.03)


def test_no_cell_to_test_is_inconclusive() -> None:
    result = judge(measured(tests=0, screened=0), Thresholds())
    assert (result.verdict, result.coverage) == ("inconclusive", 0)
    assert result.needs is not None
    assert "10 samples or more" in result.needs
