"""What a patch test says: flips by place with intervals, ranks, and a verdict beside the controls."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from atlas_core.audit.flips import columns, described, percent, pooled, verdict


def measured(flipped: list[list[int]], gain: float = 1.0, places: int = 4) -> dict[str, Any]:
    """A patch at one size: by place, whether each base image flipped."""
    hit = np.array([flipped], bool)
    return {"flipped": hit, "gain": np.full(hit.shape, gain), "probability": hit * 0.9 + 0.05, "own": 1 - hit * 0.9,
            "mean_gain": np.array([[0.5, gain, -1.0]])}  # fmt: skip


COMMON: dict[str, Any] = {"sizes": [0.25], "pixels": [8], "seed": 0}


def test_fixed_is_the_top_left_and_corners_the_best_of_the_four() -> None:
    found = columns(measured([[1, 0, 0], [0, 1, 0], [0, 0, 0], [0, 0, 0], [0, 0, 1]]), 0)
    assert {name: values.tolist() for name, values in found.items()} == {
        "fixed": [True, False, False], "corners": [True, True, False], "random": [False, False, True],
    }  # fmt: skip
    assert "random" not in columns(measured([[1, 0, 0]] * 4), 0)


def test_a_patch_is_described_with_its_intervals_and_the_rank_of_its_gain() -> None:
    told = described(measured([[1] * 40 + [0] * 60, *[[0] * 100] * 3], gain=2.0), [], 1, **COMMON)
    (size,) = told["sizes"]
    assert size["fixed"] == {"hits": 40, "n": 100, "share": 0.4, "interval": [0.3094, 0.498]}  # Wilson's
    assert (size["gain"], size["gain_interval"], size["gain_rank"]) == (2.0, [2.0, 2.0], 1)
    assert size["probability"]["fixed"] == pytest.approx(0.41)
    assert described(measured([[0] * 10] * 4, gain=0.1), [], 1, **COMMON)["sizes"][0]["gain_rank"] == 2


def test_rivals_give_the_gain_a_p() -> None:
    rivals = [[gain, 1] for gain in (0.5, 0.9, 2.0, 0.1)]
    assert described(measured([[0] * 10] * 4), rivals, 1, **COMMON)["rivals"] == {"n": 4, "higher": 1, "p": 0.4}


def test_all_together_an_image_counts_once_for_its_interval() -> None:
    half = measured([[1] * 50 + [0] * 50] * 4)
    (one,) = pooled([half], **COMMON)
    (many,) = pooled([half] * 20, **COMMON)
    assert many["corners"]["n"] == 2000
    assert many["corners"]["share"] == 0.5
    width = [told["corners"]["interval"][1] - told["corners"]["interval"][0] for told in (one, many)]
    assert width[1] == pytest.approx(width[0], rel=0.2)  # the same hundred images, however many patches


@pytest.mark.parametrize(
    ("bases", "images", "control", "expected", "needs"),
    [
        (100, 50, 0.1, "flips", None),
        (100, 50, 0.5, "no flips", None),
        (60, 50, 0.1, "inconclusive", "100 recognised base images or more; there are 60"),
        (100, 1, 0.1, "inconclusive", "10 pictures or more that the model takes for the target"),
    ],
)
def test_the_verdict_is_beside_the_controls(
    bases: int, images: int, control: float, expected: str, needs: str | None
) -> None:
    own = pooled([measured([[1] * (bases // 2) + [0] * (bases - bases // 2)] * 4)], **COMMON)
    hits = int(bases * control)
    beside = described(measured([[1] * hits + [0] * (bases - hits)] * 4), [], 1, **COMMON)
    found, reason, needed = verdict(own, {"crops": beside}, bases, images)
    assert found == expected
    assert reason == (f"patches of 25 % of the picture's side flip 50 % of {bases} images in the best corner; "
                      f"random crops of the target {100 * hits / bases:g} %")  # fmt: skip
    assert (needed is None) if needs is None else needs in str(needed)


def test_the_best_of_many_sizes_has_to_be_surer_than_the_only_one() -> None:
    """41 of 100 flip and 21 of a control's: sure at 95 % each, but not where four other sizes were tried as well."""
    patch, control = (measured([[1] * hits + [0] * (100 - hits)] * 4) for hits in (41, 21))
    assert verdict(pooled([patch], **COMMON), {"crops": described(control, [], 1, **COMMON)}, 100, 50)[0] == "flips"
    five: dict[str, Any] = {"sizes": [0.1, 0.2, 0.3, 0.4, 0.5], "pixels": [4, 8, 12, 16, 20], "seed": 0}
    none = measured([[0] * 100] * 4)
    patch, control = (
        {name: np.concatenate([one[name], *[none[name]] * 4]) for name in one} for one in (patch, control)
    )
    found = pooled([patch], **five)
    assert found[0]["judged"][0] < found[0]["corners"]["interval"][0]
    judged, reason, _ = verdict(found, {"crops": described(control, [], 1, **five)}, 100, 50)
    assert judged == "no flips"
    assert reason.startswith(
        "patches of 10 % of the picture's side, the one of 5 sizes at which they flip most, flip 41 %"
    )


TWO: dict[str, Any] = {"sizes": [0.25, 0.4], "pixels": [8, 13], "seed": 0}


def at_sizes(*hits: int) -> dict[str, Any]:
    """A patch, or a control, that flips so many of 200 images at each size."""
    parts = [measured([[1] * some + [0] * (200 - some)] * 4) for some in hits]
    return {name: np.concatenate([one[name] for one in parts]) for name in parts[0]}


def test_a_verdict_of_no_flips_speaks_of_the_size_at_which_most_flip() -> None:
    """Sand on pans: hardly any at the small size; many at the large one, but crops do that too."""
    every = pooled([at_sizes(0, 62), at_sizes(1, 90), at_sizes(2, 97)], **TWO)
    controls = {
        name: described(at_sizes(*hits), [], 1, **TWO) for name, hits in (("crops", (2, 74)), ("noise", (3, 6)))
    }
    judged, reason, _ = verdict(every, controls, 200, 50)
    assert judged == "no flips"
    assert reason == ("patches of 40 % of the picture's side, the one of 2 sizes at which they flip most, flip 41.5 % "
                      "of 200 images in the best corner; random crops of the target 37 %, noise 3 %")  # fmt: skip


def test_a_verdict_of_flips_speaks_of_the_size_that_proves_it() -> None:
    """At the large size more flip, but there crops flip as many."""
    controls = {"crops": described(at_sizes(2, 150), [], 1, **TWO)}
    judged, reason, _ = verdict(pooled([at_sizes(90, 160)], **TWO), controls, 200, 50)
    assert judged == "flips"
    assert reason == ("patches of 25 % of the picture's side, the one of 2 sizes at which they flip most beyond "
                      "controls, flip 45 % of 200 images in the best corner; random crops of the target "
                      "1 %")  # fmt: skip


@pytest.mark.parametrize(
    ("share", "told"),
    [(0, "0 %"), (0.25, "25 %"), (0.1225, "12.3 %"), (0.4065, "40.7 %"), (0.003401, "0.3 %"), (1, "100 %")],
)
def test_shares_are_told_to_a_tenth(share: float, told: str) -> None:
    assert percent(share) == told


def test_nothing_pasted_is_inconclusive() -> None:
    assert verdict(pooled([], **COMMON), {}, 0, 0)[0] == "inconclusive"
