import numpy as np

from atlas_core import directions
from atlas_core.whitening import Moments, Whitening, whitening


def _whitening(samples: np.ndarray, shrinkage: float = 1e-6) -> Whitening:
    moments = Moments(samples.shape[1])
    moments.add(samples)
    return whitening(moments, shrinkage)


def test_a_channel_points_along_the_layers_covariance_with_it() -> None:
    random = np.random.default_rng(0)
    mixing = np.array([[2.0, 0.5, 0], [0, 1, 0.3], [0, 0, 0.2]])
    samples = random.standard_normal((4000, 3)) @ mixing + [3, 4, 5]
    white = _whitening(samples)
    for channel, found in zip((2, 0, 1), directions.of_channels(white, [2, 0, 1]) - white.mean, strict=True):
        expected = np.cov(samples.T)[channel]
        np.testing.assert_allclose(found / found[channel], expected / expected[channel], atol=2e-3)
        # One deviation of the channel itself: a sample where it is that active shows so much of the others.
        np.testing.assert_allclose(found[channel], samples[:, channel].std(), rtol=1e-2)


def test_a_channels_direction_is_the_one_in_which_it_grows_fastest() -> None:
    white = _whitening(np.random.default_rng(1).standard_normal((500, 4)) @ np.triu(np.full((4, 4), 0.7)))
    along = white.whiten(directions.of_channels(white, [2]))[0]
    fastest = np.linalg.inv(white.matrix.astype(np.float64))[2]
    np.testing.assert_allclose(along / np.linalg.norm(along), fastest / np.linalg.norm(fastest), atol=1e-4)


def test_a_class_weighs_cells_by_what_they_add_to_it_beyond_the_average_class() -> None:
    means = np.array([[1, 0], [0, 1], [5, 5]], np.float32)
    counts = np.array([10, 30, 99])
    attribution = np.array([[3.0, 2.0, 7.0], [1.0, 0.0, 9.0]])  # beyond the mean of the two: 1, 1, -1 for class 0
    np.testing.assert_allclose(directions.of_class(means, counts, attribution, 0), [0.25, 0.75])
    np.testing.assert_allclose(directions.of_class(means, counts, attribution, 1), [5, 5])


def test_of_a_single_class_nothing_is_taken_off() -> None:
    means = np.array([[1, 0], [0, 1]], np.float32)
    np.testing.assert_allclose(directions.of_class(means, np.array([1, 1]), np.array([[3.0, 1.0]]), 0), [0.75, 0.25])


def test_a_sum_is_of_differences_from_the_mean() -> None:
    means, centre = np.array([[2, 1], [1, 3]], np.float32), np.array([1, 1], np.float32)
    np.testing.assert_allclose(directions.of_sum(means, np.array([1.0, -0.5]), centre), [2, 0])


def test_a_walk_between_means_is_straight() -> None:
    walk = directions.along_means(np.array([0, 2], np.float32), np.array([4, 0], np.float32), 5)
    np.testing.assert_allclose(walk, np.array([[0, 2], [1, 1.5], [2, 1], [3, 0.5], [4, 0]]))


def test_a_walk_on_the_map_passes_the_cells_on_its_way_and_ends_in_its_ends() -> None:
    places = np.array([[0, 0], [2, 0], [4, 0], [2, 3]])
    means = np.eye(4, dtype=np.float32)
    walk = directions.along_map(places, means, 0, 2, 5)
    np.testing.assert_array_equal(walk[[0, -1]], means[[0, 2]])
    assert walk[2].argmax() == 1
    assert walk[2, 1] > 0.98
    np.testing.assert_allclose(walk[1, 0], walk[1, 1])  # half-way both count alike
    np.testing.assert_allclose(walk.sum(axis=1), 1, rtol=1e-6)


def test_a_walk_crosses_what_is_empty() -> None:
    walk = directions.along_map(np.array([[0, 0], [300, 0]]), np.eye(2, dtype=np.float32), 0, 1, 3)
    np.testing.assert_allclose(walk[1], [0.5, 0.5])


def test_the_cells_nearest_to_a_direction_come_nearest_first() -> None:
    white = Whitening(np.zeros(2, np.float32), np.eye(2, dtype=np.float32), 1.0)
    means = np.array([[1, 0], [0, 1], [1, 0.2], [-1, 0], [1, -0.1], [1, 0.3]], np.float32)
    target = np.array([[2, 0]], np.float32)
    assert directions.nearest_cells(target, means, white, 2).tolist() == [[0, 4]]
