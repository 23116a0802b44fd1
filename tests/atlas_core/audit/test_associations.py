"""What goes with a class is told from what does not, and from what the label explains."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from atlas_core.audit.associations import beyond_label, features, having, scores, separation, shrunk, told_by_file
from tests.atlas_core.audit.test_traits import cast, waves

RNG = np.random.default_rng(0)
LABELS = np.repeat(np.arange(4), 32)
PICTURES = RNG.integers(60, 160, (128, 16, 16, 3), dtype=np.uint8)


def associated(pictures: np.ndarray, of: int) -> dict[str, float]:
    return {
        name: separation(scores(values, LABELS, 4)[:, of], np.equal(LABELS, of)) for name, values in features(pictures)
    }


def test_separation_counts_pairs() -> None:
    positive = np.array([True, True, False, False])
    assert separation(np.array([3.0, 1.0, 2.0, 0.0]), positive) == 0.75
    assert separation(np.array([1.0, 1.0, 1.0, 0.0]), positive) == 0.75
    assert separation(np.ones(4), positive) == 0.5
    assert separation(np.arange(4.0), np.zeros(4, bool)) == 0.5


def test_nothing_goes_with_a_class_of_pictures_like_all_others() -> None:
    assert all(0.3 < value < 0.7 for value in associated(PICTURES, 2).values())


@pytest.mark.parametrize(("change", "trait"), [(cast, "colour"), (waves, "texture")])
def test_what_a_class_has_all_over_goes_with_it(change: object, trait: str) -> None:
    pictures = PICTURES.copy()
    pictures[64:96] = change(pictures[64:96])  # type: ignore[operator]
    assert associated(pictures, 2)[trait] > 0.95
    assert associated(pictures, 1)[trait] < 0.8


def test_what_a_class_has_at_a_place_goes_with_it_there() -> None:
    pictures = PICTURES.copy()
    pictures[64:96, :3, -3:] = (250, 20, 20)
    found = associated(pictures, 2)
    assert found["top right corner"] > 0.95
    assert found["bottom left corner"] < 0.7


def test_scores_are_told_of_pictures_that_they_were_not_learned_on() -> None:
    """With more features than pictures any label can be learned, and none of these is told."""
    noise = RNG.normal(size=(128, 2000))
    assert separation(scores(noise, LABELS, 4)[:, 0], LABELS == 0) == pytest.approx(0.5, abs=0.12)


def test_a_picture_shrinks_by_the_mean_of_blocks() -> None:
    picture = RNG.integers(0, 255, (1, 70, 32, 1), dtype=np.uint8)
    found = shrunk(picture)
    assert found.shape == (1, 35, 32, 1)
    assert found[0, 3, 4, 0] == pytest.approx(picture[0, 6:8, 4, 0].mean())


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_of_two_kinds_of_pictures_those_that_have_it_are_taken(share: float) -> None:
    marked = RNG.random(96) < share
    found = having(RNG.normal(size=96) + 6 * marked)
    assert set(found) <= set(np.flatnonzero(marked))
    assert len(found) >= min(48, marked.sum())


def test_of_one_kind_the_most_extreme_are_not_taken() -> None:
    score = RNG.normal(size=96)
    found = having(score)
    assert len(found) == 48
    assert np.abs(score[found]).max() < 1
    few = np.concatenate([np.zeros(90), np.full(6, 9.0)])
    assert few[having(few)].max() == 0


def test_what_the_label_explains_is_taken_out() -> None:
    labels = np.repeat([0, 1], 50)
    noise = RNG.normal(size=100)
    assert beyond_label(labels * 5.0, labels * 3.0 + 0.0, labels) == 0
    assert beyond_label(labels * 5 + noise, labels * 3 + 2 * noise, labels) == pytest.approx(1)
    assert beyond_label(labels * 5 + noise, -labels * 3 - noise, labels) == pytest.approx(-1)
    assert abs(beyond_label(labels * 5 + noise, labels * 3 + RNG.normal(size=100), labels)) < 0.3


def test_a_file_tells_its_size_shape_and_quantisation() -> None:
    def saved(**options: object) -> bytes:
        data = io.BytesIO()
        Image.fromarray(PICTURES[0]).resize((32, 16)).save(data, **options)  # type: ignore[arg-type]
        return data.getvalue()

    png, fine, rough = saved(format="PNG"), saved(format="JPEG", quality=95), saved(format="JPEG", quality=20)
    assert told_by_file(png) == (len(png) / 512, 512, 2, 0)
    assert told_by_file(rough)[3] > told_by_file(fine)[3] > 0
    assert all(np.isnan(told_by_file(b"\x93NUMPY")))
