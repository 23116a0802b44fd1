import numpy as np
import pytest
import torch

from atlas_core.featurevis.deviates import normal
from atlas_core.featurevis.parameterization import (
    Spectrum,
    colour_matrix,
    colours_of,
    seed_from_thumbnails,
    spectrum_scale,
    start_picture,
)


def test_the_colour_matrix_turns_axes_into_colours() -> None:
    matrix = colour_matrix(3)
    assert matrix @ np.array([3**0.5, 0, 0]) == pytest.approx([1, 1, 1], abs=1e-6)
    assert matrix @ np.array([0, 2**0.5, 0]) == pytest.approx([0.3, 0, -0.3], abs=1e-6)
    assert matrix @ np.array([0, 0, 6**0.5]) == pytest.approx([-0.15, 0.3, -0.15], abs=1e-6)
    assert colour_matrix(2) == pytest.approx(np.eye(2))


def test_the_colours_of_data_are_the_principal_axes_of_its_logits() -> None:
    random = np.random.default_rng(0)
    axes = np.array([[0.6, 0.8, 0], [-0.8, 0.6, 0], [0, 0, 1]])
    logits = random.normal(size=(50, 20, 20, 3)) * [0.9, 0.45, 0.09] @ axes
    thumbnails = np.round(255 / (1 + np.exp(-logits))).astype(np.uint8)
    found = colours_of(thumbnails)
    assert found.T / np.linalg.norm(found, axis=0)[:, None] == pytest.approx(axes * [[1], [-1], [1]], abs=0.02)
    mean = (0.9**2 + 0.45**2 + 0.09**2) / 3
    expected = np.sqrt(np.array([0.9, 0.45, 0.09]) ** 2 + 0.005 * mean)
    assert np.linalg.norm(found, axis=0) == pytest.approx(expected / expected[0], rel=0.02)


def test_colours_of_grey_and_of_plain_pictures_can_be_inverted() -> None:
    grey = np.random.default_rng(0).integers(0, 256, (9, 20, 20, 1), dtype=np.uint8).repeat(3, axis=3)
    found = colours_of(grey)
    assert np.abs(found[:, 0]) == pytest.approx([3**-0.5] * 3, abs=1e-5)
    assert np.linalg.norm(found[:, 1:], axis=0) == pytest.approx([(0.005 / 3.005) ** 0.5 * 1.0] * 2, rel=0.01)
    assert np.linalg.cond(found) < 50
    assert colours_of(np.full((4, 20, 20, 3), 90, np.uint8)) == pytest.approx(colour_matrix(3))
    assert colours_of(grey[..., :1]) == pytest.approx(np.ones((1, 1)))


def test_a_seed_is_the_mean_of_decorrelated_logits() -> None:
    grey = np.full((2, 20, 20, 3), 51, dtype=np.uint8)  # .2, whose logit is -log 4
    assert seed_from_thumbnails(grey, colour_matrix(3))[7, 3] == pytest.approx([-np.log(4) * 3**0.5, 0, 0], abs=1e-5)
    one_channel = np.zeros((2, 20, 20, 1), dtype=np.uint8)
    one_channel[1] = 255  # clipped to .02 and .98, whose logits cancel out
    one_channel[1, 0, 0] = 0
    seed = seed_from_thumbnails(one_channel, colour_matrix(1))
    assert seed[0, 0, 0] == pytest.approx(np.log(0.02 / 0.98), abs=1e-5)
    assert seed[1, 1, 0] == pytest.approx(0, abs=1e-6)


def test_the_scale_falls_with_frequency_and_ends_at_the_size() -> None:
    scale = spectrum_scale(4, 4)
    assert scale.shape == (4, 3)
    quarter, half = 4 / (1 + (0.25 / 0.3) ** 8) ** 0.5, 2 / (1 + (0.5 / 0.3) ** 8) ** 0.5
    assert scale[0] == pytest.approx([4, quarter, half])
    assert scale[:, 0] == pytest.approx([4, quarter, half, quarter])
    assert scale[2, 2] == pytest.approx(2**0.5 / (1 + (0.5**0.5 / 0.3) ** 8) ** 0.5)


def test_a_wide_picture_has_the_frequencies_of_its_pixels() -> None:
    scale = spectrum_scale(4, 8)
    assert scale.shape == (4, 5)
    assert scale[0, :2] == pytest.approx([8, 8], rel=1e-3)
    assert [scale[1, 0], scale[0, 2]] == pytest.approx([spectrum_scale(4, 4)[0, 1]] * 2)


