"""Doubts about the order and the number of labels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import linear_sum_assignment

from atlas_core.models.evidence import clearly_better, near_chance, percent

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Indices = NDArray[np.int64]

MARGIN = 0.05
# a confusion matrix of more classes than this tells nothing that the usual orders do not
MOST_ASSIGNED_CLASSES = 2000


def size_warnings(
    labels: Sequence[str] | str | None, class_names: Sequence[str] | None, classes: int | None
) -> list[str]:
    """Lists of names that are not as long as the logits are wide."""
    lists = {"the model's labels": labels, "the dataset's classes": class_names}
    return [
        f"{name} are {len(names)}, the model's logits {classes}"
        for name, names in lists.items()
        if classes is not None and isinstance(names, Sequence) and not isinstance(names, str) and len(names) != classes
    ]


@dataclass(frozen=True)
class OrderDoubt:
    """Another order of the labels.

    Attributes:
        warning: What to tell the user.
        order: The logit of each label where that reading is clearly better than the card's, else None.
        share: Of right answers, so read.
        certain: Whether the names themselves say it.
    """

    warning: str
    order: Indices | None
    share: float
    certain: bool = False


def order_doubt(
    predicted: Indices,
    labels: Indices,
    classes: int,
    names: Sequence[str] | None,
    class_names: Sequence[str] | None,
) -> OrderDoubt | None:
    """Whether the labels stand in another order than the logits: by their names, a usual mistake, or any exchange.

    Args:
        predicted: Index of the strongest logit, shape (n,).
        labels: Index in the dataset's classes, shape (n,).
        classes: Width of the logits.
        names: The model's labels.
        class_names: The dataset's classes.
    """
    own = predicted == labels
    by_name = _by_name(names, class_names)
    if by_name is not None and (by_name != np.arange(len(by_name))).any():
        right = predicted == mapped(by_name, labels)
        return OrderDoubt(
            "the model's labels and the dataset's classes are the same names in different orders: "
            f"top-1 is {percent(right)} by name and {percent(own)} by index",
            by_name if clearly_better(right, own, MARGIN) else None,
            float(right.mean()),
            certain=True,
        )
    exchanged = _exchanged(predicted, labels, classes)
    orders = list(_usual_orders(classes, names, class_names))
    rights = [predicted == mapped(order, labels) for _, order in orders]
    best = int(np.argmax([right.mean() for right in rights]))
    # an exchange learned from the predictions contains every usual order, so it must beat the best of them
    if exchanged is not None and exchanged.share > rights[best].mean() + MARGIN:
        return exchanged
    right = rights[best]
    if near_chance(right, classes) or not clearly_better(right, own, MARGIN):
        return None
    description, order = orders[best]
    warning = f"the labels look {description}: so read, top-1 is {percent(right)} and not {percent(own)}"
    return OrderDoubt(warning, order, float(right.mean()))


def mapped(order: Indices, labels: Indices) -> Indices:
    """The logit of each label, -1 where the order does not reach it."""
    inside = labels < len(order)
    return np.where(inside, order[np.where(inside, labels, 0)], -1)


def _by_name(names: Sequence[str] | None, class_names: Sequence[str] | None) -> Indices | None:
    """The logit of each of the dataset's classes, where all are found among the model's labels."""
    if not names or not class_names:
        return None
    logits = {name.strip().casefold(): index for index, name in enumerate(names)}
    wanted = [name.strip().casefold() for name in class_names]
    if len(logits) != len(names) or not set(wanted) <= set(logits):
        return None
    return np.array([logits[name] for name in wanted], np.int64)


def _usual_orders(
    classes: int, names: Sequence[str] | None, class_names: Sequence[str] | None
) -> Iterator[tuple[str, Indices]]:
    """Ways in which labels go wrong, each as the logit of every label."""
    index = np.arange(classes, dtype=np.int64)
    yield "shifted by one (the logits begin with a background class)", index + 1
    yield "shifted by one (the labels begin with a background class)", index - 1
    yield "reversed", index[::-1].copy()
    as_text = np.array(sorted(range(classes), key=str), np.int64)
    yield "numbered in the alphabetical order of their numbers", as_text
    yield "to undo an alphabetical order of their numbers", np.argsort(as_text)
    for kind, listed in (("the model's labels", names), ("the dataset's classes", class_names)):
        if listed:
            alphabetical = np.array(sorted(range(len(listed)), key=listed.__getitem__), np.int64)
            yield f"to be in the alphabetical order of {kind}", alphabetical
            yield f"to belong into the alphabetical order of {kind}", np.argsort(alphabetical)


def _exchanged(predicted: Indices, labels: Indices, classes: int) -> OrderDoubt | None:
    """One fixed exchange of classes, learned on half the images, if that is clearly better on the other."""
    if classes > MOST_ASSIGNED_CLASSES:
        return None
    fair = (labels < classes) & (predicted < classes)
    shuffled = np.random.Generator(np.random.Philox(0)).permutation(np.flatnonzero(fair))
    learn, test = shuffled[::2], shuffled[1::2]
    if not len(test):
        return None
    counts = np.zeros((classes, classes), np.int64)
    np.add.at(counts, (labels[learn], predicted[learn]), 1)
    _, order = linear_sum_assignment(-counts)
    right, own = predicted[test] == order[labels[test]], predicted[test] == labels[test]
    if near_chance(right, classes) or not clearly_better(right, own, MARGIN):
        return None
    warning = (
        "the labels look to be in another order than the logits: with classes exchanged as the predictions suggest, "
        f"top-1 is {percent(right)} and not {percent(own)}"
    )
    return OrderDoubt(warning, order.astype(np.int64), float(right.mean()))
