import pytest
import torch

from atlas_core.featurevis.ascent import Ascent

GREY = torch.tensor([0.5])


def climb(gain: float, steps: int, start: torch.Tensor, matrices: torch.Tensor | None = None) -> torch.Tensor:
    """Pictures of one channel whose parameters are their pixels' logits, raised in brightness times `gain`."""
    ascent = Ascent(
        torch.sigmoid, lambda pictures: pictures, lambda seen, goals: (seen.mean(dim=(1, 2, 3)) * goals).sum() * gain,
        GREY, steps, 0.1,
    )  # fmt: skip
    return ascent(start, torch.ones(len(start)), matrices)


def test_adam_climbs_with_a_falling_rate() -> None:
    start = torch.zeros(1, 1, 4, 4)
    # Adam's step is the rate while the gradient is steady, and rates fall from .1 to .1 / 8.
    far = sum(0.1 * (1 - step / 8) for step in range(8))
    assert torch.allclose(climb(1.0, 8, start), torch.full((1, 1, 4, 4), far), rtol=0.02)
    assert climb(-1.0, 8, start)[0, 0, 0, 0] < -0.3
    assert torch.equal(climb(1.0, 0, start), start)


def test_every_step_is_adams() -> None:
    goals = torch.tensor([0.9, 0.2]).reshape(2, 1, 1, 1)
    start = torch.tensor([0.3, -1.0, 2.0, 0.1], dtype=torch.float32).expand(2, 1, 1, 4)
    ascent = Ascent(torch.sigmoid, lambda pictures: pictures, lambda seen, goals: -((seen - goals) ** 2).sum(), GREY,
                    7, 0.4)  # fmt: skip
    value, first, second = start.double(), *torch.zeros(2, *start.shape, dtype=torch.float64)
    for step in range(7):
        shown = value.sigmoid()
        gradient = -2 * (shown - goals) * shown * (1 - shown)
        first, second = 0.9 * first + 0.1 * gradient, 0.999 * second + 0.001 * gradient**2
        root = (second / (1 - 0.999 ** (step + 1))).sqrt() + 1e-8
        value = value + 0.4 * (1 - step / 7) * first / (1 - 0.9 ** (step + 1)) / root
    torch.testing.assert_close(ascent(start, goals), value.float(), rtol=1e-4, atol=1e-4)


def test_each_picture_climbs_by_itself() -> None:
    starts = torch.randn(3, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    together = climb(1.0, 6, starts)
    for place in range(3):
        assert torch.allclose(climb(1.0, 6, starts[place : place + 1]), together[place : place + 1], atol=1e-6)


def test_a_climb_ends_when_nothing_moves() -> None:
    calls: list[int] = []
    ascent = Ascent(torch.sigmoid, lambda pictures: pictures, lambda seen, goals: (seen * goals).sum(), GREY, 100, 0.1)
    start = torch.zeros(2, 1, 4, 4)
    ascent(start, torch.zeros(2, 1, 1, 1), None, calls.append)
    assert calls == list(range(1, 9))
    calls.clear()
    reached = ascent(start, torch.tensor([0.0, 1.0]).reshape(2, 1, 1, 1), None, calls.append)
    assert 16 <= calls[-1] < 100  # white: more would not show
    assert torch.equal(reached[0], start[0])
    assert (reached[1] > 3).all()


def test_moves_are_seen_and_the_callback_cancels() -> None:
    start = torch.zeros(1, 1, 4, 4)
    away = torch.tensor([[[1.0, 0.0, 9.0], [0.0, 1.0, 9.0]]]).expand(8, 1, 2, 3)
    assert torch.equal(climb(1.0, 8, start, away), start)  # the picture is out of sight: nothing to gain

    def stop(step: int) -> None:
        raise KeyboardInterrupt

    ascent = Ascent(torch.sigmoid, lambda pictures: pictures, lambda seen, goals: seen.sum(), GREY, 4, 0.1)
    with pytest.raises(KeyboardInterrupt):
        ascent(start, torch.zeros(1), None, stop)
