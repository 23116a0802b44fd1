from typing import Any

import numpy as np
import pytest

from atlas_core.binning import assign_cells
from atlas_core.cells import levels
from atlas_core.classes import CellClasses, classes_of_cells
from atlas_core.errors import LayoutError
from tests.atlas_core.test_cells import IMAGES, LAYOUT, Made, cloud
from tests.atlas_core.tiny import traced_peak

ATTRIBUTIONS = np.array(
    [[3, 0, 1], [3, 0, 1], [0, 6, 1], [0, 0, 1], [0, 0, 1], [2, 0, 1], [2, 0, 1], [9, 9, 9]], dtype=np.float16
)


def toy(**changes: Any) -> CellClasses:
    """Three samples in one cell, four in another, and a lonely one."""
    arguments: dict[str, Any] = {"attributions": [ATTRIBUTIONS], "layout": LAYOUT, "images": IMAGES, "sides": [2]}
    (found,) = classes_of_cells(**{**arguments, **changes})
    return found


def test_attribution_is_the_mean_over_the_samples() -> None:
    np.testing.assert_allclose(toy().attribution, [[2, 1], [2, 0], [1, 1]])


def test_top_classes_state_share_and_images_of_their_own_samples() -> None:
    found = toy()
    # means (2, 2, 1) and (1, 0, 1): ties go to the lower class
    assert found.top_class.tolist() == [[0, 1, 2], [0, 2, 1]]
    np.testing.assert_allclose(found.top_attribution, [[2, 2, 1], [1, 1, 0]])
    np.testing.assert_allclose(found.top_share, [[2 / 3, 1 / 3, 0], [0.5, 0.5, 0]])
    # samples 0 and 1 share image 5; 5 and 6 share image 3, 3 and 4 are two images
    assert found.top_images.tolist() == [[1, 1, 0], [1, 2, 0]]


def test_without_attributions_there_are_no_classes() -> None:
    found = toy(attributions=None)
    assert found.attribution.shape == (0, 2)
    assert found.top_class.shape == found.top_share.shape == found.top_images.shape == (2, 0)


def test_classes_are_of_the_cells_of_the_level_in_its_order_and_what_their_samples_say() -> None:
    given = cloud(3000)
    attributions = np.random.default_rng(1).normal(size=(3000, 12)).astype(np.float16)
    layout, images = given["layout"], given["images"]
    (level,) = levels(**given, sides=[8])
    (found,) = classes_of_cells([attributions], layout, images, [8])
    place = assign_cells(layout, 8)
    assert found.attribution.shape == (12, len(level))
    for cell in range(0, len(level), 7):
        inside = np.flatnonzero((place == [level.column[cell], level.row[cell]]).all(axis=1))
        mean = attributions[inside].mean(axis=0, dtype=float)
        np.testing.assert_allclose(found.attribution[:, cell], mean, atol=1e-6)
        assert found.top_class[cell].tolist() == np.argsort(-mean)[:5].tolist()
        speaks = attributions[inside].argmax(axis=1) == found.top_class[cell, 0]
        assert found.top_share[cell, 0] == pytest.approx(speaks.mean())
        assert found.top_images[cell, 0] == len(np.unique(images[inside[speaks]]))


def test_streamed_classes_are_those_of_all_samples_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    given = cloud(3000)
    attributions = np.random.default_rng(1).normal(size=(3000, 12)).astype(np.float16)
    whole = classes_of_cells([attributions], given["layout"], given["images"], [3, 8])
    monkeypatch.setattr("atlas_core.members.BLOCK", 256)
    parts = classes_of_cells(np.array_split(attributions, 4), given["layout"], given["images"], [3, 8])
    for streamed, at_once in zip(parts, whole, strict=True):
        for name, table in vars(streamed).items():
            np.testing.assert_array_equal(table, getattr(at_once, name), err_msg=name)


def test_four_times_the_samples_take_a_few_numbers_each_and_not_their_attributions() -> None:
    def peak(rows: int) -> int:
        layout = np.random.default_rng(0).random((rows, 2), np.float32)
        return traced_peak(lambda: classes_of_cells(Made(rows, 100), layout, np.arange(rows) // 8, [4, 8]))

    peak(2000)  # compiles
    more = 24_000
    assert peak(8000 + more) - peak(8000) < 100 * more  # bytes, where attributions take 200


def test_progress_is_told_and_cancels() -> None:
    told: list[tuple[int, int]] = []
    toy(on_progress=lambda done, rows: told.append((done, rows)))
    assert told == [(8, 8)]

    def cancel(done: int, rows: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        toy(on_progress=cancel)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(LayoutError, match="coarser"):
        toy(sides=[50])
    for attributions in ([], [ATTRIBUTIONS[:3]], [ATTRIBUTIONS, ATTRIBUTIONS]):
        with pytest.raises(LayoutError, match="one row"):
            toy(attributions=attributions)
