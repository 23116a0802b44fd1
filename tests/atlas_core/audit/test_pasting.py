"""Pasting: what is drawn by chance is a function of its name, and batches do not show in what a network says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from torch import nn

from atlas_core.audit import pasting
from atlas_core.audit.pasting import (
    Passes,
    Pastes,
    at_random,
    chance,
    corners,
    crop,
    image_interval,
    noise_patches,
    pasted,
    random_crops,
)
from tests.atlas_core.tiny import TinyModel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


def test_chance_is_a_function_of_its_name_alone() -> None:
    first = chance("a", 1, [2, "b"]).random(4)
    assert chance("a", 1, [2, "b"]).random(4).tolist() == first.tolist()
    assert chance("a", 1, [2, "c"]).random(4).tolist() != first.tolist()


def test_no_image_is_pasted_on_more_than_twice_and_patches_take_turns() -> None:
    found = at_random(chance("x"), np.array([3, 5, 8, 9]), 3, 100, (10, 4))
    assert len(found) == 8
    assert sorted(found.base.tolist()) == [3, 3, 5, 5, 8, 8, 9, 9]
    assert found.patch.tolist() == [0, 1, 2, 0, 1, 2, 0, 1]
    assert (found.top >= 0).all()
    assert found.top.max() <= 10
    assert found.left.max() <= 4
    fewer = at_random(chance("x"), np.array([3, 5, 8, 9]), 3, 3, (10, 4))
    assert len(set(fewer.base.tolist())) == 3  # not twice while others are free


def test_a_patch_covers_its_place_and_nothing_else() -> None:
    pictures = np.zeros((2, 4, 5, 3), np.uint8)
    patch = np.full((2, 3, 3), 9, np.uint8)
    made = pasted(pictures, [patch], Pastes(*(np.array([value]) for value in (1, 0, 2, 2))))
    assert made.shape == (1, 4, 5, 3)
    assert made[0, 2:, 2:].min() == 9
    assert made.sum() == 9 * 2 * 3 * 3
    assert pictures.sum() == 0  # the base image stays as it is


def test_corners_are_those_of_the_picture() -> None:
    assert corners((3, 5)).tolist() == [[0, 0], [0, 5], [3, 0], [3, 5]]


def test_a_crop_is_moved_inside_at_a_border() -> None:
    picture = np.arange(8 * 8).reshape(8, 8, 1).astype(np.uint8)
    assert crop(picture, (4, 4), 2, 2)[..., 0].tolist() == [[27, 28], [35, 36]]
    assert crop(picture, (0, 7.9), 4, 2)[..., 0].tolist() == picture[:4, 6:, 0].tolist()


def test_random_crops_take_turns_with_pictures() -> None:
    pictures = [np.full((6, 6, 1), value, np.uint8) for value in (1, 2, 3)]
    found = random_crops(chance("c"), pictures, 6, 2, 3)
    assert [one.shape for one in found] == [(2, 3, 1)] * 6
    assert sorted(int(one[0, 0, 0]) for one in found) == [1, 1, 2, 2, 3, 3]
    assert noise_patches(chance("n"), 2, 3, 4, 3).shape == (2, 3, 4, 3)


class Sum(nn.Module):
    """Logits: the sum of red, and of the rest."""

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        red = pixels[:, :1].sum((2, 3))
        return torch.cat([red, pixels[:, 1:].sum((1, 2, 3))[:, None]], 1)


def test_logits_are_of_the_pasted_pictures_and_batches_all_of_one_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pasting, "LARGEST_BATCH", 4)
    model = TinyModel(Sum(), (3, 8, 8))
    sizes: list[int] = []
    run = model.activations

    def counted(pixels: NDArray[np.float32], layers: Sequence[str], *, logits: bool) -> Any:
        sizes.append(len(pixels))
        return run(pixels, layers, logits=logits)

    monkeypatch.setattr(model, "activations", counted)
    told: list[tuple[int, int]] = []
    passes = Passes(model, lambda done, total: told.append((done, total)))
    pictures = np.zeros((3, 8, 8, 3), np.uint8)
    patch = np.zeros((2, 2, 3), np.uint8)
    patch[..., 0] = 255
    made = at_random(chance("x"), np.arange(3), 1, 6, (6, 6))
    logits = passes.logits(pictures, [patch], made)
    np.testing.assert_allclose(logits, [[4.0, 0.0]] * 6)  # four red pixels
    assert sizes == [4, 4]  # the last is filled up
    assert told == [(4, 6), (6, 6)]
    assert passes.done == 6
    passes.expected = 12  # this call and the one before are all that is to come
    passes.logits(pictures, [patch], made)
    assert told[2:] == [(10, 12), (12, 12)]


def test_the_interval_is_of_images_not_of_pastes() -> None:
    rng = np.random.default_rng(0)
    means = rng.normal(0, 1, 50)
    images = np.repeat(np.arange(50), 20)
    low, high = image_interval(means[images], images, chance("i"))
    assert low < means.mean() < high
    assert (high - low) / 2 == pytest.approx(1.96 * means.std() / 50**0.5, rel=0.25)
    alone = image_interval(means[images], np.arange(1000), chance("i"))
    assert alone[1] - alone[0] < (high - low) / 3  # as if the 1,000 pastes were worth 1,000 images
