from pathlib import Path
from typing import Any

import numpy as np
import pytest

from atlas_core import tables
from atlas_core.binning import assign_cells
from atlas_core.errors import ConflictError, LayoutError
from atlas_core.layout.placement import geometric_median, heaviest_cluster, neighbour_weights, spread_of
from atlas_core.projection import ProjectionIndex


def islands(n: int = 900, channels: int = 80) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Three islands of directions, each round one place of the map."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(3, channels))
    which = np.arange(n) % 3
    activations = (centres[which] + 0.3 * rng.normal(size=(n, channels))).astype(np.float16)
    places = np.array([[0.2, 0.2], [0.8, 0.3], [0.5, 0.9]])
    layout = (places[which] + 0.02 * rng.normal(size=(n, 2))).astype(np.float32)
    return activations, np.arange(n) // 9, layout


@pytest.fixture(scope="module")
def index() -> ProjectionIndex:
    activations, images, layout = islands()
    return ProjectionIndex.build([activations], images, layout)


def test_weights_fall_by_the_mean_excess_and_sum_to_one() -> None:
    # excess 0, 1, 2 over a mean of 1
    weights = neighbour_weights(np.array([3.0, 4, 5]))
    np.testing.assert_allclose(weights, np.array([1, np.exp(-1), np.exp(-2)]) / (1 + np.exp(-1) + np.exp(-2)))
    assert neighbour_weights(np.array([2.0, 2])).tolist() == [0.5, 0.5]


def test_the_median_stays_on_the_heavier_island_where_the_mean_does_not() -> None:
    points = np.array([[0, 0], [0, 0], [0, 0.01], [1, 1.0]])
    weights = np.array([0.25, 0.25, 0.2, 0.3])
    median = geometric_median(points, weights)
    assert np.linalg.norm(median) < 0.02
    assert np.linalg.norm(weights @ points) > 0.4


def test_the_median_of_a_triangle_is_its_fermat_point() -> None:
    triangle = np.array([[0, 0], [1, 0], [0.5, np.sqrt(3) / 2]])
    np.testing.assert_allclose(geometric_median(triangle, np.ones(3)), [0.5, np.sqrt(3) / 6], atol=1e-6)


def test_clusters_are_chains_of_near_points() -> None:
    chain = np.stack([np.arange(10) * 0.04, np.zeros(10)], axis=1)
    points = np.concatenate([chain, [[0.9, 0.9]]])
    weights = np.ones(11)
    assert heaviest_cluster(points, weights, 0.05) == pytest.approx(10 / 11)
    weights[10] = 30
    assert heaviest_cluster(points, weights, 0.05) == pytest.approx(30 / 40)


def test_clusters_of_many_rows_are_those_of_each() -> None:
    rng = np.random.default_rng(4)
    points, weights = rng.random((40, 15, 2)) * 0.3, rng.random((40, 15))
    shares = heaviest_cluster(points, weights, 0.05)
    assert 0.1 < shares.min() < shares.max() <= 1
    for row in range(40):
        linked = np.linalg.norm(points[row][:, None] - points[row], axis=-1) < 0.05
        reached = np.linalg.matrix_power(linked.astype(float), 15) > 0
        assert shares[row] == pytest.approx((reached @ weights[row]).max() / weights[row].sum())


def test_the_spread_is_the_weighted_mean_distance() -> None:
    points = np.array([[[0.5, 0.5], [0.5, 0.9], [0.8, 0.1]]])
    assert spread_of(points, np.array([[0.5, 0.25, 0.25]]), np.array([[0.5, 0.5]])) == pytest.approx(0.225)


def test_positions_land_on_their_island(index: ProjectionIndex) -> None:
    activations, _, layout = islands()
    placed = index.place(activations[:30].astype(np.float32) * 7)  # cosine: length does not matter
    error = np.hypot(placed.x - layout[:30, 0], placed.y - layout[:30, 1])
    assert error.max() < 0.1
    assert not placed.ambiguous.any()
    assert (placed.neighbours[:, 0] == np.arange(30)).all()


