"""Dreams: an image changed so that something grows stronger in it, wherever it is there already.

What moves is the spectrum of the change, nothing at first, added to the image's logits: so the image stays what it is
where nothing pulls. Deviations from DeepDream (Mordvintsev, Olah, Tyka 2015): one scale and Adam on the spectrum
instead of octaves of normalised gradients. Structures wider than half the receptive field are held back, or the dream
would be a wash of colour.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the usual name

from atlas_core.featurevis.ascent import Ascent
from atlas_core.featurevis.objectives import COSINE_FLOOR, COSINE_POWER, TINY, Whitener, around
from atlas_core.featurevis.parameterization import SPECTRUM_GAIN, Spectrum, as_levels
from atlas_core.featurevis.recipes import Recipe
from atlas_core.featurevis.transforms import transform_table

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from torch import nn

CLIP = 1 / 512
"""Of pixels before their logit, which of black and white would have no bound."""
SHIFT = 8.0
MASK_BLUR = 4
WIDEST_SHARE = 0.5
"""Of the receptive field: the widest structure that a dream draws as freely as finer ones."""


class Change:
    """An image and a change of it.

    Args:
        image: In 0..1, shape (1, channels, height, width).
        mask: How far each pixel may change, in 0..1, shape (1, 1, height, width).
        widest: Structures wider than this, in pixels, change no faster than those so wide.
        colours: Of the data, shape (channels, channels).
    """

    def __init__(self, image: torch.Tensor, mask: torch.Tensor, widest: float, colours: NDArray[np.float32]) -> None:
        height, width = image.shape[2:]
        self.image, self.mask = image, mask
        spectrum = Spectrum(colours, height, width, image.device)
        self.scale = spectrum.scale.clamp(max=max(1.0, widest)) / SPECTRUM_GAIN
        self.colours, self.size = spectrum.colours, (height, width)
        self.logits = torch.logit(image, eps=CLIP)

    def nothing(self) -> torch.Tensor:
        """The parameters of no change, shape (1, channels, height, width // 2 + 1, 2)."""
        return self.image.new_zeros((*self.image.shape[:2], self.size[0], self.size[1] // 2 + 1, 2))

    def pixels(self, parameters: torch.Tensor) -> torch.Tensor:
        """The changed image, shape (1, channels, height, width)."""
        change = torch.fft.irfft2(torch.view_as_complex(parameters) * self.scale, s=self.size, norm="ortho")
        changed = torch.sigmoid(self.logits + torch.einsum("dc,mchw->mdhw", self.colours, change))
        return torch.lerp(self.image, changed, self.mask)


def layer_gain(activations: torch.Tensor, goals: torch.Tensor) -> torch.Tensor:
    """Sum of the squares of all activations, shape (1, channels, h, w)."""
    del goals
    return activations.square().sum()


def direction_gain(whiten: Whitener, positions: int = 3) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    """The objective of an icon, summed over all positions instead of seen at the middle alone."""

    def gain(activations: torch.Tensor, goals: torch.Tensor) -> torch.Tensor:
        seen = whiten(around(activations, positions).movedim(1, -1))  # (1, h, w, channels)
        along = (seen * F.normalize(goals, dim=-1, eps=TINY)).sum(dim=-1)
        cosine = F.cosine_similarity(seen, goals.expand_as(seen), dim=-1, eps=TINY).clamp(min=COSINE_FLOOR)
        return (along * cosine**COSINE_POWER).sum()

    return gain


def render_dream(
    trunk: nn.Module,
    image: NDArray[np.uint8],
    gain: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    goals: torch.Tensor,
    mean: torch.Tensor,
    *,
    steps: int,
    rate: float,
    reach: float,
    colours: NDArray[np.float32],
    key: int,
    mask: NDArray[np.uint8] | None = None,
    on_step: Callable[[int], None] = lambda step: None,
) -> NDArray[np.uint8]:
    """Dream.

    Args:
        trunk: From pixels in 0..1 to the layer's activations; takes the image's size.
        image: Shape (height, width, channels), in the network's order of channels.
        gain: `layer_gain`, or what `direction_gain` gives.
        goals: What the gain is told, shape (1, channels) or (1, 1, 1, channels).
        mean: The network's mean colour, shape (channels,), on the device where to compute.
        steps: How many.
        rate: Adam's, at the first.
        reach: Side of the layer's receptive field in pixels.
        colours: Of the data, shape (channels, channels).
        key: From which all randomness comes.
        mask: Where the image may change, 255, and where it stays, 0, shape (height, width); None changes all of it.
        on_step: Called with the steps done; cancels by raising.

    Returns:
        The changed image, of the same shape.
    """
    pixels = torch.from_numpy(image.copy()).permute(2, 0, 1)[None].to(mean.device).float() / 255
    height, width = image.shape[:2]
    change = Change(pixels, _soft(mask, height, width).to(mean.device), WIDEST_SHARE * reach, colours)
    moves = Recipe("dream", 1, steps, rate, 1.0, 0, 0.0, shift=SHIFT, rotation=5.0, zoom=0.05)
    matrices = transform_table([key], moves, height, width, pixels.device)
    ascent = Ascent(change.pixels, trunk, gain, mean, steps, rate)
    reached = ascent(change.nothing(), goals, matrices, on_step)
    with torch.no_grad():
        return np.asarray(as_levels(change.pixels(reached))[0])


def _soft(mask: NDArray[np.uint8] | None, height: int, width: int) -> torch.Tensor:
    """A mask with soft edges, so that none is seen where the change begins."""
    if mask is None:
        return torch.ones(1, 1, height, width)
    values = torch.from_numpy(mask.copy()).float()[None, None] / 255
    sides = (MASK_BLUR,) * 4
    return F.avg_pool2d(F.pad(values, sides, mode="replicate"), 2 * MASK_BLUR + 1, stride=1)
