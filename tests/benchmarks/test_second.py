"""The second network and the halves it is kept honest by."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from atlas_core.whitening import Moments, Whitening
from benchmarks.rendering.halves import cells_by_halves, halve, nearest_others, shrunk_inverse
from benchmarks.rendering.prepare import cut
from benchmarks.rendering.second import Judge, agreement, judged_cells, train_judge, trained_judge

if TYPE_CHECKING:
    from atlas_core.tables import Table

PLAIN = Whitening(np.zeros(2, np.float32), np.eye(2, dtype=np.float32), 1.0)


def test_agreement_is_the_rank_of_the_own_cell() -> None:
    means = np.array([[1, 0], [1, 1], [0, 1], [-1, 0]], np.float32)
    seen = np.array([[1, 0.1], [1, 0.1], [1, 0.1]], np.float32)
    assert agreement(seen, means, PLAIN, np.array([0, 1, 3])).tolist() == [0, 1 / 3, 1]
    assert agreement(np.zeros((1, 2), np.float32), means, PLAIN, np.array([2])).tolist() == [0.5]  # sees nothing


def test_images_are_halved_and_no_image_is_in_both() -> None:
    names = [f"{index}.jpg" for index in range(101)]
    first = halve(names, seed=0)
    assert first.sum() == 51
    assert (halve(names, seed=1) != first).any()
    generator = np.random.default_rng(0)
    samples: Table = {
        "activations": generator.random((2020, 6)).astype(np.float16), "image": np.repeat(np.arange(101), 20),
    }  # fmt: skip
    layout = generator.random((2020, 2)).astype(np.float32)
    halves = cells_by_halves(samples, layout, first, side=4)
    assert not set(samples["image"][halves.first]) & set(samples["image"][halves.second])
    assert len(halves.kept) == 16
    inside = halves.first[
        (np.floor(layout[halves.first] * 4) == [0, 3]).all(axis=1)  # the top left corner: column 0, y up
    ]
    corner = int(np.flatnonzero((halves.level.column == 0) & (halves.level.row == 0))[0])
    expected = samples["activations"][inside].astype(np.float64).mean(axis=0)
    np.testing.assert_allclose(halves.level.mean[corner], expected, rtol=1e-5)
    shown = nearest_others(samples, halves, 0)
    assert len(shown) == len(set(samples["image"][shown].tolist())) == 9
    assert not first[samples["image"][shown]].any()
    assert (np.floor(layout[shown] * 4) == [0, 3]).all()


def test_inverse_is_of_the_uncentred_second_moment_and_takes_a_dead_channel() -> None:
    moments = Moments(2)
    moments.add(np.array([[2.0, 0], [4.0, 0]]))
    second, ridge = 10.0, 0.02 * 5
    np.testing.assert_allclose(shrunk_inverse(moments), [[1 / (second + ridge), 0], [0, 1 / ridge]], rtol=1e-6)


def test_a_patch_is_centred_on_its_place_and_reflected_at_borders() -> None:
    pixels = np.arange(36, dtype=np.uint8).reshape(6, 6, 1)
    assert cut(pixels, np.array([2.0, 3.0]), 2)[:, :, 0].tolist() == [[8, 9], [14, 15]]
    assert cut(pixels, np.array([0.0, 1.0]), 2)[:, :, 0].tolist() == [[0, 1], [0, 1]]


class _Blocks(nn.Module):
    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return nn.functional.avg_pool2d(pixels, 4)


def test_the_second_network_is_read_at_the_place_of_the_sample() -> None:
    judge = Judge("blocks", _Blocks())
    pixels = np.zeros((8, 8, 3), np.uint8)
    pixels[:4, 4:] = [255, 0, 51]
    read = judge.at(pixels, np.array([[1.0, 6.0], [6.0, 1.0]]))
    np.testing.assert_allclose(read, np.array([[1.0, 0.0, 0.2], [0.0, 0.0, 0.0]]), atol=1e-6)
    others = 255 - pixels
    centres = np.array([[1.0, 6.0], [6.0, 1.0]])
    pictures = [(pixels, centres, np.array([0, 1])), (others, centres, np.array([0, -1]))]
    means, _ = judged_cells(pictures, judge, 2)
    np.testing.assert_allclose(means, np.array([[0.5, 0.5, 0.5], [0.0, 0.0, 0.0]]), atol=1e-6)
    np.testing.assert_allclose(judge.see(others[None]), np.array([[0.75, 1.0, 0.95]]), atol=1e-6)


def test_a_second_network_is_trained_once_and_learns(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 2, 1000)
    pixels = generator.integers(0, 80, (1000, 8, 8, 3), dtype=np.uint8)
    pixels[labels == 1, :, :, 0] += 120
    train_judge(tmp_path, pixels, labels, epochs=6)
    judge = trained_judge(tmp_path)
    assert "100% of held-out" in judge.name
    assert judge.see(pixels[:3]).shape == (3, 48)
    assert not any(part.requires_grad for part in judge.trunk.parameters())