def test_neighbours_and_distance_are_exact_in_all_channels(index: ProjectionIndex) -> None:
    query = np.random.default_rng(5).normal(size=80)
    rows = index.activations.astype(np.float64)
    distance = 1 - rows @ query / np.linalg.norm(rows, axis=1) / np.linalg.norm(query)
    nearest = np.argsort(distance)[:15]
    placed = index.place(islands()[0][:1] * 0 + query.astype(np.float32))
    assert len(np.intersect1d(placed.neighbours[0], nearest)) >= 13  # candidates come from 64 of 80 channels
    assert placed.distance[0] == pytest.approx(distance[placed.neighbours[0]].mean(), abs=1e-5)


def test_a_row_is_placed_the_same_alone_in_company_and_in_any_order(index: ProjectionIndex) -> None:
    queries = np.random.default_rng(2).normal(size=(23, 80)).astype(np.float32)
    together = index.place(queries)
    backwards = index.place(queries[::-1])
    for row in range(23):
        alone = index.place(queries[row : row + 1])
        for name in ("x", "y", "spread", "ambiguous", "distance", "percentile", "neighbours"):
            bytes_of = getattr(alone, name)[0].tobytes()
            assert bytes_of == getattr(together, name)[row].tobytes(), name
            assert bytes_of == getattr(backwards, name)[22 - row].tobytes(), name


def test_a_perturbed_activation_stays_in_its_cell() -> None:
    activations, images, layout = islands(3000)
    index = ProjectionIndex.build([activations], images, layout)
    rng = np.random.default_rng(7)
    queries = activations[:600].astype(np.float64) * (1 + 0.1 * rng.normal(size=(600, 80)))
    cells = []
    for asked in (queries, queries * (1 + rng.uniform(-1e-6, 1e-6, queries.shape))):
        placed = index.place(asked)
        cells.append(assign_cells(np.stack([placed.x, placed.y], axis=1).astype(np.float32), 20))
    assert (cells[0] == cells[1]).all(axis=1).mean() >= 0.99


def test_between_two_islands_the_answer_is_ambiguous(index: ProjectionIndex) -> None:
    settled = ProjectionIndex.from_tables({**index.to_tables(), "layout": scattered(len(index.images))})
    assert settled.place(islands()[0][:5]).ambiguous.all()


def scattered(n: int) -> np.ndarray:
    return np.random.default_rng(3).random((n, 2)).astype(np.float32)


def test_own_image_is_left_out_where_it_is_named(index: ProjectionIndex) -> None:
    activations, images, _ = islands()
    placed = index.place(activations[:1], image=0)
    assert not (images[placed.neighbours] == 0).any()
    assert placed.distance[0] > index.place(activations[:1]).distance[0]


def test_the_percentile_is_calibrated_on_samples_of_other_images(index: ProjectionIndex) -> None:
    activations, images, _ = islands()
    percentiles = [index.place(activations[i : i + 1], image=int(images[i])).percentile[0] for i in range(0, 900, 7)]
    assert np.mean(percentiles) == pytest.approx(50, abs=5)
    assert index.place(-activations[:1]).percentile[0] == 100


def test_what_the_atlas_knows_is_typical(index: ProjectionIndex) -> None:
    activations, _, _ = islands()
    own, strange = activations[:8], -activations[:2]
    assert index.place(own).typical_share == 1
    assert index.place(strange).typical_share == 0
    assert index.place(np.concatenate([own, strange])).typical_share == 0.8


def test_an_index_survives_its_tables(index: ProjectionIndex) -> None:
    queries = np.random.default_rng(2).normal(size=(3, 80))
    again = ProjectionIndex.from_tables(tables.unpack(tables.pack(index.to_tables())))
    assert again.place(queries).x.tobytes() == index.place(queries).x.tobytes()


def test_an_index_of_an_earlier_version_is_refused(index: ProjectionIndex) -> None:
    earlier = {name: table for name, table in index.to_tables().items() if name != "slots"}
    with pytest.raises(ConflictError, match="earlier version"):
        ProjectionIndex.from_tables(earlier)


