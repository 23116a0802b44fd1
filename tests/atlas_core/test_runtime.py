import numpy as np

from atlas_core import tables
from atlas_core.runtime import Recent


def test_what_was_asked_for_longest_ago_makes_room() -> None:
    made: list[str] = []
    kept: Recent[str] = Recent(2)
    for key in ("a", "b", "a", "c", "a", "b"):
        assert kept.get(key, lambda key=key: made.append(key) or key) == key  # type: ignore[misc, func-returns-value]
    assert made == ["a", "b", "c", "b"]


def test_tables_are_kept_by_their_bytes_and_the_last_one_always() -> None:
    made: list[int] = []
    kept: Recent[tables.Table] = Recent(1000, tables.size)

    def ask(size: int) -> None:
        kept.get(size, lambda: made.append(size) or {"a": np.zeros(size, np.uint8)})  # type: ignore[func-returns-value]

    for size in (400, 500, 400, 3000, 3000, 400, 600):
        ask(size)
    assert made == [400, 500, 3000, 400, 600]
    ask(400)
    assert made == [400, 500, 3000, 400, 600]
