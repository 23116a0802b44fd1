from __future__ import annotations

import numpy as np
import pytest

from atlas_core.models.labels import mapped, order_doubt

CLASSES = 12


def answers(share: float = 0.8, count: int = 600) -> tuple[np.ndarray, np.ndarray]:
    """Predictions of which this share is right, and the truth."""
    random = np.random.default_rng(0)
    truth = random.integers(0, CLASSES, count)
    return np.where(random.random(count) < share, truth, random.integers(0, CLASSES, count)), truth


def test_the_right_order_raises_no_doubt() -> None:
    predicted, truth = answers()
    assert order_doubt(predicted, truth, CLASSES, None, None) is None
    assert order_doubt(predicted, truth, CLASSES, list("lkjihgfedcba"), list("abcdefghijkl")[::-1]) is None


@pytest.mark.parametrize(
    ("order", "says"),
    [
        (np.arange(CLASSES) - 1, "logits begin with a background class"),
        (np.arange(CLASSES) + 1, "labels begin with a background class"),
        (np.argsort(np.argsort([str(index) for index in range(CLASSES)])), "alphabetical order of their numbers"),
    ],
)
def test_usual_mistakes_have_names(order: np.ndarray, says: str) -> None:
    predicted, truth = answers()
    labels = order[truth]
    inside = (labels >= 0) & (labels < CLASSES)
    doubt = order_doubt(predicted[inside], labels[inside], CLASSES, None, None)
    assert doubt is not None
    assert says in doubt.warning
    assert doubt.order is not None
    assert (mapped(doubt.order, labels[inside]) == truth[inside]).all()


def test_labels_sorted_by_name_are_found() -> None:
    predicted, truth = answers()
    names = list("hbcadefglijk")
    labels = np.argsort(np.argsort(names))[truth]
    doubt = order_doubt(predicted, labels, CLASSES, names, None)
    assert doubt is not None
    assert "alphabetical order of the model's labels" in doubt.warning


def test_any_exchange_is_found_from_the_predictions() -> None:
    predicted, truth = answers()
    exchange = np.random.default_rng(5).permutation(CLASSES)
    doubt = order_doubt(predicted, exchange[truth], CLASSES, None, None)
    assert doubt is not None
    assert "classes exchanged as the predictions suggest" in doubt.warning
    assert doubt.order is not None
    assert (mapped(doubt.order, exchange[truth]) == truth).all()


def test_one_image_a_class_suggests_no_exchange() -> None:
    labels = np.random.default_rng(0).permutation(200)
    predicted = np.random.default_rng(1).permutation(200)
    assert order_doubt(predicted, labels, 200, None, None) is None


def test_guesses_raise_no_doubt() -> None:
    predicted, truth = answers(share=0.0)
    assert order_doubt(predicted, truth, CLASSES, None, None) is None
    nothing = np.zeros(0, np.int64)
    assert mapped(np.arange(3), np.array([0, 2, 5])).tolist() == [0, 2, -1]
    assert mapped(np.arange(3), nothing).tolist() == []


def test_the_same_names_in_another_order_are_told() -> None:
    predicted, truth = answers(share=1.0)
    names = [f"name {index}" for index in range(CLASSES)]
    doubt = order_doubt(predicted, truth, CLASSES, names, [name.upper() for name in names[::-1]])
    assert doubt is not None
    assert doubt.warning.endswith("top-1 is 0.0 % by name and 100.0 % by index")
    assert doubt.order is None
