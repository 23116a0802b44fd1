"""What a cell shows, found in other pictures: the place most like its mean, in those of other classes that have one."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from atlas_core.stages.bench import Sample
from atlas_core.stages.strays import Sought, _alike, strays
from atlas_core.whitening import Whitening

PLAIN = Whitening(np.zeros(2, np.float32), np.eye(2, dtype=np.float32), 1.0)
CELLS = Sought(suspect=np.array([4, 7]), target=np.array([0, 1]), mean=np.eye(2, dtype=np.float32),
               least=np.array([0.9, 0.5]))  # fmt: skip


def test_the_place_that_is_most_like_a_cell_is_found_in_pictures_of_other_classes_alone() -> None:
    activations = np.full((4, 2, 2, 3), -1.0, np.float32)
    activations[:, :, 1, 2] = np.array([[3, 0.5], [3, 0.5], [0, 2], [1, 1]])
    activations[0, :, 0, 1] = np.array([9, 1])  # more like the first cell than (1, 2) is, cosines of .994 and .986
    labels = np.array([1, 0, 1, -1])
    found = _alike(
        cast("Any", SimpleNamespace(whitening=PLAIN)), CELLS, activations, np.array([10, 11, 12, 13]), labels
    )
    rows = list(zip(*(found[name].tolist() for name in ("suspect", "target", "image", "row", "column")), strict=True))
    # The second picture is of the first cell's class and as unlike the second cell as the first; the last has no label.
    assert rows == [(4, 0, 10, 0, 1)]
    assert found["alike"].tolist() == pytest.approx([9 / np.sqrt(82)])
    labels[2] = 0  # no longer of the second cell's class
    found = _alike(
        cast("Any", SimpleNamespace(whitening=PLAIN)), CELLS, activations, np.array([10, 11, 12, 13]), labels
    )
    assert found["image"].tolist() == [10, 12]
    assert found["suspect"].tolist() == [4, 7]


def test_parts_are_put_together_by_likeness_whichever_part_found_what() -> None:
    names = ("suspect", "target", "image", "row", "column", "alike")
    rows = [[(4, 0, 10, 0, 1, 0.91), (7, 1, 12, 1, 2, 0.6)], [(4, 0, 9, 2, 0, 0.95), (4, 2, 9, 2, 0, 0.95)]]
    parts = [{name: np.array(values) for name, values in zip(names, zip(*part, strict=True), strict=True)}
             for part in rows]  # fmt: skip
    for order in (parts, parts[::-1]):
        records = [*({"blobs": {"found": part}} for part in order), {"blobs": {}}]
        step = SimpleNamespace(inputs=lambda stage, step, records=records: records,
                               table=lambda record, name: record["blobs"][name])  # fmt: skip
        assert strays(cast("Any", SimpleNamespace(step=step))) == {
            (4, 0): [Sample(9, 2, 0), Sample(10, 0, 1)], (7, 1): [Sample(12, 1, 2)], (4, 2): [Sample(9, 2, 0)]
        }  # fmt: skip
