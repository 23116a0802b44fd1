from collections.abc import Callable

import numpy as np

from atlas_core import tables
from atlas_core.runtime import Recent


def test_what_was_asked_for_longest_ago_makes_room() -> None:
    made: list[str] = []
    kept: Recent[str] = Recent(2)

    def maker(key: str) -> Callable[[], str]:
        def make() -> str:
            made.append(key)
            return key

        return make

    assert [kept.get(key, maker(key)) for key in "abacab"] == list("abacab")
    assert made == list("abcb")


def test_tables_are_kept_by_their_bytes_and_the_last_one_always() -> None:
    made: list[int] = []
    kept: Recent[tables.Table] = Recent(1000, tables.size)

    def ask(size: int) -> None:
        def make() -> tables.Table:
            made.append(size)
            return {"a": np.zeros(size, np.uint8)}

        kept.get(size, make)

    for size in (400, 500, 400, 3000, 3000, 400, 600):
        ask(size)
    assert made == [400, 500, 3000, 400, 600]
    ask(400)
    assert made == [400, 500, 3000, 400, 600]
