import dataclasses
import itertools
from typing import Any

import numpy as np
import pytest

from atlas_core.binning import assign_cells
from atlas_core.errors import LayoutError
from atlas_core.polygon import Polygon
from atlas_core.search import NONE, Box, SampleTable, Wanted, curve

SAMPLES = 3000


@pytest.fixture(scope="module")
def table() -> SampleTable:
    """Samples in a few clumps and at all corners, with classes 0 to 2 or none."""
    rng = np.random.default_rng(4)
    middles = rng.random((6, 2))
    layout = (middles[rng.integers(0, 6, SAMPLES)] + rng.normal(0, 0.07, (SAMPLES, 2))).clip(0, 1)
    layout[:4] = list(itertools.product((0, 1), repeat=2))
    columns = {name: rng.integers(0, 9, SAMPLES) for name in ("image", "row", "column")}
    columns |= {name: rng.integers(NONE, 3, SAMPLES) for name in ("label", "predicted")}
    return SampleTable.build(layout.astype(np.float32), columns, np.array([1000, 0, 1500, 500]))


def numbers(table: SampleTable, rows: Any) -> list[int]:
    return sorted(table.sample[rows].tolist())


def test_the_curve_takes_the_bits_of_x_and_y_in_turn() -> None:
    points = np.array([[0, 0], [0.5, 0], [0, 0.5], [0.75, 0.25], [1, 1]], dtype=np.float32)
    assert curve(points).tolist() == [0, 1 << 30, 1 << 31, (1 << 30) + (1 << 29) + (1 << 28), 2**32 - 1]
    with pytest.raises(LayoutError, match="unit square"):
        curve(np.array([[0.5, np.nan]], dtype=np.float32))


def test_a_table_keeps_every_sample_once_with_what_is_known_of_it(table: SampleTable) -> None:
    assert (np.diff(table.code.astype(np.int64)) >= 0).all()
    assert numbers(table, slice(None)) == list(range(SAMPLES))
    assert (table.sample[table.place] == np.arange(SAMPLES)).all()
    assert table.shards.tolist() == [0, 1000, 1000, 2500, 3000]
    assert table.layout[table.place[:4]].tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]
    again = SampleTable.from_tables(table.to_tables())
    assert all((getattr(again, name) == values).all() for name, values in table.to_tables().items())


def test_samples_must_fit_their_points(table: SampleTable) -> None:
    columns = {name: np.zeros(3, int) for name in ("image", "row", "column", "label", "predicted")}
    for points, shards in ((2, [2]), (3, [2])):
        with pytest.raises(LayoutError, match="need as many samples"):
            SampleTable.build(np.zeros((points, 2), np.float32), columns, np.array(shards))


@pytest.mark.parametrize("side", [1, 3, 7, 40])
def test_cells_share_all_samples_among_them(table: SampleTable, side: int) -> None:
    cells = assign_cells(table.layout, side)
    found = []
    for column, row in itertools.product(range(side), repeat=2):
        rows = table.in_cell(side, column, row)
        assert rows.tolist() == np.flatnonzero((cells == [column, row]).all(axis=1)).tolist()
        found += rows.tolist()
    assert sorted(found) == list(range(SAMPLES))


def test_a_rectangle_holds_what_a_look_at_every_sample_finds(table: SampleTable) -> None:
    rng = np.random.default_rng(5)
    boxes = [np.sort(rng.random((2, 2)) ** power, axis=0) for power in (0.2, 1, 4) for _ in range(40)]
    boxes += [np.array(ends) for ends in ([[0, 0], [1, 1]], [[0, 0.5], [1, 0.5001]], [[0.3, 0], [0.3001, 1]])]
    for low, high in boxes:
        rows = table.inside(Box(*low, *high))
        x, y = table.layout.astype(np.float64).T
        inside = (x >= low[0]) & (y >= low[1]) & ((x < high[0]) | (high[0] == 1)) & ((y < high[1]) | (high[1] == 1))
        assert rows.tolist() == np.flatnonzero(inside).tolist()


