from __future__ import annotations

from collections import Counter
from math import log2
from typing import TYPE_CHECKING

import numpy as np
import pytest

from atlas_core.errors import InputError
from atlas_core.placenames import RANKS, PlaceName, Rank, Terms, place_names, pointwise, said_by
from atlas_core.search import NONE, SampleTable

if TYPE_CHECKING:
    from numpy.typing import NDArray

NAMES = ("heron", "tractor", "teapot")
WIDE = Rank("wide", 12)


def named(points: list[tuple[float, float]], said: list[list[int]], names: tuple[str, ...] = NAMES,
          images: NDArray[np.int64] | None = None) -> list[PlaceName]:  # fmt: skip
    """Names of groups of samples from left to right, each group at a point, each sample of an image of its own."""
    layout = np.concatenate([np.full((len(some), 2), point) for point, some in zip(points, said, strict=True)])
    flat = np.array([one for some in said for one in some])[:, None]
    images = np.arange(len(flat)) if images is None else images
    return sorted(place_names(layout.astype(np.float32), images, flat, names, WIDE), key=lambda one: one.x)


def test_pointwise_mutual_information_of_two_regions() -> None:
    counts = np.array([[3, 1, 0], [1, 3, 4]], np.float32)
    bits = pointwise(counts, np.array([4, 8]), np.array([4 / 12, 4 / 12, 4 / 12]))
    np.testing.assert_allclose(bits[0, :2], [log2(2.25), log2(0.75)], rtol=1e-6)
    np.testing.assert_allclose(bits[1], [log2(0.375), log2(1.125), log2(1.5)], rtol=1e-6)
    assert bits[0, 2] == -np.inf


def test_a_region_is_called_what_is_said_there_more_than_elsewhere() -> None:
    low, high = named([(0.125, 0.125), (0.875, 0.625)], [[0] * 15 + [1] * 5, [1] * 15 + [0] * 5])
    assert (low.text, low.classes, low.samples, low.images, low.share) == ("heron", (0,), 15, 15, 0.75)
    assert (low.x, low.y) == (0.125, 0.125)
    assert low.bits == pytest.approx(log2(1.5))
    assert (high.text, high.x, high.y) == ("tractor", 0.875, 0.625)


def test_what_is_said_everywhere_names_nothing() -> None:
    assert named([(0.1, 0.1), (0.9, 0.9)], [[0] * 10 + [1] * 10, [0] * 10 + [1] * 10]) == []
    assert named([(0.1, 0.1)], [[-1] * 20]) == []


def test_a_frequent_name_goes_before_a_rarer_one_of_more_bits() -> None:
    # Herons: 30 of 36 here, 40 of 72 everywhere, log2(1.5) bits, 30 times. Teapots: all six are here, 1 bit, 6 times.
    place, _ = named([(0.1, 0.1), (0.9, 0.9)], [[2] * 6 + [0] * 30, [0] * 10 + [1] * 26])
    assert place.text == "heron"
    assert place.bits == pytest.approx(log2(1.5))


FOXES = ("red fox, Vulpes vulpes", "grey fox", "lorry")


def test_several_classes_are_called_by_the_word_they_end_with() -> None:
    fox, lorry = named([(0.1, 0.1), (0.9, 0.9)], [[0] * 6 + [1] * 6, [2] * 12], FOXES)
    # A fox is certain here, half of all elsewhere: 1 bit, twelve times; either kind has 1 bit only six times.
    assert (fox.text, fox.classes, fox.samples, fox.share, fox.bits) == ("fox", (0, 1), 12, 1, 1)
    assert (lorry.text, lorry.classes) == ("lorry", (2,))


def test_one_class_alone_keeps_its_own_name() -> None:
    red, _ = named([(0.1, 0.1), (0.9, 0.9)], [[0] * 12, [1] * 5 + [2] * 7], FOXES)
    assert (red.text, red.classes) == ("red fox", (0,))


def test_terms_count_their_classes() -> None:
    terms = Terms(["red fox", "grey fox", "lorry", "crane", "crane"])
    assert terms.texts == ["red fox", "grey fox", "lorry", "crane", "crane", "fox"]
    assert terms.counted(np.array([[1, 2, 4, 8, 16]], np.float32)).tolist() == [[1, 2, 4, 8, 16, 3]]


def test_one_image_names_no_region() -> None:
    said = [[0] * 20, [1] * 20]
    images = np.concatenate([np.zeros(20, np.int64), np.arange(1, 21)])
    (only,) = named([(0.1, 0.1), (0.9, 0.9)], said, images=images)
    assert only.text == "tractor"


def test_labels_and_classes_count_alike() -> None:
    said = np.array([[0, 0]] * 6 + [[0, -1]] * 6 + [[2, 2]] * 12)
    layout = np.array([[0.1, 0.1]] * 12 + [[0.9, 0.9]] * 12, np.float32)
    heron, teapot = place_names(layout, np.arange(24), said, NAMES, WIDE)
    assert (teapot.text, teapot.share, teapot.samples) == ("teapot", 1, 12)
    assert (heron.text, heron.share, heron.samples) == ("heron", 1, 12)


