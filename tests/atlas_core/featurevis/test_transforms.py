import dataclasses

import numpy as np
import pytest
import torch

from atlas_core.featurevis.recipes import RECIPES
from atlas_core.featurevis.transforms import affine, move, transform_table

MEAN = torch.tensor([0.5])


CPU = torch.device("cpu")


def moved(
    picture: torch.Tensor, shift: tuple[float, float] = (0, 0), angle: float = 0, zoom: float = 1
) -> torch.Tensor:
    place = torch.tensor([*shift, angle, zoom], dtype=torch.float32)
    matrix = affine(place[None, :2], place[2:3], place[3:], *picture.shape)
    return move(picture[None, None], matrix, MEAN)[0, 0]


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


def test_a_wide_picture_is_turned_without_being_stretched() -> None:
    picture = torch.full((9, 15), 0.5)
    picture[4, 10] = 1  # three to the right of the centre
    for angle in (np.pi / 2, -np.pi / 2):
        row, column = divmod(int(moved(picture, angle=angle).argmax()), 15)
        assert (abs(row - 4), column) == (3, 7)
    assert divmod(int(moved(picture, shift=(-2, 1)).argmax()), 15) == (5, 8)


def test_tables_hang_on_the_key_and_stay_in_range() -> None:
    vivid, fast = RECIPES["vivid"], RECIPES["fast"]
    tables = transform_table([1, 2], vivid, 80, 80, CPU)
    assert tables.shape == (vivid.steps, 2, 2, 3)
    assert torch.equal(transform_table([2], vivid, 80, 80, CPU)[:, 0], tables[:, 1])
    assert not torch.equal(tables[:, 0], tables[:, 1])
    table = transform_table([3], dataclasses.replace(vivid, steps=500), 80, 80, CPU)[:, 0]
    zoom = 1 / table[:, :, :2].det().sqrt()
    assert 0.93 <= zoom.min() < 0.935
    assert 1.065 < zoom.max() <= 1.0701
    turn = torch.rad2deg(torch.atan2(table[:, 1, 0], table[:, 0, 0]))
    assert 6.9 < turn.abs().max() <= 7.001
    shifts = transform_table([3], fast, 72, 72, CPU)[..., 2] * 72 / 2
    assert torch.allclose(shifts, shifts.round(), atol=1e-4)
    assert 1 < shifts.abs().max() <= 2.001
