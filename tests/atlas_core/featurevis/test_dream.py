import numpy as np
import pytest
import torch

from atlas_core.featurevis.dream import CLIP, Change, direction_gain, layer_gain, render_dream
from atlas_core.featurevis.objectives import Whitener
from atlas_core.featurevis.parameterization import colour_matrix
from atlas_core.whitening import Whitening

GREY = torch.tensor([0.5, 0.5, 0.5])


class Redness(torch.nn.Module):
    """Two channels: red less green, and blue less green, averaged over squares of 4 pixels."""

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        red, green, blue = pixels.unbind(1)
        return torch.nn.functional.avg_pool2d(torch.stack([red - green, blue - green], 1), 4)


def _image(height: int = 32, width: int = 48) -> np.ndarray:
    shades = np.random.default_rng(0).integers(60, 190, (height // 8, width // 8, 3))
    return np.kron(shades, np.ones((8, 8, 1))).astype(np.uint8)


def _dream(**changes: object) -> np.ndarray:
    options = {"steps": 12, "rate": 0.2, "reach": 16.0, "key": 3, "mask": None, **changes}
    return render_dream(Redness(), _image(), layer_gain, torch.zeros(1, 1), GREY, colours=colour_matrix(3), **options)  # type: ignore[arg-type]


def test_no_change_shows_the_image_itself() -> None:
    image = torch.from_numpy(_image()).permute(2, 0, 1)[None] / 255
    change = Change(image, torch.ones(1, 1, 32, 48), 16, colour_matrix(3))
    assert (change.pixels(change.nothing()) - image).abs().max() < 1e-5
    assert image.min() > CLIP


def test_a_dream_has_the_images_shape_and_is_the_same_again() -> None:
    dreamt = _dream()
    assert dreamt.shape == (32, 48, 3)
    assert dreamt.dtype == np.uint8
    np.testing.assert_array_equal(dreamt, _dream())


def test_the_layer_grows_with_every_step() -> None:
    def energy(pixels: np.ndarray) -> float:
        return float(Redness()(torch.from_numpy(pixels).permute(2, 0, 1)[None] / 255).square().sum())

    grown = [energy(_image()), *(energy(_dream(steps=steps, rate=0.5)) for steps in (4, 16))]
    assert grown == sorted(grown)
    assert grown[-1] > 1.5 * grown[0]


def test_where_the_mask_is_black_not_a_value_changes() -> None:
    mask = np.zeros((32, 48), np.uint8)
    mask[:, :24] = 255
    dreamt, image = _dream(mask=mask), _image()
    np.testing.assert_array_equal(dreamt[:, 29:], image[:, 29:])
    assert np.abs(dreamt[:, :19].astype(int) - image[:, :19]).mean() > 5


def test_a_direction_grows_where_the_image_has_some_of_it() -> None:
    white = Whitening(np.zeros(2, np.float32), np.eye(2, dtype=np.float32), 1.0)
    gain = direction_gain(Whitener(white, torch.device("cpu")), 1)
    goal = torch.tensor([1.0, 0.0])[None, None, None]
    dreamt = render_dream(Redness(), _image(), gain, goal, GREY, steps=16, rate=0.2, reach=16, colours=colour_matrix(3),
                          key=1)  # fmt: skip
    before, after = (Redness()(torch.from_numpy(a).permute(2, 0, 1)[None] / 255) for a in (_image(), dreamt))
    there = before[:, 0] > 0.05
    assert after[:, 0][there].mean() > before[:, 0][there].mean() + 0.02
    assert after[:, 1][there].mean() < before[:, 1][there].mean() + 0.01


def test_a_directions_gain_is_an_icons_objective_at_every_position() -> None:
    white = Whitening(np.zeros(2, np.float32), np.eye(2, dtype=np.float32), 1.0)
    gain = direction_gain(Whitener(white, torch.device("cpu")), 1)
    activations = torch.tensor([[3.0, 4.0], [0.0, -2.0]]).T.reshape(1, 2, 1, 2)  # (3, 4) and (0, -2)
    # along (0, 1): 4 x .8 squared, and -2 x the floor .1 squared
    assert gain(activations, torch.tensor([0.0, 5.0])[None, None, None]).item() == pytest.approx(4 * 0.64 - 2 * 0.01)


def test_cancelling_is_raising() -> None:
    def cancel(step: int) -> None:
        if step == 3:
            raise RuntimeError("cancelled")

    with pytest.raises(RuntimeError, match="cancelled"):
        _dream(on_step=cancel)
