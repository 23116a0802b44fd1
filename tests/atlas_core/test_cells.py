from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from atlas_core.binning import assign_cells
from atlas_core.cells import Level, levels
from atlas_core.errors import LayoutError
from atlas_core.whitening import Whitening
from tests.atlas_core.tiny import traced_peak

PLAIN = Whitening(np.zeros(2, np.float32), np.eye(2, dtype=np.float32), 1.0)

# Side 2: three samples top left, four bottom right, one lonely sample top right.
LAYOUT = np.array(
    [[0.1, 0.9], [0.2, 0.8], [0.3, 0.7], [0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.6, 0.4], [0.9, 0.9]], dtype=np.float32
)
IMAGES = np.array([5, 5, 7, 1, 2, 3, 3, 9])
ACTIVATIONS = np.array([[1, 0], [1, 0], [0, 1], [2, 0], [2, 0], [2, 0], [2, 0], [1, 1]], dtype=np.float16)


def toy(**changes: Any) -> Level:
    arguments: dict[str, Any] = {
        "activations": [ACTIVATIONS], "layout": LAYOUT, "images": IMAGES, "sides": [2], "whitening": PLAIN,
    }  # fmt: skip
    (found,) = levels(**{**arguments, **changes})
    return found


def test_cells_are_counted_and_sorted_and_small_ones_dropped() -> None:
    found = toy()
    assert found.column.tolist() == [0, 1]
    assert found.row.tolist() == [0, 1]
    assert found.count.tolist() == [3, 4]
    assert found.images.tolist() == [2, 3]
    assert found.few_images.tolist() == [True, False]
    assert found.shown.tolist() == [7 / 8]
    assert found.minimum_count.tolist() == [3]
    assert (len(found), found.median_images) == (2, 2.5)


def test_a_tenth_of_the_median_is_the_minimum_of_full_levels() -> None:
    layout = np.repeat(np.array([[0.1, 0.9], [0.9, 0.1], [0.9, 0.9], [0.1, 0.1]], np.float32), [60, 42, 39, 4], axis=0)
    n = len(layout)
    # median of 60, 42, 39 and 4 is 40.5, a tenth 4.05, so 5 are needed
    (found,) = levels([np.ones((n, 2), np.float16)], layout, np.arange(n), [2], PLAIN)
    assert found.minimum_count.tolist() == [5]
    assert found.count.tolist() == [60, 39, 42]


def test_means_and_coherence_of_a_cell() -> None:
    found = toy()
    np.testing.assert_allclose(found.mean, [[2 / 3, 1 / 3], [2.0, 0.0]], rtol=1e-6)
    np.testing.assert_allclose(found.coherence, [np.sqrt(5) / 3, 1], rtol=1e-6)
    # pairs (a, a), (a, b), (a, b): cosines 1, 0, 0
    np.testing.assert_allclose(found.pair_cosine, [1 / 3, 1], rtol=1e-6)


def test_exemplars_come_from_the_cell_one_an_image() -> None:
    found = toy()
    assert found.exemplars[0].tolist() == [0, 2, -1, -1, -1, -1, -1, -1]
    assert found.exemplars[1].tolist() == [3, 4, 5, -1, -1, -1, -1, -1]


def test_seeds_come_from_all_samples_one_an_image() -> None:
    found = toy()
    # the lonely sample (1, 1) is nearest to the mean (2, 1) / 3, then the first sample of each image along (1, 0)
    assert found.seeds[0].tolist() == [7, 0, 3, 4, 5, 2, -1, -1]
    assert found.seeds[1].tolist() == [0, 3, 4, 5, 7, 2, -1, -1]


