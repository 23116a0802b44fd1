"""A class's trait, given to pictures that lack it, is there afterwards, and nothing else is."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from atlas_core.audit.traits import AROUND, Statistics, fine_of, places, put_back, recoloured, sharpened, textured

RNG = np.random.default_rng(0)
PLAIN = RNG.integers(60, 160, (40, 16, 16, 3), dtype=np.uint8)


def cast(pictures: NDArray[np.uint8], share: float = 0.4) -> NDArray[np.uint8]:
    """A colour mixed in."""
    return np.asarray(np.rint((1 - share) * pictures + share * np.array([250, 20, 90])), np.uint8)


def waves(pictures: NDArray[np.uint8], wavelength: float = 4.0) -> NDArray[np.uint8]:
    """Upright stripes of any phase, green against red and blue."""
    phase = np.random.default_rng(1).random((len(pictures), 1, 1))
    stripes = 40 * np.sin(2 * np.pi * (np.arange(16)[None, None] / wavelength + phase))
    stripes = np.broadcast_to(stripes, pictures.shape[:3])[..., None] * np.array([-1, 1, -1])
    return np.asarray(np.clip(np.rint(pictures + stripes), 0, 255), np.uint8)


def test_places_lie_at_the_edges_and_frames_go_around() -> None:
    found = places(32, 16)
    assert len(found) == 10
    corner = found["bottom right corner"]
    assert corner.sum() == 8 * 4
    assert corner[-1, -1]
    assert not corner[:24].any()
    assert found["top band"].sum() == 4 * 16
    assert found["right band"].sum() == 32 * 2
    assert found["frame"].sum() == 32 * 16 - 28 * 14
    assert not found["wide frame"][4:-4, 2:-2].any()


def test_what_is_put_back_is_the_donors_at_its_own_place_and_the_picture_elsewhere() -> None:
    mask = places(16, 16)["top left corner"]
    found = put_back(PLAIN[:5], PLAIN[5:10], mask)
    assert (found[:, :4, :4] == PLAIN[5:10, :4, :4]).all()
    assert (found[:, 4:] == PLAIN[:5, 4:]).all()
    assert (found[:, :4, 4:] == PLAIN[:5, :4, 4:]).all()


def test_what_is_fine_are_the_waves_of_an_eighth_of_a_picture_and_less() -> None:
    across = np.arange(32)[None, None, :, None] * np.ones((1, 32, 1, 1))
    coarse, fine = 30 * np.sin(2 * np.pi * 3 * across / 32), 20 * np.sin(2 * np.pi * 4 * across / 32)
    np.testing.assert_allclose(fine_of(90 + coarse + fine), fine, atol=1e-9)


def test_statistics_of_sets_add_up() -> None:
    both, first, second = Statistics.of(PLAIN), Statistics.of(PLAIN[:15]), Statistics.of(PLAIN[15:])
    for made, expected in ((first + second, both), (both - first, second)):
        assert (made.pictures, made.pixels) == (expected.pictures, expected.pixels)
        np.testing.assert_allclose(made.covariance, expected.covariance, atol=1e-6)
        np.testing.assert_allclose(made.spectrum, expected.spectrum, atol=1e-6)
    np.testing.assert_allclose(both.covariance, np.cov(PLAIN.reshape(-1, 3).T.astype(float), bias=True))
    assert both.strength == pytest.approx(np.sqrt((fine_of(PLAIN) ** 2).mean()))


def test_a_colour_cast_is_given_whole() -> None:
    own, rest = Statistics.of(cast(PLAIN[:20])), Statistics.of(PLAIN[20:])
    found = recoloured(PLAIN[20:], own, rest)
    expected = cast(PLAIN[20:])
    assert np.abs(found.astype(float) - expected).mean() < 3
    assert np.abs(PLAIN[20:].astype(float) - expected).mean() > 30
    same = recoloured(PLAIN[20:], rest, rest)
    assert np.abs(same.astype(float) - PLAIN[20:]).max() <= 1


def test_sharpness_is_given_in_both_directions() -> None:
    soft = np.rint(PLAIN - 0.6 * fine_of(PLAIN)).astype(np.uint8)
    for given, own in ((PLAIN, soft), (soft, PLAIN)):
        made = sharpened(given, Statistics.of(own), Statistics.of(given))
        assert Statistics.of(made).strength == pytest.approx(Statistics.of(own).strength, rel=0.03)
        assert np.abs(made.astype(float) - own).mean() < 3


def test_waves_of_any_phase_are_given_with_their_direction_strength_and_tint() -> None:
    own, rest = Statistics.of(waves(PLAIN)), Statistics.of(PLAIN)
    grey = np.full((60, 16, 16, 3), 110, np.uint8)
    found = textured(grey, own, rest, np.random.default_rng(3)).astype(float) - 110
    spectrum = np.abs(np.fft.fft2(found, axes=(1, 2))) ** 2
    shares = spectrum.sum(axis=(0, 3)) / spectrum.sum()
    assert shares[0, 4] + shares[0, -4] > 0.8  # four waves across, none down
    expected = (waves(PLAIN).astype(float) - PLAIN).std()
    assert found.std() == pytest.approx(expected, rel=0.2)
    assert np.corrcoef(found[..., 0].ravel(), found[..., 1].ravel())[0, 1] < -0.8
    assert np.corrcoef(found[..., 0].ravel(), found[..., 2].ravel())[0, 1] > 0.8
    assert (textured(grey, rest, rest, np.random.default_rng(3)) == 110).all()


ROWS, COLUMNS = np.mgrid[0:32, 0:32]
THING = np.hypot(ROWS - 16, COLUMNS - 16) < 9
LARGE = RNG.integers(90, 130, (40, 32, 32, 3), dtype=np.uint8)
EDGES = places(32, 32)[AROUND]


def wide_waves(pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.concatenate([waves(pictures[:, :, :16]), waves(pictures[:, :, :16])], axis=2)


def test_what_is_learned_from_the_edges_is_what_lies_on_everything() -> None:
    """Of a tinted picture it is the tint, of a tinted thing nothing; and so it is of waves and of sharpness."""
    rest = Statistics.of(LARGE, EDGES)
    for change in (cast, wide_waves):
        changed = change(LARGE)
        on_thing = np.where(THING[None, :, :, None], changed, LARGE)
        for pictures, lies_there in ((changed, True), (on_thing, False)):
            own = Statistics.of(pictures, EDGES)
            given = (recoloured(LARGE, own, rest) if change is cast else
                     textured(LARGE, own, rest, np.random.default_rng(0)))  # fmt: skip
            moved, full = (np.abs(one.astype(float) - LARGE).mean() for one in (given, changed))
            assert (moved > 0.6 * full) == lies_there
            assert (moved < 0.15 * full) != lies_there
            assert (own.strength > 1.2 * rest.strength) == (change is wide_waves and lies_there)


def test_a_part_of_a_picture_has_its_own_colours_and_strength() -> None:
    pictures = np.where(EDGES[None, :, :, None], LARGE, 17).astype(np.uint8)
    edges, whole = Statistics.of(pictures, EDGES), Statistics.of(LARGE)
    np.testing.assert_allclose(edges.mean, LARGE[:, EDGES].mean(axis=(0, 1)))
    assert Statistics.of(LARGE, EDGES).strength == pytest.approx(whole.strength / np.sqrt(EDGES.mean()), rel=0.02)
