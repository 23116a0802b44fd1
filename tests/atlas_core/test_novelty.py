"""Novelty: calibrated on what it never saw, finds what was planted, and adds its parts up as it says."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binom

from atlas_core.novelty import Novelty, auroc, word
from atlas_core.pooling import Pooled
from atlas_core.spoiled import KINDS
from atlas_core.tables import pack, unpack

N, VALUES, CHANNELS = 400, 30, 12
NEW = 1_000


def pooled(count: int, seed: int, shift: float = 0.0) -> Pooled:
    """Exchangeable images; with a shift they lie beside them, in what spreads and at the end of the network."""
    rng = np.random.default_rng([11, seed])
    spread = rng.normal(size=(count, VALUES))
    spread[:, 0] += shift
    deep = rng.gamma(2.0, size=(count, CHANNELS))
    deep[:, 0] += 5 * shift
    middle = rng.uniform(size=(count, CHANNELS))
    energy = rng.normal(size=count) + shift
    return Pooled(
        spread.astype(np.float16), middle.astype(np.float16), deep.astype(np.float16), energy.astype(np.float32)
    )


def copies_of(images: Pooled, *, shift: float = 3.0) -> tuple[Pooled, NDArray[np.int64], NDArray[np.int64]]:
    """One copy of each image, moved along a direction of its kind."""
    owner = np.arange(len(images.energy))
    kinds = owner % len(KINDS)
    spread = images.spread.astype(np.float64)
    spread[owner, kinds] += shift
    return dataclasses.replace(images, spread=spread.astype(np.float16)), owner, kinds


def one(images: Pooled, row: int) -> Pooled:
    return Pooled(*(getattr(images, field.name)[row] for field in dataclasses.fields(Pooled)))


@pytest.fixture(scope="module")
def known() -> Novelty:
    images = pooled(N, 0)
    return Novelty.fit(images, *copies_of(images))


def judged(known: Novelty, images: Pooled) -> NDArray[np.float64]:
    return np.array([known.p(known.parts(one(images, row))) for row in range(len(images.energy))])


def test_new_images_like_the_atlass_are_called_strange_as_often_as_said(known: Novelty) -> None:
    found = judged(known, pooled(NEW, 1))
    for rate in (0.01, 0.05, 0.2, 0.5):
        # the images that calibrate are drawn, too: so the number is a mixture of binomials, wider than one
        deviation = np.sqrt(rate * (1 - rate) * (1 / NEW + 1 / N))
        assert abs((found <= rate).mean() - rate) < 3 * deviation
    assert known.n == N


def test_of_few_images_they_are_called_strange_as_often_as_of_many() -> None:
    """Directions found in few images are noise; a mean of several would be less noise than those that calibrate."""
    found = []
    for number in range(12):
        images = pooled(100, 20 + 2 * number)
        known = Novelty.fit(images, *copies_of(images, shift=0.0))
        found += judged(known, pooled(100, 21 + 2 * number)).tolist()
    for rate in (0.05, 0.1):
        deviation = np.sqrt(rate * (1 - rate) * (1 / 100 + 1 / 100) / 12)
        assert abs((np.array(found) <= rate).mean() - rate) < 2.6 * deviation


def test_each_part_is_calibrated_by_itself(known: Novelty) -> None:
    fresh = pooled(NEW, 2)
    parts = [known.parts(one(fresh, row)) for row in range(NEW)]
    low, high = binom.ppf([0.0005, 0.9995], NEW, 0.1) / NEW
    for name in parts[0]:
        share = np.mean([part[name] <= 0.1 for part in parts])
        assert low - 0.04 < share < high + 0.04, name


def test_members_would_have_been_too_lenient_a_measure() -> None:
    """Without leaving images out of their own neighbours, everything new would be strange."""
    images = pooled(N, 0)
    known = Novelty.fit(images, *copies_of(images))
    again = np.array([known.parts(one(images, row))["neighbours"] for row in range(N)])
    assert np.median(again) > 0.85  # of new ones .5


def test_what_was_planted_is_found(known: Novelty) -> None:
    ordinary, strange = judged(known, pooled(200, 3)), judged(known, pooled(200, 4, shift=3.0))
    assert auroc(-ordinary, -strange) > 0.97
    assert np.median(strange) < 0.02
    turned, _, _ = copies_of(pooled(200, 5))
    parts = [known.parts(one(turned, row)) for row in range(200)]
    assert np.median([part["spoiled"] for part in parts]) < 0.05
    assert np.median([part["texture"] for part in parts]) > 0.3
    assert (known.seen > 0.7).all()


def test_p_values_are_what_the_formula_says() -> None:
    base = Novelty(
        deep=np.array([[1, 0], [0, 1], [0.6, 0.8]], np.float32), middle=np.array([[0, 0], [2, 0], [4, 0]], np.float32),
        scale=np.array([0.5, 1], np.float32), weights=np.zeros((2, 1), np.float32),
        offset=np.zeros(1, np.float32), neighbours=np.array([0.1, 0.2, 0.3]), texture=np.array([1.0, 2.0, 3.0]),
        energy=np.array([-3.0, -2.0, -1.0]), spoiled=np.array([-1.0, 0.0, 1.0]),
        sums=np.array([1.0, 2.0, 3.0]), seen=np.full(len(KINDS), np.nan),
    )  # fmt: skip
    image = Pooled(
        np.zeros(2, np.float16), np.array([1, 0], np.float16), np.array([3, 0], np.float16),
        np.array(-1.5, np.float32),
    )  # fmt: skip
    # neighbours: two of three by cosine, 0 and .4, mean .2; texture: 2 from 0, 0 from 2 and 2 from 4, mean 1
    assert base.parts(image) == {"neighbours": 3 / 4, "texture": 4 / 4, "energy": 2 / 4, "spoiled": 3 / 4}
    total = -np.log(3 / 4) - np.log(2 / 4) - 2 * np.log(3 / 4)  # 1.556
    assert 1 < total < 2
    assert base.p(base.parts(image)) == 3 / 4
    assert base.p(dict.fromkeys(base.parts(image), 1e-3)) == 1 / 4


def test_an_image_is_judged_by_itself_and_the_same_after_storing(known: Novelty) -> None:
    fresh = pooled(5, 6)
    alone = [known.told(one(fresh, row)) for row in range(5)]
    stored = Novelty.from_table(unpack(pack(known.to_table())))
    assert [stored.told(one(fresh, row)) for row in reversed(range(5))] == alone[::-1]
    assert set(alone[0]) == {"novelty_p", "word", "n", "parts", "blind_spots"}


def test_what_it_does_not_see_is_said() -> None:
    images = pooled(N, 0)
    blind = Novelty.fit(images, *copies_of(images, shift=0.0))
    spots = blind.blind_spots()
    assert len(spots) == len(KINDS) + 1
    assert spots[3].startswith("images inverted: of its own images' copies it tells ")
    assert "prediction is right" in spots[-1]


def test_words() -> None:
    assert [word(p) for p in (1, 0.051, 0.05, 0.011, 0.01, 0.002)] == [
        "ordinary", "ordinary", "rare", "rare", "unseen", "unseen",
    ]  # fmt: skip


def test_auroc_counts_ties_half() -> None:
    assert auroc(np.array([1.0, 2.0]), np.array([2.0, 3.0])) == 7 / 8
    assert np.isnan(auroc(np.array([1.0]), np.array([])))
