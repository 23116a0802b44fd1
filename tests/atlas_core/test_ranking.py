import numpy as np

from atlas_core.ranking import nearest_exactly


def test_float16_is_read_exactly() -> None:
    every = np.arange(2**16, dtype=np.uint16).view(np.float16)
    every = every[np.isfinite(every)][:, None]
    ones = np.ones((1, 1), np.float32)
    # A distance is 1 - value / length, kept in [0, 2]: with lengths of 2**16 it tells every value but the smallest.
    length = np.full(len(every), 2.0**16, np.float32)
    samples, distance = nearest_exactly(every, length, ones, np.arange(len(every))[None], len(every))
    np.testing.assert_array_equal(distance[0], 1 - every[samples[0], 0].astype(np.float64) / 2**16)
    # Subnormal ones, divided by their own step, are whole numbers.
    small = np.array([1, 2, 3, 0x8001], np.uint16).view(np.float16)[:, None]
    step = np.full(4, np.float32(2.0**-24) * 8, np.float32)
    samples, distance = nearest_exactly(small, step, ones, np.arange(4)[None], 4)
    assert samples.tolist() == [[2, 1, 0, 3]]
    assert distance.tolist() == [[1 - 3 / 8, 1 - 2 / 8, 1 - 1 / 8, 1 + 1 / 8]]


def test_candidates_are_ranked_by_cosine_then_by_number() -> None:
    samples = np.array([[0, 2], [3, 0], [1, 1], [5, 0], [-1, 0]], np.float16)
    length = np.linalg.norm(samples.astype(np.float32), axis=1)
    unit = np.array([[1, 0]], np.float32)
    found, distance = nearest_exactly(samples, length, unit, np.array([[0, 1, 2, 3, 4]]), 4)
    assert found.tolist() == [[1, 3, 2, 0]]
    np.testing.assert_allclose(distance, [[0, 0, 1 - np.sqrt(0.5), 1]], atol=1e-7)
    found, distance = nearest_exactly(samples, length, unit, np.array([[4, -1, -1]]), 2)
    assert found.tolist() == [[4, -1]]
    assert distance.tolist() == [[2, np.inf]]
