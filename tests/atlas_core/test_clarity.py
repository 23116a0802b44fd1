from __future__ import annotations

import numpy as np
import pytest

from atlas_core.clarity import are_clear, clarity_scale


def test_the_scale_is_what_one_cell_in_twenty_reaches() -> None:
    strongest = np.arange(101) / 100  # of logits
    assert clarity_scale(strongest, np.full(101, 30)) == pytest.approx(0.95)


def test_cells_of_few_samples_do_not_stretch_the_scale() -> None:
    strongest, count = np.array([0.2, 0.2, 0.2, 9.0]), np.array([40, 40, 40, 3])
    assert clarity_scale(strongest, count) == pytest.approx(0.2)


def test_under_a_tenth_of_the_scale_a_cell_has_no_clear_class() -> None:
    strongest = np.array([1.0] * 20 + [0.1001, 0.0999, 0.0, -0.5])
    assert are_clear(strongest, np.full(24, 30)).tolist() == [True] * 21 + [False] * 3


def test_where_no_cell_adds_to_any_class_none_is_clear() -> None:
    assert not are_clear(np.array([-0.2, -0.1, 0.0]), np.array([20, 20, 20])).any()