def test_a_start_keeps_its_colour_and_gets_its_deviation() -> None:
    seeds = torch.zeros(2, 3, 20, 20)
    seeds[0, 0] = 0.5
    seeds[0, 0, :, 10:] = 1.5
    seeds[1, 2] = -2.0
    start = start_picture(seeds, side=20, start_size=20, deviation=0.8, size=40)
    assert start.shape == (2, 3, 40, 40)
    assert start.mean(dim=(2, 3))[0].tolist() == pytest.approx([1.2, 0, 0], abs=1e-5)
    # .8 over all three channels, of which two are plain: .8 * sqrt(3) in the one that is not.
    assert start[0, 0].std().item() == pytest.approx(0.8 * 3**0.5, rel=0.05)
    assert start[1].std(dim=(1, 2)).tolist() == pytest.approx([0, 0, 0], abs=1e-5)
    assert start[1, 2].mean().item() == pytest.approx(-2.4, abs=1e-5)


def test_a_smaller_canvas_shows_the_thumbnails_centre() -> None:
    seeds = torch.zeros(1, 1, 20, 20)
    seeds[..., :1] = 100.0
    assert start_picture(seeds, side=18, start_size=18, deviation=1.0, size=32).abs().max() == 0


CPU = torch.device("cpu")


def test_a_spectrum_shows_its_start() -> None:
    start = torch.randn(2, 3, 9, 14, generator=torch.Generator().manual_seed(0))
    picture = Spectrum(colour_matrix(3), 9, 14, CPU)
    expected = torch.sigmoid(torch.einsum("dc,mchw->mdhw", torch.from_numpy(colour_matrix(3)), start))
    assert torch.allclose(picture.pixels(picture.start(start)), expected, atol=1e-5)
    noise = normal([1, 2], 1, 3 * 9 * 8, CPU).reshape(2, 3, 9, 8, 2)
    difference = picture.start(start, noise) - picture.start(start)
    assert torch.allclose(difference, 0.01 * noise, atol=1e-4)


def test_a_gain_of_colour_moves_the_mean_colour_alone() -> None:
    start = torch.randn(1, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    moved = []
    for gain in (1.0, 3.0):
        picture = Spectrum(colour_matrix(1), 8, 8, CPU, gain)
        parameters = picture.start(start)
        assert torch.allclose(torch.logit(picture.pixels(parameters)), start, atol=1e-4)
        parameters[..., 0] += 0.1
        moved.append(torch.logit(picture.pixels(parameters)) - start)
    difference = moved[1] - moved[0]
    assert difference.mean().item() == pytest.approx(2 * 0.1 * 8 / 8 / 4, rel=1e-3)
    assert difference.std().item() == pytest.approx(0, abs=1e-5)


def test_drawn_pictures_are_noise_of_the_deviation_about_grey() -> None:
    picture = Spectrum(colour_matrix(3), 24, 30, CPU)
    pixels = picture.pixels(picture.drawn(normal([1, 2], 1, 3 * 24 * 16, CPU).reshape(2, 3, 24, 16, 2), 0.5))
    colours = torch.linalg.inv(torch.from_numpy(colour_matrix(3)))
    logits = torch.einsum("dc,mchw->mdhw", colours, torch.logit(pixels))
    assert logits.std(dim=(1, 2, 3)).tolist() == pytest.approx([0.5, 0.5], rel=1e-3)
    assert not torch.allclose(pixels[0], pixels[1], atol=0.1)


def test_a_picture_comes_into_focus() -> None:
    picture = Spectrum(colour_matrix(1), 32, 32, CPU)
    across = torch.arange(32.0)
    coarse, fine = (torch.cos(2 * torch.pi * waves * across / 32).expand(1, 1, 32, 32) for waves in (2, 8))
    parameters = picture.start(coarse + fine)
    shares = []
    for share in (0.0, 0.5, 1.0, 2.0):
        picture.focus(share)
        shown = torch.logit(picture.pixels(parameters))
        shares.append([((shown * wave).sum() / wave.square().sum()).item() for wave in (coarse, fine)])
    assert shares[0] == pytest.approx([0.7, 0], abs=0.01)  # 1/16 of a cycle a pixel is near the first edge
    assert shares[1] == pytest.approx([1, 0.94], abs=0.01)  # half open at .305, 2.75 edges beyond 1/4
    assert shares[2] == shares[3] == pytest.approx([1, 1], abs=0.01)