def cloud(n: int) -> dict[str, Any]:
    """Samples of some clusters, laid out at random in a part of the square, a handful of each image."""
    rng = np.random.default_rng(0)
    activations = np.maximum(rng.normal(size=(5, 24))[rng.integers(0, 5, n)] + 0.5 * rng.normal(size=(n, 24)), 0)
    covariance = np.cov(activations.T) + 0.02 * np.eye(24)
    values, vectors = np.linalg.eigh(covariance)
    matrix = (vectors / np.sqrt(values)) @ vectors.T
    return {
        "activations": [activations.astype(np.float16)],
        "layout": rng.random((n, 2), np.float32),
        "images": rng.integers(0, n // 6, n),
        "whitening": Whitening(activations.mean(axis=0).astype(np.float32), matrix.astype(np.float32), 1.0),
    }


def test_streamed_cells_are_those_of_all_samples_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    given = cloud(3000)
    whole = levels(**given, sides=[3, 8])
    monkeypatch.setattr("atlas_core.members.BLOCK", 256)
    monkeypatch.setattr("atlas_core.nearest.BLOCK_CELLS", 3000)
    parts = {"activations": np.array_split(given["activations"][0], 7)}
    for streamed, side, at_once in zip(levels(**{**given, **parts}, sides=[3, 8]), (3, 8), whole, strict=True):
        (alone,) = levels(**given, sides=[side])
        for name, table in streamed.to_tables().items():
            np.testing.assert_array_equal(table, at_once.to_tables()[name], err_msg=name)
            np.testing.assert_array_equal(table, alone.to_tables()[name], err_msg=name)


class Made:
    """Shards that are made each time they are gone through, and so never held together."""

    def __init__(self, rows: int, width: int) -> None:
        self.rows, self.width = rows, width

    def __iter__(self) -> Iterator[np.ndarray]:
        for first in range(0, self.rows, 1000):
            rng = np.random.default_rng(first)
            yield rng.random((min(1000, self.rows - first), self.width), np.float32).astype(np.float16)


def test_four_times_the_samples_take_a_few_numbers_each_and_not_their_activations() -> None:
    white = Whitening(np.zeros(256, np.float32), np.eye(256, dtype=np.float32), 1.0)

    def peak(rows: int) -> int:
        layout = np.random.default_rng(0).random((rows, 2), np.float32)
        return traced_peak(lambda: levels(Made(rows, 256), layout, np.arange(rows) // 8, [4, 8], white))

    peak(2000)  # compiles
    more = 24_000
    assert peak(8000 + more) - peak(8000) < 100 * more  # bytes, where activations take 512


def test_cells_of_a_level_are_what_their_samples_say() -> None:
    given = cloud(3000)
    (activations,), layout = given["activations"], given["layout"]
    (found,) = levels(**given, sides=[8])
    assert len(found) == 64
    place = assign_cells(layout, 8)
    directions = given["whitening"].directions(activations)
    for cell in range(0, 64, 7):
        inside = np.flatnonzero((place == [found.column[cell], found.row[cell]]).all(axis=1))
        mean = activations[inside].astype(np.float64).mean(axis=0)
        np.testing.assert_allclose(found.mean[cell], mean, rtol=1e-6)
        cosine = directions @ given["whitening"].directions(found.mean[cell : cell + 1])[0]
        for chosen, among in ((found.seeds[cell], np.arange(3000)), (found.exemplars[cell], inside)):
            best: list[int] = []
            for sample in among[np.argsort(-cosine[among])]:
                if given["images"][sample] not in given["images"][best]:
                    best.append(int(sample))
            assert chosen.tolist() == best[:8]


def test_a_level_survives_its_tables() -> None:
    found = toy()
    again = Level.from_tables(found.to_tables())
    assert all(np.array_equal(getattr(again, name), table) for name, table in found.to_tables().items())


def test_counts_of_a_random_level_sum_to_the_samples_shown() -> None:
    rng = np.random.default_rng(0)
    activations, layout, images = (
        [rng.normal(size=(5000, 2))],
        rng.random((5000, 2), np.float32),
        rng.integers(0, 300, 5000),
    )
    (found,) = levels(activations, layout, images, [20], PLAIN)
    assert found.count.sum() == round(5000 * found.shown[0])
    assert (np.diff(found.row.astype(int) * 20 + found.column) > 0).all()
    assert (found.images <= found.count).all()


def test_progress_is_told_and_cancels() -> None:
    told: list[tuple[int, int]] = []
    toy(on_progress=lambda done, steps: told.append((done, steps)))
    assert told == [(8, 16), (16, 16)]  # activations twice

    def cancel(done: int, steps: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        toy(on_progress=cancel)


def test_nothing_to_show_is_refused() -> None:
    with pytest.raises(LayoutError, match="coarser"):
        toy(sides=[50])
    with pytest.raises(LayoutError, match="one row"):
        toy(images=IMAGES[:3])
    for activations in ([], [ACTIVATIONS[:3]], [ACTIVATIONS, ACTIVATIONS], (part for part in [ACTIVATIONS])):
        with pytest.raises(LayoutError, match="one row"):
            toy(activations=activations)
