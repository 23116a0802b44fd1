"""What a cell holds: how far its samples lie from one place, what is usual beside that, and who shows it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from atlas_core.stages.cellmates import LEAST_OTHERS, Cellmates

SIDE, EACH = 3, 12


def cellmates(wander: list[int], labels: list[int]) -> Cellmates:
    """A level of cells with 12 samples each, of one image each, on a grid of 10 x 10.

    Args:
        wander: By cell, how many positions lie between the three places of its samples, in row 1 from column 1 on.
        labels: By cell, the class of its images; the first image of each cell is of class 2.
    """
    shown = np.repeat(np.array(labels), EACH)
    shown[::EACH] = 2
    side = np.repeat(np.array(wander), EACH) * np.tile([0, 1, 2], len(shown) // 3)
    bench = SimpleNamespace(dataset=SimpleNamespace(listing=SimpleNamespace(labels=shown.astype(np.int32))))
    step = SimpleNamespace(plan=SimpleNamespace(model=SimpleNamespace(
        layer=lambda name: SimpleNamespace(shape=(4, 10, 10)))), inputs=lambda *stage, **which: [None])  # fmt: skip
    found = Cellmates(cast("Any", step), cast("Any", bench), "layer", SIDE)
    count = len(wander)
    column, row = np.arange(count) % SIDE, np.arange(count) // SIDE
    found.__dict__.update(
        level={"column": column, "row": row, "count": np.full(count, EACH), "mean": np.ones((count, 2), np.float32)},
        _members=(np.repeat(np.arange(count), EACH), np.arange(count * EACH)),
        _where=np.stack([np.full(count * EACH, 0.15), 0.15 + side / 10], axis=1),
    )
    return found


def test_a_mark_lies_at_one_place_and_what_shows_other_classes_usually_does_not() -> None:
    found = cellmates([0, 4, 4, 2, 2, 2, 2], [0, 0, 0, 1, 1, 1, 1]).described(0, 0)
    assert (found["count"], found["images"], found["labelled"], found["own"]) == (EACH, EACH, EACH, EACH - 1)
    assert (found["spread"], found["spread_error"]) == (0, 0)
    assert found["usual_spread"] is None  # four cells of other classes tell nothing
    assert LEAST_OTHERS == 5
    found = cellmates([0, 4, 2, 2, 2, 2, 4, 2], [0, 0, 1, 1, 1, 1, 1, 1]).described(0, 0)
    # Of the eleven samples of the class seven lie two positions from the middle one, one cell's four.
    assert found["usual_spread"] == pytest.approx(0.2)
    found = cellmates([4], [0]).described(0, 0)
    # Of eleven images four lie at 0 and seven at .4: a standard error below the middle lies .49 of the way between.
    assert (found["spread"], found["spread_error"]) == (0.4, pytest.approx(0.1015, abs=1e-4))


def test_pictures_of_other_classes_than_each_that_show_a_cell() -> None:
    assert cellmates([0], [0]).stray_images(0, 3).tolist() == [1, 12, 11]
