from dataclasses import replace

import numpy as np
import pytest
import torch

from atlas_core.cards import InputCard
from atlas_core.featurevis.logits import logit_gain, render_logits
from atlas_core.featurevis.parameterization import colour_matrix
from atlas_core.featurevis.recipes import recipe_named

CARD = InputCard(channels=3, height=24, width=32, mean=[0.5] * 3, std=[0.25] * 3)
RECIPE = replace(recipe_named("pure"), steps=20)


class Colours(torch.nn.Module):
    """Logits of red, green and blue; blue is cut off below an unlikely brightness, and nothing climbs from there."""

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        red, green, blue = (pixels - 0.5).mean(dim=(2, 3)).unbind(1)
        return torch.stack([red, green, torch.relu(blue)], dim=1)


def _render(classes: list[int], key: int = 9) -> np.ndarray:
    return render_logits(Colours(), RECIPE, classes, [key] * len(classes), width_of_logits=3, input=CARD,
                         colours=colour_matrix(3), device=torch.device("cpu"))  # fmt: skip


def test_the_gain_is_each_pictures_own_logit() -> None:
    logits = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert logit_gain(logits, torch.tensor([[0.0, 1.0], [1.0, 0.0]])).item() == pytest.approx(5.0)


def test_each_picture_raises_its_own_class() -> None:
    pictures = _render([0, 1, 2])
    assert pictures.shape == (3, 24, 32, 3)
    logits = Colours()(torch.from_numpy(pictures).permute(0, 3, 1, 2) / 255)
    assert logits.argmax(dim=1).tolist() == [0, 1, 2]
    assert (logits.amax(dim=1) > 0.1).all()


def test_a_picture_does_not_depend_on_its_companions() -> None:
    np.testing.assert_allclose(_render([1])[0], _render([0, 1])[1], atol=2)
