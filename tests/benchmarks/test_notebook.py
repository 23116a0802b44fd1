"""The article's recipe, part by part, against its description."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from benchmarks.rendering import notebook
from benchmarks.rendering.notebook import (
    Picture,
    best_tries,
    cropped,
    moved,
    objective,
    own_canvas,
    render_notebook,
)

CPU = torch.device("cpu")


def test_canvas_is_1_15_receptive_fields_and_at_most_80() -> None:
    assert own_canvas(35) == 40
    assert own_canvas(107) == 80
    assert own_canvas(None) == 80


def test_objective_is_dot_times_the_fourth_power_of_a_cosine_without_the_length_of_the_direction() -> None:
    activations = torch.zeros(2, 2, 3, 3)
    activations[:, :, 1, 1] = torch.tensor([3.0, 4.0])
    directions = torch.tensor([[3.0, 4.0], [0.0, 0.01]])
    dot = 12.5  # the mean over channels of (9, 16)
    assert objective(activations, directions)[0].item() == pytest.approx(dot * (dot / 5.0001) ** 4)
    small = 0.02
    assert objective(activations, directions)[1].item() == pytest.approx(small * 0.1**4)  # the floor binds


def test_the_formula_has_a_true_cosine() -> None:
    activations = torch.zeros(1, 2, 1, 1)
    activations[0, :, 0, 0] = torch.tensor([3.0, 4.0])
    found = objective(activations, torch.tensor([[5.0, 0.0]]), "formula").item()
    assert found == pytest.approx(15 * 0.6**4, rel=1e-3)


def test_objective_looks_at_the_middle_position_alone() -> None:
    activations = torch.ones(1, 2, 4, 5)
    activations[:, :, 2, 2] = 7
    expected = 7 * (7 / (7 * 2**0.5 + 1e-4)) ** 4
    assert objective(activations, torch.ones(1, 2))[0].item() == pytest.approx(expected)


def test_a_coefficient_of_the_spectrum_becomes_the_wave_it_stands_for() -> None:
    picture = Picture(1, 8, torch.Generator().manual_seed(0), CPU)
    with torch.no_grad():
        picture.parameter.zero_()
        picture.parameter[0, 0, 0, 1, 0] = 1.0  # one period to the right, in the first colour axis
    wave = np.cos(2 * np.pi * np.arange(8) / 8)
    # irfft of one coefficient is 2 cos / n; lucid multiplies by the side over the frequency, then divides by four
    amplitude = 2 / 64 * 8 * 8 / 4
    colour = notebook.COLOURS[:, 0]
    expected = 1 / (1 + np.exp(-amplitude * wave[None, None, :] * colour[:, None, None]))
    np.testing.assert_allclose(picture.pixels()[0].detach(), np.broadcast_to(expected, (3, 8, 8)), atol=1e-5)


def test_starts_from_faint_noise_around_grey() -> None:
    picture = Picture(4, 40, torch.Generator().manual_seed(1), CPU)
    assert picture.parameter.std().item() == pytest.approx(0.01, rel=0.05)
    assert picture.pixels().mean().item() == pytest.approx(0.5, abs=0.02)


def test_all_icons_of_a_step_are_moved_alike() -> None:
    pixels = torch.rand(1, 3, 40, 40).repeat(3, 1, 1, 1)
    for seen in (
        moved(pixels, np.random.default_rng(0), torch.full((3,), 0.4)),
        cropped(pixels, np.random.default_rng(0)),
    ):
        torch.testing.assert_close(seen[0], seen[2])
        assert seen.shape[-1] == seen.shape[-2]


def test_what_comes_in_from_outside_has_the_mean_colour() -> None:
    mean = torch.tensor([0.2, 0.4, 0.6])
    pixels = mean[None, :, None, None].expand(1, 3, 40, 40)
    torch.testing.assert_close(moved(pixels, np.random.default_rng(3), mean), pixels)


def test_moves_stay_within_a_fifth_of_the_canvas() -> None:
    size, centres = 80, []
    pixels = torch.zeros(1, 3, size, size)
    pixels[:, :, 38:42, 38:42] = 1
    for seed in range(60):
        seen = moved(pixels, np.random.default_rng(seed), torch.zeros(3))[0, 0]
        weight = seen / seen.sum()
        centres.append([(weight.sum(1) * torch.arange(size)).sum(), (weight.sum(0) * torch.arange(size)).sum()])
    off = np.abs(np.array(centres) - 39.5)
    assert off.max() <= 16 * 2**0.5 / (1 - notebook.ZOOM)
    assert off.max() > 5


def test_the_code_s_crops_leave_32_to_51_pixels_of_80() -> None:
    sides = {cropped(torch.rand(1, 3, 80, 80), np.random.default_rng(seed)).shape[-1] for seed in range(300)}
    assert min(sides) in range(32, 36)
    assert max(sides) in range(48, 53)
    assert len(notebook.SCALES) == 125
    assert len(notebook.ANGLES) == 75


class _Mean(nn.Module):
    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return pixels - 0.5


def test_a_try_brightens_what_its_direction_asks_for() -> None:
    directions = np.array([[100.0, 0, 0], [0, 0, 100.0]], np.float32)
    icons, gains = render_notebook(
        _Mean(), directions, 16, (0.5, 0.5, 0.5), moves="affine", seed=0, steps=60, batch=2
    )  # fmt: skip
    red, blue = icons.mean(axis=(1, 2))
    assert red[0] > red[2]
    assert blue[2] > blue[0]
    assert (gains > 0).all()
    again, _ = render_notebook(_Mean(), directions, 16, (0.5, 0.5, 0.5), moves="affine", seed=0, steps=60, batch=2)
    np.testing.assert_array_equal(icons, again)


def test_of_several_tries_the_highest_last_objective_is_kept() -> None:
    assert best_tries(np.array([[1.0, 5.0], [2.0, 4.0], [0.0, 4.5]], np.float32)).tolist() == [1, 0]
