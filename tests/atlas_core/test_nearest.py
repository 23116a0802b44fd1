import numpy as np
import pytest

from atlas_core.errors import LayoutError
from atlas_core.nearest import NO_IMAGE, Nearest, offer_rows, unit_rows


def offered(similarities: list[float], images: list[int], query_image: int, *, one: bool, blocks: int = 1) -> Nearest:
    best = Nearest.empty(1, 3)
    for part in np.array_split(np.arange(len(images)), blocks):
        row = np.array([similarities], dtype=np.float32)[:, part]
        best.offer(row, part, np.array(images)[part], np.array([query_image]), one_an_image=one)
    return best


@pytest.mark.parametrize("blocks", [1, 2, 6])
def test_the_most_similar_are_kept_and_ties_go_to_the_first(blocks: int) -> None:
    best = offered([0.1, 0.5, 0.9, 0.5, 0.5, 0.2], [0, 1, 2, 3, 4, 5], NO_IMAGE, one=False, blocks=blocks)
    assert best.index.tolist() == [[2, 1, 3]]


def test_the_query_image_is_left_out() -> None:
    assert offered([0.1, 0.5, 0.9, 0.4], [0, 1, 2, 3], 2, one=False).index.tolist() == [[1, 3, 0]]


@pytest.mark.parametrize("blocks", [1, 3, 7])
def test_one_an_image_keeps_the_best_of_each(blocks: int) -> None:
    similarities = [0.3, 0.8, 0.9, 0.7, 0.2, 0.95, 0.6]
    best = offered(similarities, [0, 1, 1, 1, 2, 2, 3], NO_IMAGE, one=True, blocks=blocks)
    assert best.index.tolist() == [[5, 2, 6]]
    assert best.image.tolist() == [[2, 1, 3]]


def test_one_an_image_agrees_with_sorting_everything() -> None:
    rng = np.random.default_rng(0)
    similarities, images = rng.random((5, 200)).astype(np.float32), rng.integers(0, 20, 200)
    best = Nearest.empty(5, 8)
    best.offer(similarities, np.arange(200), images, np.full(5, NO_IMAGE), one_an_image=True)
    for row in range(5):
        expected: list[int] = []
        for sample in np.argsort(-similarities[row]):
            if images[sample] not in images[expected]:
                expected.append(int(sample))
        assert best.index[row].tolist() == expected[:8]


def test_lists_that_are_not_full_say_so() -> None:
    best = offered([0.4], [0], NO_IMAGE, one=True)
    assert best.index.tolist() == [[0, -1, -1]]


def test_unit_rows_keep_zeros_and_do_not_overflow() -> None:
    rows = np.array([[3, 4], [0, 0], [60000, 0]], dtype=np.float16)
    np.testing.assert_allclose(unit_rows(rows), [[0.6, 0.8], [0.0, 0.0], [1.0, 0.0]], atol=1e-7)


def test_bad_activations_are_refused() -> None:
    with pytest.raises(LayoutError, match="sample 1"):
        unit_rows(np.array([[1.0, 2], [np.inf, 0]]))
    with pytest.raises(LayoutError, match="shape"):
        unit_rows(np.ones(3))


@pytest.mark.parametrize("cells", [1, 10_000])
def test_rows_offered_part_by_part_leave_the_best_of_each_image(cells: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("atlas_core.nearest.BLOCK_CELLS", cells)
    angles = np.radians([100, 10, 5, 60, -20, 12])
    rows = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    images = np.array([0, 1, 1, 2, 3, 4])
    best = Nearest.empty(2, 4)
    for part in (slice(0, 2), slice(2, 6)):
        offer_rows(best, np.eye(2, dtype=np.float32), rows[part], part.start, images[part])
    assert best.index.tolist() == [[2, 5, 4, 3], [0, 3, 5, 1]]
