"""What an icon is made of: a spectrum in decorrelated colours.

An icon is `sigmoid(C . irfft2(scale * z) / 4)`: `z` is what the optimiser moves, `scale = 1 / max(f, 1 / size)` makes
its steps look like photographs, whose amplitudes fall with frequency, and C turns uncorrelated axes into the channels
of the data. The transform is orthonormal, so that a step is as strong on a large canvas as on a small one.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the usual name

from atlas_core.featurevis.deviates import normal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

DARKEST, BRIGHTEST = 0.02, 0.98
SPECTRUM_GAIN = 4.0
MEAN_GAIN = 1.2
LARGEST_GAIN = 4.0
NOISE = 0.01
NOISE_STREAM = 1
FINEST = 0.3
BLURRED, OPEN, EDGE = 0.08, 0.53, 0.02
"""Cycles a pixel up to which a picture is shown at first and in the end, and how softly it is cut there."""
# Standard deviations of photographs' pixels along brightness, red against blue, green against both, as shares of the
# first: .30 and .15 on our sample of ImageNet, nearly the same for pixels and for their logits.
_AXES = np.array([[1, 1, 1], [1, 0, -1], [-1, 2, -1]], dtype=np.float64)
_DEVIATIONS = np.array([1.0, 0.3, 0.15])
TINY_VARIANCE = 1e-6
_SHARES = np.clip(np.arange(256) / 255, DARKEST, BRIGHTEST)
_LOGITS = np.log(_SHARES / (1 - _SHARES))


COLOUR_SHRINKAGE = 0.005


def colour_matrix(channels: int) -> NDArray[np.float32]:
    """C where nothing is known of the data: photographs' for three channels, else the identity.

    From decorrelated to real colours, shape (channels, channels).
    """
    if channels != 3:
        return np.eye(channels, dtype=np.float32)
    axes = _AXES / np.linalg.norm(_AXES, axis=1, keepdims=True)
    return np.asarray(axes.T * _DEVIATIONS, dtype=np.float32)


def colours_of(thumbnails: NDArray[np.uint8]) -> NDArray[np.float32]:
    """C of the user's data: the principal axes of the logits of its pixels.

    Args:
        thumbnails: Pictures, shape (k, height, width, channels).

    Returns:
        Shape (channels, channels): an axis a column, the strongest first, each as long as the standard deviation along
        it, as shares of the first's. Every variance is raised by .005 of their mean, so that an axis of no variance
        (grey pictures in three channels) can be told, if hardly moved. `colour_matrix` where all pixels are alike.
    """
    channels = thumbnails.shape[-1]
    logits = _LOGITS[thumbnails.reshape(-1, channels)]
    offsets = logits - logits.mean(axis=0)
    covariance = offsets.T @ offsets / max(1, len(offsets))
    mean = float(np.trace(covariance)) / channels
    if mean < TINY_VARIANCE:
        return colour_matrix(channels)
    variances, axes = (found[..., ::-1] for found in np.linalg.eigh(covariance))
    deviations = np.sqrt(np.maximum(variances, 0) + COLOUR_SHRINKAGE * mean)
    signs = np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(channels)])
    return np.asarray(axes * signs * (deviations / deviations[0]), dtype=np.float32)


def seed_from_thumbnails(thumbnails: NDArray[np.uint8], colours: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mean of thumbnails in decorrelated-logit space, an icon's start.

    Args:
        thumbnails: Pictures, shape (k, height, width, channels), k at least 1.
        colours: C, shape (channels, channels).

    Returns:
        The mean of C^-1 logit(clip(x, .02, .98)), shape (height, width, channels).
    """
    logits = _LOGITS[thumbnails].mean(axis=0)
    inverse = np.linalg.inv(colours.astype(np.float64))
    return np.asarray(logits @ inverse.T, dtype=np.float32)


def frequencies(height: int, width: int) -> NDArray[np.float32]:
    """Cycles a pixel of every coefficient of a picture's rfft2, shape (height, width // 2 + 1)."""
    found = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None, :])
    return np.asarray(found, dtype=np.float32)


def spectrum_scale(height: int, width: int) -> NDArray[np.float32]:
    """1 / max(f, 1 / longer side) of every coefficient of a picture's rfft2, rolled off above .3 cycles a pixel.

    Without the roll-off (ours, not the article's) a quarter of an icon's power is grain that no photograph has, and it
    costs .03 of whitened cosine.

    Returns:
        Shape (height, width // 2 + 1).
    """
    frequency = frequencies(height, width)
    rolled = np.sqrt(1 + (frequency / FINEST) ** 8)
    return np.asarray(1 / np.maximum(frequency, 1 / max(height, width)) / rolled, dtype=np.float32)


