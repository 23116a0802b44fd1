from typing import Any

import numpy as np

from atlas_core.flows import flow
from atlas_core.layout.twins import twins

# Five samples of three images; on the other map sample 3's point fell onto another's position.
OWN: dict[str, Any] = {"image": np.array([0, 0, 1, 1, 4], np.int32), "point": np.array([0, 1, 0, 2, 0], np.int16)}
OTHER: dict[str, Any] = {
    "image": np.array([0, 0, 1, 4], np.int32),
    "point": np.array([0, 1, 0, 0], np.int16),
    "layout": np.array([[0.1, 0.9], [0.9, 0.1], [0.8, 0.2], [1, 1]], np.float32),
}


def told(samples: list[int], side: int = 2) -> list[tuple[int, int, int]]:
    found = flow(np.array(samples, dtype=np.int64), OWN, OTHER, side)
    return list(zip(found.column.tolist(), found.row.tolist(), found.count.tolist(), strict=True))


def test_samples_are_followed_to_their_twins_cells_the_fullest_first() -> None:
    assert told([0, 1, 2, 4]) == [(1, 1, 2), (0, 0, 1), (1, 0, 1)]  # row 0 is the top row
    assert told([4], side=10) == [(9, 0, 1)]


def test_what_has_no_twin_is_left_out_and_shares_are_of_the_rest() -> None:
    found = flow(np.array([3, 1, 2, 0]), OWN, OTHER, 2)
    assert found.points.tolist() == OTHER["layout"][[1, 2, 0]].tolist()
    assert found.share.tolist() == [2 / 3, 1 / 3]


def test_nothing_leads_nowhere() -> None:
    assert told([]) == told([3]) == []
    assert flow(np.array([3]), OWN, OTHER, 2).share.tolist() == []


def test_twins_are_those_that_are_found_among_all() -> None:
    rng = np.random.default_rng(3)
    halves: list[dict[str, Any]] = []
    for _ in range(2):  # of 60 images up to six points each, some of which fell onto others
        kept = np.flatnonzero(rng.random(360) < 0.7)
        points = rng.random((len(kept), 2)).astype(np.float32)
        halves.append({"image": kept // 6, "point": kept % 6, "layout": points})
    own, other = halves
    samples = rng.permutation(len(own["image"]))[:100]
    twin = twins(own["image"][samples], own["point"][samples], other["image"], other["point"])
    assert (twin < 0).any()
    assert flow(samples, own, other, 5).points.tolist() == other["layout"][twin[twin >= 0]].tolist()
