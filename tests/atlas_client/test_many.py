from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from atlas_client.errors import UnavailableError
from atlas_client.many import in_order, patiently


def test_answers_come_in_order_however_long_each_takes() -> None:
    def ask(number: int) -> int:
        time.sleep(0.02 * (3 - number % 4))
        return -number

    assert list(in_order(ask, range(12), 4)) == [-number for number in range(12)]


def test_no_more_is_taken_than_is_asked_about_at_a_time() -> None:
    taken: list[int] = []

    def endless() -> Iterator[int]:
        while True:
            taken.append(len(taken))
            yield taken[-1]

    answers = in_order(lambda number: number, endless(), 3)
    assert [next(answers) for _ in range(5)] == [0, 1, 2, 3, 4]
    assert len(taken) == 5 + 3 - 1
    answers.close()  # type: ignore[attr-defined]


def test_what_is_raised_is_raised_in_its_place() -> None:
    answers = in_order(lambda number: 6 // number, [3, 0, 2], 2)
    assert next(answers) == 2
    with pytest.raises(ZeroDivisionError):
        next(answers)


def test_a_busy_service_is_asked_again() -> None:
    refusals = [UnavailableError("busy", 0.01), UnavailableError("busy", 0.01)]

    def ask() -> str:
        if refusals:
            raise refusals.pop()
        return "answer"

    assert patiently(ask, 60) == "answer"


def test_patience_ends_and_is_none_with_who_cannot_be_reached() -> None:
    asked: list[float | None] = []

    def ask(retry_after: float | None) -> str:
        asked.append(retry_after)
        raise UnavailableError("busy", retry_after)

    with pytest.raises(UnavailableError):
        patiently(lambda: ask(0.01), 0)
    with pytest.raises(UnavailableError):
        patiently(lambda: ask(None), 60)
    assert asked == [0.01, None]
