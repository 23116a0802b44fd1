import numpy as np
import pytest

from atlas_core.confusions import Confusions
from atlas_core.statistics import wilson


def logits(*probabilities: list[float]) -> np.ndarray:
    return np.asarray(np.log(np.array(probabilities)) + 3.0)  # a softmax does not see what is added to all


def test_pairs_are_counted_by_hand() -> None:
    found = Confusions(3)
    found.add(logits([0.7, 0.2, 0.1], [0.4, 0.5, 0.1]), np.array([0, 0]))
    found.add(logits([0.1, 0.8, 0.1], [0.2, 0.2, 0.6]), np.array([1, 2]))
    first, second, third = found.pairs(10)
    assert (first.first, first.second, first.images, first.confused) == (0, 1, 3, (1, 0))
    assert first.share == pytest.approx(1 / 3)
    assert first.interval == pytest.approx([float(end) for end in wilson(1, 3)])
    assert first.probability == pytest.approx((0.2 + 0.5 + 0.1) / 3)
    # Neither of the others is ever confused; that whose logits come closer is first.
    assert [(pair.first, pair.second) for pair in (second, third)] == [(1, 2), (0, 2)]
    assert second.probability == pytest.approx((0.1 + 0.2) / 2)
    assert third.probability == pytest.approx((0.1 + 0.1 + 0.2) / 3)
    assert found.images == 4
    assert found.pairs(1) == [first]


def test_many_sure_confusions_come_before_a_single_one() -> None:
    found = Confusions(4)
    often, never = [0.1, 0.8, 0.05, 0.05], [0.8, 0.1, 0.05, 0.05]
    found.add(logits(*[often] * 30, *[never] * 30), np.zeros(60, np.int32))
    found.add(logits([0.05, 0.05, 0.1, 0.8]), np.array([2]))
    pairs = [(pair.first, pair.second, round(pair.share, 2)) for pair in found.pairs(2)]
    assert pairs == [(0, 1, 0.5), (2, 3, 1.0)]


def test_images_without_a_class_or_of_one_that_the_model_has_not_are_left_out() -> None:
    found = Confusions(2)
    found.add(logits([0.3, 0.7], [0.4, 0.6], [0.5, 0.5]), np.array([-1, 2, 0]))
    (pair,) = found.pairs(5)
    assert (found.images, pair.images) == (1, 1)
    found.add(np.zeros((0, 2)), np.zeros(0, np.int32))
    assert found.images == 1
