import pytest
import torch

from atlas_core.featurevis.deviates import normal, uniform

CPU = torch.device("cpu")
FIRST_OF_SPLITMIX64 = 0xE220A8397B1DCDAF  # the well-known first output for the seed 0


def test_deviates_hang_on_key_stream_and_place_alone() -> None:
    together = uniform([5, 6, 7], 1, 10, CPU)
    assert torch.equal(uniform([6], 1, 4, CPU)[0], together[1, :4])
    assert torch.equal(uniform([2**64 + 5], 1, 10, CPU)[0], together[0])
    assert not torch.equal(uniform([5], 2, 10, CPU)[0], together[0])
    assert len(torch.unique(together)) == 30


def test_it_is_splitmix64() -> None:
    # Key 0 of stream 0 is mixed to state 0, from which splitmix64 goes on as it does from the seed 0.
    assert uniform([0], 0, 1, CPU).item() == pytest.approx(((FIRST_OF_SPLITMIX64 >> 40) + 0.5) / 2**24)


def test_uniform_deviates_fill_the_interval_evenly() -> None:
    drawn = uniform(list(range(100)), 3, 1000, CPU).double()
    assert 0 < drawn.min() < 1e-4
    assert 1 - 1e-4 < drawn.max() < 1
    counts = torch.histc(drawn.flatten(), 20, 0, 1)
    assert (counts / 5000 - 1).abs().max() < 0.06
    centred = drawn - 0.5
    assert abs((centred[:, 1:] * centred[:, :-1]).mean() * 12) < 0.01  # neighbours in place
    assert abs((centred[1:] * centred[:-1]).mean() * 12) < 0.01  # neighbours in key


def test_normal_deviates_are_normal() -> None:
    drawn = normal(list(range(50)), 1, 1000, CPU).double()
    assert drawn.shape == (50, 1000, 2)
    assert drawn.mean().item() == pytest.approx(0, abs=0.01)
    assert drawn.std().item() == pytest.approx(1, abs=0.01)
    assert (drawn**4).mean().item() == pytest.approx(3, abs=0.1)
    assert abs((drawn[..., 0] * drawn[..., 1]).mean()) < 0.01
