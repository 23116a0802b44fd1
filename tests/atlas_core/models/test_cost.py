from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest
import torch
from torch import nn

from atlas_core.models import cost
from atlas_core.models.cost import layer_shares, measure_cost
from tests.atlas_core.tiny import TinyModel


@pytest.fixture
def ticks() -> Iterator[float]:
    """A clock that is one second later whenever it is looked at."""
    return (float(tick) for tick in count())


def _network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))


def test_a_pass_is_timed_for_one_image_of_a_batch(ticks: Iterator[float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cost, "LATE", 2.0)  # no look at heads
    model = TinyModel(_network(), (3, 8, 8))
    found = measure_cost(model, lambda: next(ticks))
    assert found["forward_seconds"] == 1 / cost.BATCH
    assert found["closed"] == []


def test_a_layer_is_over_when_what_makes_it_has_run(ticks: Iterator[float]) -> None:
    model = TinyModel(_network(), (3, 8, 8))
    # Input, convolution, ReLU, pool, flattening, head, output: seven nodes, and a last look at the clock.
    assert layer_shares(model, lambda: next(ticks)) == {
        "0": 2 / 8, "1": 3 / 8, "2": 4 / 8, "3": 5 / 8, "4": 6 / 8
    }  # fmt: skip


def test_late_layers_with_a_linear_head_are_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    model = TinyModel(_network(), (3, 8, 8))
    monkeypatch.setattr(cost, "LATE", 0.1)
    closed = measure_cost(model, iter(range(1_000_000)).__next__)["closed"]
    assert ("0" in closed, "1" in closed) == (False, True)  # behind the convolution there is a ReLU
    monkeypatch.setattr(cost, "LATE", 0.9)
    assert measure_cost(model, iter(range(1_000_000)).__next__)["closed"] == []


def test_nothing_stays_hooked() -> None:
    model = TinyModel(_network(), (3, 8, 8))
    measure_cost(model, iter(range(1_000_000)).__next__)
    assert all(not module._forward_hooks for module in model.network().module.modules())