def test_rectangles_that_tile_the_map_share_no_sample(table: SampleTable) -> None:
    edges = [0, 0.2, float(table.layout[7, 0]), 1]
    edges.sort()
    boxes = [Box(x0, y0, x1, y1) for x0, x1 in itertools.pairwise(edges) for y0, y1 in itertools.pairwise(edges)]
    assert sorted(itertools.chain(*(table.inside(box).tolist() for box in boxes))) == list(range(SAMPLES))


def test_a_small_rectangle_reads_a_small_part_of_a_large_table() -> None:
    rng = np.random.default_rng(6)
    columns = {name: np.zeros(200_000, int) for name in ("image", "row", "column", "label", "predicted")}
    table = SampleTable.build(rng.random((200_000, 2), dtype=np.float32), columns, np.array([200_000]))
    for box in (Box(0.31, 0.47, 0.36, 0.52), Box(0.499, 0.499, 0.501, 0.501), Box(0.2, 0.5, 0.4, 0.501)):
        read = len(table._about(box))
        area = (box.x1 - box.x0) * (box.y1 - box.y0)
        assert len(table.inside(box)) <= read < 200_000 * area * 2.6 + 200_000 * 0.2 * 0.03


@pytest.mark.parametrize("wanted", [Wanted(), Wanted(label=1), Wanted(label=2, predicted=0), Wanted(wrong=True)])
@pytest.mark.parametrize("count", [1, 20, SAMPLES + 1])
def test_the_nearest_to_a_point_are_those_of_all(table: SampleTable, wanted: Wanted, count: int) -> None:
    kept = wanted.of(table, np.arange(SAMPLES))
    for x, y in ((0.5, 0.5), (0, 1), (0.93, 0.07)):
        distance = np.hypot(*(table.layout[kept].astype(np.float64) - (x, y)).T)
        order = np.lexsort((table.sample[kept], distance))[:count]
        rows, found = table.near(x, y, count, wanted)
        assert rows.tolist() == kept[order].tolist()
        assert found.tolist() == distance[order].tolist()


def test_wanted_are_samples_of_a_label_a_prediction_and_of_errors(table: SampleTable) -> None:
    known = dataclasses.replace(table, label=np.array([0, 1, 1, NONE, 2]), predicted=np.array([0, 1, 0, 0, NONE]),
                                image=np.array([3, 7, 3, 0, 3]))  # fmt: skip
    rows = np.arange(5)
    among = np.zeros(SAMPLES, bool)
    among[known.sample[[1, 4]]] = True
    for wanted, expected in ((Wanted(among=among), [1, 4]), (Wanted(predicted=1, among=among), [1]),
                             (Wanted(right=True), [0, 1]), (Wanted(label=1, right=True), [1]),
                             (Wanted(), [0, 1, 2, 3, 4]), (Wanted(label=1), [1, 2]), (Wanted(predicted=0), [0, 2, 3]),
                             (Wanted(label=1, predicted=0), [2]), (Wanted(wrong=True), [2]),
                             (Wanted(label=0, wrong=True), []), (Wanted(image=3), [0, 2, 4]),
                             (Wanted(image=3, label=1), [2])):  # fmt: skip
        assert wanted.of(known, rows).tolist() == expected


def test_the_images_of_some_samples_with_how_many_each_has(table: SampleTable) -> None:
    known = dataclasses.replace(table, image=np.array([3, 7, 3, 0, 3]))
    images, counts = known.images(np.array([0, 1, 2]))
    assert (images.tolist(), counts.tolist()) == ([3, 7], [2, 1])
    assert [len(one) for one in known.images(np.zeros(0, int))] == [0, 0]


def test_a_polygon_finds_its_samples_among_all(table: SampleTable) -> None:
    polygon = Polygon([[0.1, 0.1], [0.9, 0.3], [0.5, 0.5], [0.8, 0.95], [0.05, 0.8]])
    expected = np.flatnonzero(polygon.holds(table.layout))
    assert 100 < len(expected) < SAMPLES / 2
    assert table.inside(polygon).tolist() == expected.tolist()
    wrong = Wanted(wrong=True)
    assert table.inside(polygon, wrong).tolist() == wrong.of(table, expected).tolist()
