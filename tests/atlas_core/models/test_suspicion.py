from __future__ import annotations

import numpy as np
import pytest

from atlas_core.models.preprocessing import to_unit
from atlas_core.models.suspicion import Alternative, Reservoir, alternatives
from tests.atlas_core.models.nets import input_card


def test_an_alternative_reaches_the_network_through_the_cards_normalisation() -> None:
    card = input_card()
    mean, std = np.array([0.1, 0.2, 0.3], np.float32), np.array([1, 2, 4], np.float32)
    given = np.random.default_rng(0).integers(0, 256, (2, 4, 4, 3), np.uint8)
    for reverse in (False, True):
        changed = Alternative("", mean, std, reverse).pixels(given, card)
        seen = (changed - np.reshape(card.mean, (3, 1, 1))) / np.reshape(card.std, (3, 1, 1))
        unit = to_unit(given[..., ::-1] if reverse else given)
        np.testing.assert_allclose(seen, (unit - mean.reshape(3, 1, 1)) / std.reshape(3, 1, 1), atol=1e-5)


def test_the_cards_own_convention_is_no_alternative() -> None:
    own = input_card(mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225])
    plain = [one.description for one in alternatives(own) if not one.reverse]
    assert "ImageNet's mean and deviation" not in plain
    assert "-1 to 1" in plain
    assert len(alternatives(own)) == 11  # five others in two orders, and the card's own in the other


@pytest.mark.parametrize("order", ["RGB", "BGR"])
def test_conventions_follow_the_colours(order: str) -> None:
    found = {(one.description, one.reverse): one for one in alternatives(input_card(order=order))}
    other = "BGR" if order == "RGB" else "RGB"
    imagenet = np.array([0.485, 0.456, 0.406], np.float32)
    straight = found["ImageNet's mean and deviation", False].mean
    turned = found[f"ImageNet's mean and deviation, {other}", True].mean
    np.testing.assert_array_equal(straight, imagenet if order == "RGB" else imagenet[::-1])
    np.testing.assert_array_equal(turned, straight[::-1])
    np.testing.assert_allclose(found[f"the card's mean and deviation, {other}", True].mean, [0.3, 0.4, 0.5])


def test_one_channel_has_its_own_conventions() -> None:
    found = list(alternatives(input_card(channels=1, mean=[0.5], std=[0.5])))
    assert {one.description for one in found} == {
        "0 to 1, not normalised",
        "0 to 255, not normalised",
        "MNIST's mean and deviation",
    }
    assert not any(one.reverse for one in found)


def test_a_reservoir_is_bounded_fair_and_the_same_again() -> None:
    def filled() -> Reservoir:
        reservoir = Reservoir()
        for first in range(0, 4000, 50):
            numbers = np.arange(first, first + 50)
            reservoir.add(np.broadcast_to(numbers.astype(np.uint8).reshape(-1, 1, 1, 1), (50, 1, 1, 1)), numbers)
        return reservoir

    pixels, labels = filled().arrays()
    assert len(labels) == 1456
    assert len(np.unique(labels)) == 1456
    np.testing.assert_array_equal(pixels.ravel(), labels.astype(np.uint8))
    assert abs(labels.mean() - 2000) < 100
    np.testing.assert_array_equal(labels, filled().arrays()[1])
