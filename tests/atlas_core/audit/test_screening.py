"""The first stage keeps what turns images into a class beyond what pasting anything does."""

from __future__ import annotations

import numpy as np
import pytest

from atlas_core.audit.screening import Candidate, Screened, allowance, candidates

PURE = np.ones((30, 3))
NO_STRAYS = np.zeros((30, 3), np.int64)
LABELS = np.tile([0, 1, 2, 0], (4, 1))


def screened(
    predicted: list[list[int]], target: list[int], gain: list[float], size: list[int] | None = None
) -> Screened:
    count = len(predicted)
    return Screened(np.arange(count), np.array(size or [0] * count), np.array(target), LABELS[:count],
                    np.array(predicted), np.array(gain))  # fmt: skip


def test_flips_count_beyond_those_of_all_tests() -> None:
    # Pasting anything turns the second image into class 2; only the last test turns others into class 1.
    found = screened([[0, 2, 2, 0], [0, 2, 2, 0], [0, 2, 2, 0], [1, 1, 2, 1]], [2, 2, 0, 1], [3.0, 4.0, 0.0, 1.0])
    kept = candidates(found, 3, 1.0, 2, [0.25], PURE, NO_STRAYS)
    assert kept[0] == Candidate(suspect=3, size=0, target=1)


def test_the_class_is_what_images_turn_into_whatever_the_cell_was_thought_to_speak_for() -> None:
    found = screened([[1, 1, 1, 1], [0, 1, 2, 0], [0, 1, 2, 0]], [2, 2, 0], [9.0, 0.0, 0.0])
    assert candidates(found, 3, 0.1, 1, [0.25], PURE, NO_STRAYS) == [Candidate(0, 0, 1)]


def test_without_any_flip_the_gain_decides() -> None:
    found = screened([[0, 1, 2, 0]] * 3, [2, 0, 1], [0.1, 0.9, 0.5])
    assert [one.suspect for one in candidates(found, 3, 1.0, 3, [0.25], PURE, NO_STRAYS)] == [1, 2, 0]
    assert [one.target for one in candidates(found, 3, 1.0, 3, [0.25], PURE, NO_STRAYS)] == [0, 1, 2]


def test_of_larger_patches_more_is_asked_and_of_what_is_not_of_the_class_most() -> None:
    found = Screened(np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1]), np.array([1, 1, 1, 1]), LABELS,
                     np.array([[1, 1, 1, 0], [1, 1, 1, 1], [0, 1, 2, 0], [0, 1, 2, 0]]), np.zeros(4))  # fmt: skip
    kept = candidates(found, 3, 1.0, 9, [0.25, 0.5], PURE, NO_STRAYS)
    # The larger one turns all of them, with four times the area.
    assert [(one.suspect, one.size) for one in kept] == [(0, 0), (1, 0)]
    # Where other classes' pictures show it too no more is asked of it, but what is not like that is asked more.
    kept = candidates(found, 3, 1.0, 9, [0.25, 0.5], PURE, np.full((2, 3), 3))
    assert [(one.suspect, one.size) for one in kept] == [(0, 1), (0, 0), (1, 0)]
    foreign = candidates(found, 3, 1.0, 9, [0.25, 0.5], np.zeros((2, 3)), NO_STRAYS)
    assert [(one.suspect, one.size) for one in foreign] == [(0, 0), (1, 0)]
    assert [one.size for one in candidates(found, 3, 1.0, 1, [0.25, 0.26], PURE, NO_STRAYS)] == [1]
    two = Screened(np.array([0, 1]), np.array([0, 0]), np.array([1, 1]), LABELS[:2],
                   np.array([[1, 1, 1, 1], [1, 1, 1, 1]]), np.zeros(2))  # fmt: skip
    assert candidates(two, 3, 1.0, 1, [0.25], np.array([[0.0, 0, 0], [0, 1, 0]]), NO_STRAYS)[0].suspect == 1


def test_at_least_twelve_are_kept_where_there_are_as_many_and_the_budget_allows() -> None:
    rows = 30
    found = Screened(np.arange(rows), np.zeros(rows, np.int64), np.ones(rows, np.int64), np.tile([0, 0], (rows, 1)),
                     np.tile([0, 0], (rows, 1)), np.arange(rows, dtype=float))  # fmt: skip
    assert len(candidates(found, 2, 0.1, 100, [0.25], PURE[:, :2], NO_STRAYS[:, :2])) == 12
    assert len(candidates(found, 2, 0.5, 100, [0.25], PURE[:, :2], NO_STRAYS[:, :2])) == 15
    assert len(candidates(found, 2, 0.5, 4, [0.25], PURE[:, :2], NO_STRAYS[:, :2])) == 4
    none, no_pastes = np.zeros(0, np.int64), np.zeros((0, 2), np.int64)
    assert (
        candidates(
            Screened(none, none, none, no_pastes, no_pastes, np.zeros(0)),
            2,
            0.5,
            4,
            [0.25],
            PURE[:, :2],
            NO_STRAYS[:, :2],
        )
        == []
    )


def test_patches_must_clear_more_the_larger_they_are() -> None:
    assert [allowance(share) for share in (0.1, 0.25, 0.5)] == pytest.approx([1, 1, 4])
