"""Sampling: literal positions, and independence of everything that must not matter."""

from __future__ import annotations

import numpy as np
import pytest

from atlas_core.cards import InputCard, LayerInfo, ReceptiveField
from atlas_core.errors import SpecError
from atlas_core.sampling import (
    Caps,
    allocation,
    capacity,
    capped_images,
    centres,
    points,
    positions,
    sampled_images,
)

INPUT = InputCard(channels=1, height=40, width=80, mean=[0], std=[1])


def layer(rows: int, columns: int, jump: float, start: float) -> LayerInfo:
    field = ReceptiveField(size=(9, 9), jump=(jump, jump), start=(start, start))
    return LayerInfo(name="toy", shape=(3, rows, columns), receptive_field=field)


def test_points_depend_on_seed_and_image_alone() -> None:
    first = points(7, "a/1.png", 5)

    assert first.shape == (5, 2)
    assert np.array_equal(points(7, "a/1.png", 2), first[:2])
    assert not np.array_equal(points(8, "a/1.png", 5), first)
    assert not np.array_equal(points(7, "a/2.png", 5), first)
    assert first[0].tolist() == pytest.approx([0.19784310795523163, 0.4928517987403742])


def test_points_fill_the_square() -> None:
    cloud = np.concatenate([points(0, f"{image}", 20) for image in range(200)])

    assert cloud.min() >= 0
    assert cloud.max() < 1
    assert cloud.mean(axis=0) == pytest.approx([0.5, 0.5], abs=0.02)


def test_samples_are_shared_evenly_and_the_rest_goes_by_hash() -> None:
    images = [f"{number}.png" for number in range(7)]
    counts = allocation(images, 16, seed=3)

    assert counts.sum() == 16
    assert sorted(counts.tolist()) == [2, 2, 2, 2, 2, 3, 3]
    assert allocation(images[::-1], 16, seed=3).tolist() == counts[::-1].tolist()
    assert {tuple(allocation(images, 16, seed).tolist()) for seed in range(8)} != {tuple(counts.tolist())}


@pytest.mark.parametrize(("images", "samples"), [(3, 1000), (500, 20_000), (1000, 1001), (1000, 20)])
def test_no_image_owns_more_than_its_share(images: int, samples: int) -> None:
    counts = allocation([str(number) for number in range(images)], samples, seed=0)
    owners = np.count_nonzero(counts)

    assert counts.max() / samples <= max(0.01, 2 / owners)


def test_nothing_cannot_be_shared() -> None:
    with pytest.raises(SpecError):
        allocation([], 10, seed=0)
    with pytest.raises(SpecError):
        allocation(["a"], 0, seed=0)


def test_the_nearest_interior_position_is_taken() -> None:
    # rows at 4, 12, 20, 28, 36 of 40; columns at 4, 12, ..., 76 of 80; interior rows 1..3, columns 1..8
    where = np.array([[0.5, 0.5], [0.0, 0.0], [0.999, 0.999], [15.9 / 80, 23.9 / 40], [16.1 / 80, 24.1 / 40]])

    found = positions(where, layer(5, 10, jump=8, start=4), INPUT)

    assert found.row.tolist() == [2, 1, 3, 2, 3]
    assert found.column.tolist() == [5, 1, 8, 1, 2]
    assert found.times.tolist() == [1, 1, 1, 1, 1]
    assert found.point.tolist() == [0, 1, 2, 3, 4]
    assert found.row.dtype == np.int16


def test_doubles_are_kept_once_and_counted() -> None:
    where = np.array([[0.9, 0.9], [0.1, 0.1], [0.91, 0.91], [0.9, 0.9]])

    found = positions(where, layer(6, 6, jump=8, start=4), INPUT)

    assert found.times.tolist() == [3, 1]
    assert found.point.tolist() == [0, 1]
    assert found.row.tolist() == [4, 1]
    assert found.column.tolist() == [4, 1]


def test_a_layer_takes_a_quarter_of_its_interior() -> None:
    assert capacity(layer(6, 6, jump=8, start=4)) == 4
    assert capacity(layer(10, 5, jump=8, start=4)) == 6
    assert capacity(layer(3, 3, jump=8, start=4)) == 1
    assert capacity(layer(1, 1, jump=1, start=0)) == 1
    found = positions(points(0, "a", 50), layer(6, 6, jump=8, start=4), INPUT)
    assert found.times.sum() == 4


def test_a_grid_without_interior_uses_all_of_it() -> None:
    found = positions(np.array([[0.9, 0.1]]), layer(2, 2, jump=20, start=10), INPUT)

    assert (found.row.tolist(), found.column.tolist()) == ([0], [1])


def test_layers_without_a_receptive_field_cover_the_input_evenly() -> None:
    tokens = LayerInfo(name="tokens", shape=(3, 4, 8))
    found = positions(np.array([[0.3, 0.3]]), tokens, INPUT)

    assert (found.row.tolist(), found.column.tolist()) == ([1], [2])
    assert centres(found.row, found.column, tokens, INPUT).tolist() == [[15, 25]]


def test_centres_follow_start_and_jump() -> None:
    rows, columns = np.array([0, 3], np.int16), np.array([2, 1], np.int16)

    assert centres(rows, columns, layer(6, 6, jump=8, start=4), INPUT).tolist() == [[4, 20], [28, 12]]


def test_twins_lie_at_the_same_place_in_every_layer() -> None:
    where = points(1, "twin.png", 4)
    coarse, fine = layer(8, 16, jump=5, start=2.5), layer(40, 80, jump=1, start=0.5)
    first, second = positions(where, coarse, INPUT), positions(where, fine, INPUT)

    near = (
        centres(first.row, first.column, coarse, INPUT) - centres(second.row, second.column, fine, INPUT)[first.point]
    )
    assert np.abs(near).max() <= 7.5  # half a coarse step, and one more at the border that is left out


def test_caps_take_the_first_by_hashed_id() -> None:
    images = [f"{number}.png" for number in range(10)]
    labels = np.array([0] * 6 + [1] * 3 + [-1], dtype=np.int32)

    assert sampled_images(images, labels, 3).tolist() == list(range(10))
    assert sampled_images(images, labels, 3, Caps(images=4)).tolist() == [2, 3, 5, 6]
    assert sampled_images(images, labels, 3, Caps(images_per_class=2)).tolist() == [3, 5, 6, 7, 9]
    assert len(sampled_images(images, labels, 3, Caps(4, 2))) == capped_images(10, {"a": 6, "b": 3}, Caps(4, 2)) == 4
    assert capped_images(10, {"a": 6, "b": 3}, Caps(images_per_class=2)) == 5


def test_a_cap_a_class_needs_classes() -> None:
    with pytest.raises(SpecError, match="no labels") as caught:
        capped_images(10, None, Caps(images_per_class=2))
    assert caught.value.pointer == "/images_per_class"