def test_an_index_made_in_a_file_from_shards_is_the_one_made_in_memory(index: ProjectionIndex, tmp_path: Path) -> None:
    activations, images, layout = islands()
    told: list[tuple[int, int]] = []
    streamed = ProjectionIndex.build(
        np.array_split(activations, 4),
        images,
        layout,
        into=lambda fields: tables.allocate_file(tmp_path / "t", fields),
        on_progress=lambda done, steps: told.append((done, steps)),
    )
    for name, table in streamed.to_tables().items():
        np.testing.assert_allclose(table, index.to_tables()[name], atol=1e-6, err_msg=name)
    assert told[0] == (225, 2700)
    assert told[-1] == (2700, 2700)
    with (tmp_path / "t").open("rb") as file:
        again = ProjectionIndex.from_tables(tables.open_table(file))
    queries = np.random.default_rng(2).normal(size=(3, 80))
    assert again.place(queries).x.tobytes() == streamed.place(queries).x.tobytes()


def test_a_large_index_looks_through_lists_and_finds_nearly_the_same(
    index: ProjectionIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("atlas_core.projection.EXACT_SAMPLES", 800)
    monkeypatch.setattr("atlas_core.projection.PROBES", 10)
    activations, images, layout = islands()
    listed = ProjectionIndex.build([activations], images, layout,
                                   into=lambda fields: tables.allocate_file(tmp_path / "t", fields))  # fmt: skip
    assert listed.lists is not None
    assert index.lists is None
    queries = activations[:100].astype(np.float32) + np.random.default_rng(1).normal(size=(100, 80)) * 0.1
    near = listed.lists.near(queries[0] / np.linalg.norm(queries[0]), probes=10)
    assert 15 < len(near) < 600
    assert (np.diff(near) > 0).all()
    placed, exact = listed.place(queries), index.place(queries)
    same = [len(np.intersect1d(a, b)) / 15 for a, b in zip(placed.neighbours, exact.neighbours, strict=True)]
    assert np.mean(same) > 0.95
    assert np.median(np.abs(placed.x - exact.x)) < 0.01
    with (tmp_path / "t").open("rb") as file:
        again = ProjectionIndex.from_tables(tables.open_table(file))
    assert again.place(queries).x.tobytes() == placed.x.tobytes()


def test_a_position_whose_lists_hold_only_its_own_image_is_compared_with_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("atlas_core.projection.EXACT_SAMPLES", 800)
    rng = np.random.default_rng(0)
    alone = (np.repeat(np.eye(40), 40, axis=0) + 0.01 * rng.normal(size=(1600, 40))).astype(np.float16)
    images = np.repeat(np.arange(40), 40)  # an image an island, a list for each
    index = ProjectionIndex.build([alone], images, rng.random((1600, 2)).astype(np.float32))
    placed = index.place(alone[:1], image=0)
    assert len(placed.neighbours[0]) == 15
    assert (images[placed.neighbours[0]] != 0).all()


def test_rows_and_samples_must_be_as_many() -> None:
    activations, images, layout = islands()
    for shards in ([], [activations[:-1]], [activations, activations[:1]], iter([activations])):
        with pytest.raises(LayoutError, match="one row"):
            ProjectionIndex.build(shards, images, layout)


def test_fewer_samples_than_neighbours_still_place() -> None:
    small = ProjectionIndex.build([np.eye(3)], np.arange(3), np.array([[0, 0], [1, 0], [0, 1]], np.float32))
    placed = small.place(np.array([[1, 0.01, 0]]))
    assert placed.neighbours.tolist() == [[0, 1, 2]]
    assert len(small.place(np.zeros((0, 3))).x) == 0


@pytest.mark.parametrize(
    ("activations", "words"),
    [(np.ones((1, 79)), "80 channels"), (np.full((1, 80), np.nan), "not finite"), (np.ones(80), "80 channels")],
)
def test_positions_that_do_not_fit_are_refused(index: ProjectionIndex, activations: Any, words: str) -> None:
    with pytest.raises(LayoutError, match=words):
        index.place(activations)


def test_an_index_of_one_image_is_refused() -> None:
    with pytest.raises(LayoutError, match="2 images"):
        ProjectionIndex.build([np.eye(3)], np.zeros(3, np.int64), np.zeros((3, 2), np.float32))
