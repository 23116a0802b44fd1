import numpy as np

from atlas_core.inverted import InvertedLists, nearest_centre
from atlas_core.nearest import unit_rows


def cloud(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Unit rows that vary along few directions, as activations do, four to an image."""
    rng = np.random.default_rng(seed)
    axes = np.random.default_rng(9).normal(size=(6, 32))
    return unit_rows(rng.normal(size=(n, 6)) @ axes + 0.1 * rng.normal(size=(n, 32))), np.arange(n) // 4


def exact(unit: np.ndarray, images: np.ndarray, queries: np.ndarray, own: np.ndarray, count: int) -> np.ndarray:
    similarity = queries @ unit.T
    similarity[own[:, None] == images[None]] = -2
    return np.argsort(-similarity, axis=1, kind="stable")[:, :count]


def test_every_sample_is_in_the_list_of_its_nearest_centre() -> None:
    unit, _ = cloud(900)
    lists = InvertedLists.build(unit)
    assert len(lists.centres) == 30
    assert sorted(lists.order) == list(range(900))
    home = np.empty(900, int)
    for number in range(30):
        home[lists.order[lists.start[number] : lists.start[number + 1]]] = number
    np.testing.assert_array_equal(home, nearest_centre(unit, lists.centres))
    again = InvertedLists.from_tables(lists.to_tables())
    assert again.order.tobytes() == InvertedLists.build(unit).order.tobytes()


def test_all_lists_give_the_exact_neighbours_of_other_images() -> None:
    unit, images = cloud(900)
    lists = InvertedLists.build(unit)
    found = lists.propose(unit, images, unit[:200], images[:200], 10, probes=30)
    np.testing.assert_array_equal(found, exact(unit, images, unit[:200], images[:200], 10))


def test_some_lists_give_nearly_all() -> None:
    unit, images = cloud(4000)
    queries, _ = cloud(500, seed=1)
    nobody = np.full(500, -1)
    found = InvertedLists.build(unit).propose(unit, images, queries, nobody, 15, probes=16)
    wanted = exact(unit, images, queries, nobody, 15)
    recall = np.mean([len(np.intersect1d(a, b)) / 15 for a, b in zip(found, wanted, strict=True)])
    assert recall > 0.97


def test_few_samples_leave_places_empty() -> None:
    unit, images = cloud(6)
    found = InvertedLists.build(unit).propose(unit, images, unit, images, 4)
    assert (found[:4, :2] >= 4).all()  # samples 4 and 5 are of another image
    assert (found[:4, 2:] == -1).all()


def test_lists_over_rows_that_are_fetched_are_the_same() -> None:
    unit, _ = cloud(900)
    held, fetched = InvertedLists.build(unit, seed=3), InvertedLists.over(lambda some: unit[some], 900, seed=3)
    for name, table in held.to_tables().items():
        assert table.tobytes() == fetched.to_tables()[name].tobytes()


def test_near_a_direction_are_all_samples_of_its_nearest_lists() -> None:
    unit, _ = cloud(900)
    lists = InvertedLists.build(unit)
    found = lists.near(unit[7], probes=2)
    nearest = np.argsort(-(lists.centres @ unit[7]))[:2]
    wanted = np.concatenate([lists.order[lists.start[number] : lists.start[number + 1]] for number in nearest])
    assert found.tolist() == sorted(wanted)
    assert 7 in found
    assert lists.near(unit[7], probes=99).tolist() == list(range(900))
