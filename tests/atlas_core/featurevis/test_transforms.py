import dataclasses

import numpy as np
import pytest
import torch

from atlas_core.featurevis.recipes import RECIPES
from atlas_core.featurevis.transforms import affine, move, transform_table

MEAN = torch.tensor([0.5])


def moved(
    picture: torch.Tensor, shift: tuple[float, float] = (0, 0), angle: float = 0, zoom: float = 1
) -> torch.Tensor:
    matrix = affine(np.array([shift], dtype=np.float64), np.array([angle]), np.array([zoom]), picture.shape[-1])
    return move(picture[None, None], torch.from_numpy(matrix), MEAN)[0, 0]


def test_a_shift_moves_right_and_down_and_fills_with_the_mean() -> None:
    picture = torch.arange(9.0).reshape(3, 3) / 9
    expected = torch.tensor([[0.5, 0.5, 0.5], [0.5, 0, 1 / 9], [0.5, 3 / 9, 4 / 9]])
    assert torch.allclose(moved(picture, shift=(1, 1)), expected, atol=1e-6)


def test_a_quarter_turn_and_a_zoom() -> None:
    picture = torch.tensor([[0.0, 0.2], [0.4, 0.6]])
    turned = moved(picture, angle=np.pi / 2)
    assert torch.allclose(turned, torch.rot90(picture, 1), atol=1e-6) or torch.allclose(
        turned, torch.rot90(picture, -1), atol=1e-6
    )
    line = torch.zeros(8, 8)
    line[:, 3:5] = 1
    assert moved(line, zoom=2).sum() == pytest.approx(2 * line.sum().item())


def test_the_shift_is_in_pixels_whatever_the_zoom() -> None:
    picture = torch.full((9, 9), 0.5)
    picture[4, 4] = 1
    where = moved(picture, shift=(2, -1), zoom=1.1).argmax()
    assert divmod(int(where), 9) == (3, 6)


def test_tables_hang_on_the_key_and_stay_in_range() -> None:
    vivid, fast = RECIPES["vivid"], RECIPES["fast"]
    assert np.array_equal(transform_table(1, vivid, 80), transform_table(1, vivid, 80))
    assert not np.array_equal(transform_table(1, vivid, 80), transform_table(2, vivid, 80))
    table = transform_table(3, dataclasses.replace(vivid, steps=500), 80)
    assert table.shape == (500, 2, 3)
    zoom = 1 / np.sqrt(np.linalg.det(table[:, :, :2]))
    assert 0.9 <= zoom.min() < 0.91
    assert 1.09 < zoom.max() <= 1.1
    turn = np.degrees(np.arctan2(table[:, 1, 0], table[:, 0, 0]))
    assert 9.5 < np.abs(turn).max() <= 10
    shifts = transform_table(3, fast, 72)[:, :, 2] * 72 / 2
    assert shifts == pytest.approx(np.rint(shifts), abs=1e-4)
    assert np.abs(shifts).max() <= 4
