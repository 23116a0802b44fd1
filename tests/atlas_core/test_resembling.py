from typing import Any

import numpy as np
import pytest

from atlas_core import projection
from atlas_core.errors import ImageError, InputError, UnknownLayerError
from atlas_core.nearest import unit_rows
from atlas_core.projection import ProjectionIndex
from atlas_core.resembling import Like, most_like, positions_of, resembling
from atlas_core.search import SampleTable
from tests.atlas_core.conftest import TinyAtlas
from tests.tiny import CLASSES, LAYER, SHAPE, picture

SAMPLES, CHANNELS = 4000, 24


@pytest.fixture(scope="module")
def activations() -> Any:
    rng = np.random.default_rng(8)
    middles = rng.normal(size=(12, CHANNELS))
    return (middles[rng.integers(0, 12, SAMPLES)] + rng.normal(0, 0.6, (SAMPLES, CHANNELS))).astype(np.float16)


def built(activations: Any) -> ProjectionIndex:
    layout = np.random.default_rng(9).random((SAMPLES, 2)).astype(np.float32)
    return ProjectionIndex.build([activations], np.arange(SAMPLES) // 4, layout)


@pytest.mark.parametrize("positions", [1, 5])
def test_the_most_like_are_those_of_all_samples(activations: Any, positions: int) -> None:
    index = built(activations)
    units = unit_rows(np.random.default_rng(positions).normal(size=(positions, CHANNELS)))
    keep = np.random.default_rng(1).random(SAMPLES) < 0.3
    far = 1 - unit_rows(activations).astype(np.float64) @ units.T.astype(np.float64)
    for mask in (None, keep):
        for count in (1, 100, SAMPLES):
            samples, distance, best = most_like(index, units, count, mask)
            among = np.arange(SAMPLES) if mask is None else np.flatnonzero(mask)
            expected = among[np.argsort(far[among].min(axis=1), kind="stable")][:count]
            assert samples.tolist() == expected.tolist()
            np.testing.assert_allclose(distance, far[samples].min(axis=1), atol=1e-6)
            assert best.tolist() == far[samples].argmin(axis=1).tolist()


def test_lists_find_nearly_all_that_a_look_at_everything_finds(
    activations: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    units = unit_rows(activations[[5, 1900]].astype(np.float32))
    exact = most_like(built(activations), units, 100)[0]
    monkeypatch.setattr(projection, "EXACT_SAMPLES", 1000)
    index = built(activations)
    assert index.lists is not None
    found = most_like(index, units, 100)[0]
    assert {5, 1900} <= set(found.tolist())
    assert len(np.intersect1d(found, exact)) >= 80


def test_positions_are_one_or_spread_over_the_inside() -> None:
    assert [values.tolist() for values in positions_of((5, 9), Like(1, 4, 0))] == [[4], [0]]
    rows, columns = positions_of((3, 31), Like(1))
    assert (set(rows.tolist()), len(columns)) == ({1}, 7)
    assert (columns[0], columns[-1]) == (1, 29)
    for outside in ((5, 0), (0, 9)):
        with pytest.raises(InputError, match="outside of the layer's grid of 5 rows and 9 columns"):
            positions_of((5, 9), Like(1, *outside))


def test_a_sample_of_the_atlas_is_most_like_itself(tiny_atlas: TinyAtlas) -> None:
    plan, runtime = tiny_atlas.plan, tiny_atlas.runtime
    found = SampleTable.from_tables(runtime.table(runtime.record(plan, plan.samples_of(LAYER).key)["blobs"]["samples"]))
    dataset = runtime.dataset(plan)
    for sample in (0, 77):
        place = found.place[sample]
        data = dataset.read(dataset.listing.images[found.image[place]])
        position = int(found.row[place]), int(found.column[place])
        answer = resembling(plan, runtime, data, LAYER, Like(3, *position))
        assert answer["sample"][0] == sample
        assert answer["distance"][0] < 1e-4
        assert answer["at"] == [list(position)] * 3


def test_a_whole_image_and_a_filter(tiny_atlas: TinyAtlas) -> None:
    plan, runtime = tiny_atlas.plan, tiny_atlas.runtime
    table = SampleTable.from_tables(runtime.table(runtime.record(plan, plan.samples_of(LAYER).key)["blobs"]["samples"]))
    answer = resembling(plan, runtime, picture(CLASSES[0], 500), LAYER, Like(30, label=1))
    assert {int(table.label[table.place[sample]]) for sample in answer["sample"]} == {1}
    assert answer["distance"] == sorted(answer["distance"])
    assert all(0 < row < SHAPE[1] - 1 and 0 < column < SHAPE[2] - 1 for row, column in answer["at"])
    row, column = answer["at"][0]
    alone = resembling(plan, runtime, picture(CLASSES[0], 500), LAYER, Like(1, row, column, 1))
    assert alone == {name: values[:1] for name, values in answer.items()}


def test_what_cannot_be_asked(tiny_atlas: TinyAtlas) -> None:
    plan, runtime = tiny_atlas.plan, tiny_atlas.runtime
    with pytest.raises(UnknownLayerError, match="no layer 'other'"):
        resembling(plan, runtime, picture(CLASSES[0], 1), "other", Like(1))
    with pytest.raises(ImageError):
        resembling(plan, runtime, b"text", LAYER, Like(1))
