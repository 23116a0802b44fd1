from __future__ import annotations

import numpy as np

from atlas_core.models.evidence import clearly_better, near_chance, percent


def answers(right: int, of: int, first: int = 0) -> np.ndarray:
    return np.isin(np.arange(of), np.arange(first, first + right))


def test_a_gain_needs_its_margin_and_three_deviations() -> None:
    own = answers(50, 100)
    assert clearly_better(answers(60, 100), own, 0.1)  # 10 wins, no loss: 10 > 3 √10
    assert not clearly_better(answers(59, 100), own, 0.1)
    assert not clearly_better(answers(59, 100), own, 0.05)  # 9 wins: 9 = 3 √9
    assert not clearly_better(answers(60, 100, first=20), own, 0.05)  # 30 wins and 20 losses
    assert not clearly_better(own, answers(60, 100), 0.0)


def test_chance_is_one_in_the_number_of_classes() -> None:
    assert near_chance(answers(2, 606), 1000)  # .6 expected, 2.3 in three deviations: 2.9
    assert not near_chance(answers(3, 606), 1000)
    assert near_chance(answers(242, 2000), 10)
    assert not near_chance(answers(243, 2000), 10)


def test_percent_has_one_decimal() -> None:
    assert percent(answers(1, 8)) == "12.5 %"
