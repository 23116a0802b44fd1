import numpy as np
import pytest

from atlas_core.discriminant import SHRINKAGE, SOFTNESS, Discriminant, deviation


def test_a_direction_is_the_difference_over_the_shrunk_covariance() -> None:
    images = np.array([[-1.0, 0], [1, 0], [0, -2], [0, 2]])  # deviations sqrt(1/2) and sqrt(2)
    copies = images + np.array([3.0, 0])
    found = Discriminant.fit(images, copies, np.zeros(4, int))
    # scaled, both covariances are the identity, and so is their mean; the ridge adds SHRINKAGE to it
    wanted = 3 / np.sqrt(0.5) / (1 + SHRINKAGE) / np.sqrt(0.5)
    assert found.weights[:, 0].tolist() == pytest.approx([wanted, 0], abs=1e-5)
    halfway = images + np.array([1.5, 0])
    assert found.score(halfway).mean() == pytest.approx(0, abs=1e-5)
    assert found.score(copies).mean() == pytest.approx(1.5 * wanted / SOFTNESS, rel=1e-4)


def test_more_channels_than_images_give_the_same_as_the_long_way() -> None:
    rng = np.random.default_rng(0)
    images, copies = rng.normal(size=(20, 50)), rng.normal(size=(20, 50)) + 1
    short = Discriminant.fit(images, copies, np.arange(20) % 2)
    many = Discriminant.fit(np.tile(images, (3, 1)), np.tile(copies, (3, 1)), np.tile(np.arange(20) % 2, 3))
    assert np.allclose(short.weights, many.weights, rtol=1e-3, atol=1e-5)
    assert np.allclose(short.offset, many.offset, rtol=1e-3, atol=1e-4)


def test_each_kind_has_a_direction_of_its_own() -> None:
    rng = np.random.default_rng(1)
    images = rng.normal(size=(300, 5))
    copies = rng.normal(size=(300, 5))
    kinds = np.arange(300) % 2
    copies[kinds == 0, 0] += 4
    copies[kinds == 1, 0] -= 4  # their mean lies on the images
    found = Discriminant.fit(images, copies, kinds)
    assert np.median(found.score(copies)) > np.quantile(found.score(images), 0.95)


def test_channels_that_never_move_are_left_alone() -> None:
    rows = np.array([[0.0, 1, 7], [0, 3, 7]])
    assert deviation(rows).tolist() == pytest.approx([1 / 300, 1, 1 / 300])
    assert deviation(np.zeros((2, 2))).tolist() == [1, 1]
