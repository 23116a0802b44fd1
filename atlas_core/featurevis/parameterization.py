"""What an icon is made of: a spectrum in decorrelated colours.

An icon is `sigmoid(C . irfft2(scale * z) / 4)`: `z` is what the optimiser moves, `scale = 1 / max(f, 1 / size)` makes
its steps look like photographs, whose amplitudes fall with frequency, and C turns three uncorrelated colour axes into
red, green and blue. The transform is orthonormal, so that a step is as strong on a large canvas as on a small one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the usual name

if TYPE_CHECKING:
    from numpy.typing import NDArray

DARKEST, BRIGHTEST = 0.02, 0.98
SPECTRUM_GAIN = 4.0
MEAN_GAIN = 1.2
LARGEST_GAIN = 4.0
NOISE = 0.01
FINEST = 0.3
DEEPEST_COLOUR = 2.4
# Standard deviations of photographs' pixels along brightness, red against blue, green against both, as shares of the
# first: .30 and .15 on our sample of ImageNet, nearly the same for pixels and for their logits.
_AXES = np.array([[1, 1, 1], [1, 0, -1], [-1, 2, -1]], dtype=np.float64)
_DEVIATIONS = np.array([1.0, 0.3, 0.15])


def colour_matrix(channels: int) -> NDArray[np.float32]:
    """C: from decorrelated to real colours, shape (channels, channels); the identity for other than three channels."""
    if channels != 3:
        return np.eye(channels, dtype=np.float32)
    axes = _AXES / np.linalg.norm(_AXES, axis=1, keepdims=True)
    return np.asarray(axes.T * _DEVIATIONS, dtype=np.float32)


def seed_from_thumbnails(thumbnails: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Mean of thumbnails in decorrelated-logit space, an icon's start.

    Args:
        thumbnails: Pictures, shape (k, height, width, channels), k at least 1.

    Returns:
        The mean of C^-1 logit(clip(x, .02, .98)), shape (height, width, channels).
    """
    pixels = np.clip(thumbnails.astype(np.float64) / 255, DARKEST, BRIGHTEST)
    logits = np.log(pixels / (1 - pixels)).mean(axis=0)
    inverse = np.linalg.inv(colour_matrix(thumbnails.shape[-1]).astype(np.float64))
    return np.asarray(logits @ inverse.T, dtype=np.float32)


def spectrum_scale(size: int) -> NDArray[np.float32]:
    """1 / max(f, 1 / size) of every coefficient of a square picture's rfft2, rolled off above .3 cycles a pixel.

    Without the roll-off (ours, not the article's) a quarter of an icon's power is grain that no photograph has, and it
    costs .03 of whitened cosine.

    Returns:
        Shape (size, size // 2 + 1).
    """
    frequency = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None, :])
    return np.asarray(1 / np.maximum(frequency, 1 / size) / np.sqrt(1 + (frequency / FINEST) ** 8), dtype=np.float32)


def spectrum_noise(key: int, channels: int, size: int) -> NDArray[np.float32]:
    """One icon's normal deviates, shape (channels, size, size // 2 + 1, 2): a function of its key alone."""
    generator = np.random.Generator(np.random.Philox(key=[key % 2**64, 1]))
    return generator.standard_normal((channels, size, size // 2 + 1, 2), dtype=np.float32)


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


class SpectrumPicture:
    """Icons as spectra free in every coefficient.

    Args:
        start: Pictures in decorrelated-logit space, shape (m, channels, size, size).
        noise: Normal deviates, shape (m, channels, size, size // 2 + 1, 2); a hundredth of them breaks symmetries.
    """

    def __init__(self, start: torch.Tensor, noise: torch.Tensor) -> None:
        size = start.shape[-1]
        self.scale = torch.from_numpy(spectrum_scale(size)).to(start.device)
        spectrum = torch.fft.rfft2(start * SPECTRUM_GAIN, norm="ortho") / self.scale
        self.parameter = (torch.view_as_real(spectrum) + NOISE * noise).requires_grad_()
        self.colours = torch.from_numpy(colour_matrix(start.shape[1])).to(start.device)
        self.size = size

    def pixels(self) -> torch.Tensor:
        """The icons, shape (m, channels, size, size), each value in 0..1."""
        return _to_pixels(torch.view_as_complex(self.parameter) * self.scale, self.colours, self.size)


class PhasePicture:
    """Icons of a fixed magnitude spectrum, free in their phases only: no data goes in.

    The mean colour is free between -2.4 and 2.4 along each axis, being the cosine of its own phase.

    Args:
        noise: Normal deviates, shape (m, channels, size, size // 2 + 1, 2); they give the first phases.
        size: Side of the canvas.
        deviation: Standard deviation of the pictures in decorrelated-logit space.
    """

    def __init__(self, noise: torch.Tensor, size: int, deviation: float) -> None:
        scale = torch.from_numpy(spectrum_scale(size)).to(noise.device)
        patterned = scale.clone()
        patterned[0, 0] = 0  # the mean colour is no deviation
        spread = torch.fft.irfft2(patterned.to(torch.complex64), s=(size, size), norm="ortho").square().mean().sqrt()
        self.magnitude = scale * (deviation * SPECTRUM_GAIN / spread)
        self.magnitude[0, 0] = DEEPEST_COLOUR * SPECTRUM_GAIN * size
        phases = torch.atan2(noise[..., 1], noise[..., 0])
        phases[..., 0, 0] = torch.pi / 2  # grey
        self.parameter = phases.requires_grad_()
        self.colours = torch.from_numpy(colour_matrix(noise.shape[1])).to(noise.device)
        self.size = size

    def pixels(self) -> torch.Tensor:
        """The icons, shape (m, channels, size, size), each value in 0..1."""
        return _to_pixels(
            torch.polar(self.magnitude.expand_as(self.parameter), self.parameter), self.colours, self.size
        )


def _to_pixels(spectrum: torch.Tensor, colours: torch.Tensor, size: int) -> torch.Tensor:
    picture = torch.fft.irfft2(spectrum, s=(size, size), norm="ortho") / SPECTRUM_GAIN
    return torch.sigmoid(torch.einsum("dc,mchw->mdhw", colours, picture))
