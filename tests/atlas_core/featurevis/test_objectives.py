import numpy as np
import pytest
import torch

from atlas_core.featurevis.objectives import Whitener, centre, direction_objective, whitened_cosine
from atlas_core.whitening import Whitening


def test_literal_values() -> None:
    # along = 3, cosine = 3 / 5: 3 * .36; the second is at the floor: -1 * .01
    activations = torch.tensor([[3.0, 4.0], [-1.0, 0.0]])
    targets = torch.tensor([[2.0, 0.0], [7.0, 0.0]])
    assert direction_objective(activations[:1], targets[:1]).item() == pytest.approx(1.08)
    assert direction_objective(activations, targets).item() == pytest.approx(1.08 - 0.01)
    assert whitened_cosine(activations, targets).tolist() == pytest.approx([0.6, -1])


def test_the_targets_length_does_not_matter() -> None:
    activations, targets = torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0, 1.0]])
    assert direction_objective(activations, targets).item() == pytest.approx(
        direction_objective(activations, 100 * targets).item(), rel=1e-5
    )


def test_a_dead_layer_has_a_gradient_of_numbers() -> None:
    activations = torch.zeros(1, 2, requires_grad=True)
    (gradient,) = torch.autograd.grad(direction_objective(activations, torch.tensor([[1.0, 0.0]])), activations)
    assert torch.isfinite(gradient).all()


def test_whitening_centres_and_unstretches() -> None:
    whitening = Whitening(
        mean=np.array([1.0, 2.0], dtype=np.float32), matrix=np.diag([0.5, 2.0]).astype(np.float32), condition=16.0
    )
    whiten = Whitener(whitening, torch.device("cpu"))
    assert whiten(torch.tensor([[3.0, 5.0]])).tolist() == [[1.0, 6.0]]


def test_the_middle_positions_are_averaged() -> None:
    activations = torch.arange(25.0).reshape(1, 1, 5, 5)
    assert centre(activations, 1).item() == 12
    activations[0, 0, 1, 1] = 6 + 9
    assert centre(activations, 3).item() == 13
    assert centre(activations[..., :2, :2], 3).item() == pytest.approx((0 + 1 + 5 + 15) / 4)