def start_picture(seeds: torch.Tensor, side: int, start_size: int, deviation: float, size: int) -> torch.Tensor:
    """Turn mean thumbnails into starts on the canvas.

    Args:
        seeds: Mean thumbnails in decorrelated-logit space, shape (m, channels, 20, 20).
        side: How many of the thumbnail's pixels the canvas shows, about the centre.
        start_size: Side to which these are averaged down first: what is finer is left to the optimiser.
        deviation: Standard deviation to give what is not mean colour, over all channels together, so that grey stays
            grey. A plain start is raised fourfold at most: nothing but noise would come.
        size: Side of the canvas.

    Returns:
        Starts, shape (m, channels, size, size); mean colours are raised by 1.2.
    """
    edge = (seeds.shape[-1] - side) // 2
    seeds = seeds[..., edge : edge + side, edge : edge + side]
    if start_size < side:
        seeds = F.interpolate(seeds, size=(start_size, start_size), mode="area")
    mean = seeds.mean(dim=(2, 3), keepdim=True)
    rest = seeds - mean
    gain = (deviation / rest.square().mean(dim=(1, 2, 3), keepdim=True).sqrt().clamp(min=1e-6)).clamp(max=LARGEST_GAIN)
    rest = F.interpolate(rest * gain, size=(size, size), mode="bicubic", align_corners=False)
    return mean * MEAN_GAIN + rest


class Spectrum:
    """Pictures as spectra free in every coefficient.

    Parameters have the shape (m, channels, height, width // 2 + 1, 2).

    Args:
        colours: C, shape (channels, channels).
        height: In pixels.
        width: In pixels.
        device: Where.
        colour_gain: By how much the mean colour's scale is raised, so that it moves faster.
    """

    def __init__(
        self, colours: NDArray[np.float32], height: int, width: int, device: torch.device, colour_gain: float = 1.0
    ) -> None:
        self.size = (height, width)
        self.scale = torch.from_numpy(spectrum_scale(height, width)).to(device)
        self.scale[0, 0] *= colour_gain
        self.shown = self.scale.clone()
        self.frequency = torch.from_numpy(frequencies(height, width)).to(device)
        self.colours = torch.from_numpy(colours).to(device)

    def noise(self, keys: Sequence[int]) -> torch.Tensor:
        """Normal deviates of the parameters' shape, of each picture from its key alone."""
        shape = len(self.colours), *self.scale.shape
        return normal(keys, NOISE_STREAM, math.prod(shape), self.scale.device).reshape(-1, *shape, 2)

    def focus(self, share: float) -> None:
        """Show coarse frequencies alone at first, and all from a share of 1 on.

        What is large is settled before what is fine, which makes whole things out of fragments: with it icons gain .02
        to .05 of whitened cosine at equal steps and lose half of their grain.

        Args:
            share: How far it is opened, 0 to 1.
        """
        cut = BLURRED + (OPEN - BLURRED) * min(1.0, share)
        self.shown.copy_(self.scale * torch.sigmoid((cut - self.frequency) / EDGE))

    def start(self, pictures: torch.Tensor, noise: torch.Tensor | None = None) -> torch.Tensor:
        """Parameters of pictures.

        Args:
            pictures: In decorrelated-logit space, shape (m, channels, height, width).
            noise: Normal deviates of the parameters' shape; a hundredth of them breaks symmetries. None for none.
        """
        spectrum = torch.fft.rfft2(pictures * SPECTRUM_GAIN, norm="ortho") / self.scale
        parameters = torch.view_as_real(spectrum)
        return parameters if noise is None else parameters + NOISE * noise

    def drawn(self, noise: torch.Tensor, deviation: float) -> torch.Tensor:
        """Parameters of random pictures about grey, no data in them.

        Args:
            noise: Normal deviates, shape (m, channels, height, width // 2 + 1, 2).
            deviation: Standard deviation of the pictures in decorrelated-logit space.
        """
        pictures = torch.fft.irfft2(torch.view_as_complex(noise) * self.scale, s=self.size, norm="ortho")
        return self.start(pictures * (deviation / pictures.std(dim=(1, 2, 3), keepdim=True)))

    def pixels(self, parameters: torch.Tensor) -> torch.Tensor:
        """The pictures, shape (m, channels, height, width), each value in 0..1."""
        return _to_pixels(torch.view_as_complex(parameters) * self.shown, self.colours, self.size)


def as_levels(pictures: torch.Tensor) -> NDArray[np.uint8]:
    """Pictures in 0..1, shape (m, channels, height, width), as bytes, shape (m, height, width, channels)."""
    levels = (pictures * 255).round().to(torch.uint8)
    return np.asarray(levels.permute(0, 2, 3, 1).contiguous().cpu().numpy())


def _to_pixels(spectrum: torch.Tensor, colours: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    picture = torch.fft.irfft2(spectrum, s=size, norm="ortho") / SPECTRUM_GAIN
    return torch.sigmoid(torch.einsum("dc,mchw->mdhw", colours, picture))