def test_what_one_source_alone_says_is_no_name() -> None:
    # Left half: labels are a mixture as everywhere, all samples add most to herons. Right: both say tractor.
    mixed, sure = np.array([[0, 0], [1, 0], [2, 0]] * 6), np.array([[1, 1]] * 15 + [[0, 1]] * 3)
    layout = np.array([[0.1, 0.1]] * 18 + [[0.9, 0.9]] * 18, np.float32)
    found = place_names(layout, np.arange(36), np.concatenate([mixed, sure]), NAMES, WIDE)
    assert [one.text for one in found] == ["tractor"]
    alone = place_names(layout, np.arange(36), np.concatenate([mixed, sure])[:, 1:], NAMES, WIDE)
    assert {one.text for one in alone} == {"heron", "tractor"}


def test_a_source_that_is_silent_in_a_region_does_not_object() -> None:
    said = np.array([[0, NONE]] * 12 + [[2, 2]] * 12 + [[1, 1]] * 12)
    layout = np.array([[0.1, 0.1]] * 12 + [[0.9, 0.9]] * 12 + [[0.1, 0.9]] * 12, np.float32)
    found = place_names(layout, np.arange(36), said, NAMES, WIDE)
    assert {one.text for one in found} == {"heron", "teapot", "tractor"}


def test_a_source_must_say_so_oftener_than_chance_would() -> None:
    # 16 of 80 say heron on the whole map, 3.2 of 16 by chance, with a standard deviation of 1.6: 7 are enough, 6 not.
    for herons, named_so in ((7, True), (6, False)):
        here, there = [0] * herons + [1] * (16 - herons), [0] * (16 - herons) + [1] * (48 + herons)
        layout = np.array([[0.1, 0.1]] * 16 + [[0.9, 0.9]] * 64, np.float32)
        found = place_names(layout, np.arange(80), np.array([*here, *there])[:, None], NAMES, WIDE)
        assert ("heron" in {one.text for one in found}) == named_so


@pytest.mark.parametrize("seed", range(3))
def test_named_regions_are_those_of_a_plain_count(seed: int) -> None:
    random = np.random.default_rng(seed)
    layout = random.random((600, 2)).astype(np.float32)
    said = np.where(random.random(600) < 0.6, (layout[:, 0] * 3).astype(int), random.integers(0, 3, 600))
    rank = Rank("any", 9)
    bins = np.minimum((layout * 9).astype(int), 8)
    whole = Counter(said.tolist())
    best = 0.0
    for column, row in np.ndindex(9, 9):
        inside = (np.abs(bins - (column, row)) <= 1).all(axis=1)
        here = Counter(said[inside].tolist())
        best = max([best, *(n * log2(n / inside.sum() / (whole[one] / 600)) for one, n in here.items())])
    found = place_names(layout, np.arange(600), said[:, None], NAMES, rank)
    assert found[0].samples * found[0].bits == pytest.approx(best, rel=1e-5)
    for one in found:
        near = (np.abs(layout - (one.x, one.y)) < 2 * rank.width).all(axis=1)
        assert (said[near] == one.classes[0]).sum() >= one.samples
    centres = np.array([(one.x, one.y) for one in found])
    for text in NAMES:  # regions of the same name do not crowd
        same = centres[[one.text == text for one in found]]
        far = np.abs(same[:, None] - same[None]).max(axis=2)[~np.eye(len(same), dtype=bool)]
        assert (far > rank.width).all()


def test_lower_ranks_name_smaller_regions() -> None:
    assert [rank.name for rank in RANKS] == ["country", "province", "town"]
    assert [rank.width for rank in RANKS] == pytest.approx([0.25, 0.1, 0.04])
    random = np.random.default_rng(1)
    layout = random.random((4000, 2)).astype(np.float32)
    quarter = (layout[:, 0] > 0.5) + 2 * (layout[:, 1] > 0.5).astype(int)
    counts = [len(place_names(layout, np.arange(4000), quarter[:, None], ("a", "b", "c", "d"), rank)) for rank in RANKS]
    assert counts[0] < counts[1] < counts[2]


def table(label: int, predicted: int) -> SampleTable:
    """Three samples, of which the first lies last along the curve."""
    layout = np.array([[0.9, 0.9], [0.1, 0.1], [0.2, 0.1]], np.float32)
    columns = {"image": [5, 6, 7], "row": [0, 0, 0], "column": [0, 0, 0],
               "label": [label, label, label], "predicted": [predicted, predicted, predicted]}  # fmt: skip
    return SampleTable.build(layout, {name: np.array(values) for name, values in columns.items()}, np.array([3]))


def test_samples_say_their_label_and_the_class_they_add_most_to() -> None:
    strongest = np.array([7, 8, 9], np.int32)
    assert said_by(table(2, 1), strongest).tolist() == [[2, 8], [2, 9], [2, 7]]
    assert said_by(table(NONE, 1), strongest).tolist() == [[8], [9], [7]]


def test_without_attribution_samples_say_what_their_image_is_taken_for() -> None:
    assert said_by(table(2, 1), None).tolist() == [[2, 1]] * 3
    assert said_by(table(2, NONE), None).tolist() == [[2]] * 3
    with pytest.raises(InputError, match="no labels, and the network tells no classes"):
        said_by(table(NONE, NONE), None)
