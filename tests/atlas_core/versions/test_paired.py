"""Two models on the same images, by numbers known from elsewhere."""

from __future__ import annotations

import numpy as np
import pytest

from atlas_core.versions.paired import compared, mcnemar


def answers(both: int, lost: int, won: int, neither: int) -> tuple[np.ndarray, np.ndarray]:
    old = [True] * (both + lost) + [False] * (won + neither)
    new = [True] * both + [False] * lost + [True] * won + [False] * neither
    return np.array(old), np.array(new)


def test_only_images_that_change_tell() -> None:
    found = compared(*answers(70, 12, 2, 16))
    assert (found.images, found.lost, found.won) == (100, 12, 2)
    assert [found.old, found.new] == pytest.approx([0.82, 0.72])
    assert found.change == pytest.approx(-0.1)
    assert found.p == pytest.approx(2 * (1 + 14 + 91) / 2**14)  # two or fewer of 14 coins
    middle, error = -10 / 102, np.sqrt(15 - 100 / 102) / 102
    assert [found.low, found.high] == pytest.approx([middle - 1.96 * error, middle + 1.96 * error], abs=1e-5)


def test_a_model_and_itself_do_not_differ() -> None:
    found = compared(*answers(80, 0, 0, 20))
    assert (found.change, found.p) == (0, 1)
    assert found.low < 0 < found.high
    assert found.high < 0.02


def test_as_many_for_the_better_as_for_the_worse_is_no_change() -> None:
    assert mcnemar(7, 7) == 1
    assert mcnemar(0, 6) == mcnemar(6, 0) == pytest.approx(2 / 64)
