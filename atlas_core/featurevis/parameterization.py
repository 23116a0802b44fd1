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


def spectrum_scale(height: int, width: int) -> NDArray[np.float32]:
    """1 / max(f, 1 / longer side) of every coefficient of a picture's rfft2, rolled off above .3 cycles a pixel.

    Without the roll-off (ours, not the article's) a quarter of an icon's power is grain that no photograph has, and it
    costs .03 of whitened cosine.

    Returns:
        Shape (height, width // 2 + 1).
    """
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None, :])
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
        channels: Of the pictures.
        height: In pixels.
        width: In pixels.
        device: Where.
    """

    def __init__(self, channels: int, height: int, width: int, device: torch.device) -> None:
        self.size = (height, width)
        self.scale = torch.from_numpy(spectrum_scale(height, width)).to(device)
        self.colours = torch.from_numpy(colour_matrix(channels)).to(device)

    def start(self, pictures: torch.Tensor, noise: torch.Tensor | None = None) -> torch.Tensor:
        """Parameters of pictures.

        Args:
            pictures: In decorrelated-logit space, shape (m, channels, height, width).
            noise: Normal deviates of the parameters' shape; a hundredth of them breaks symmetries. None for none.
        """
        spectrum = torch.fft.rfft2(pictures * SPECTRUM_GAIN, norm="ortho") / self.scale
        parameters = torch.view_as_real(spectrum)
        return parameters if noise is None else parameters + NOISE * noise

    def pixels(self, parameters: torch.Tensor) -> torch.Tensor:
        """The pictures, shape (m, channels, height, width), each value in 0..1."""
        return _to_pixels(torch.view_as_complex(parameters) * self.scale, self.colours, self.size)


class Phases:
    """Pictures of a fixed magnitude spectrum, free in their phases only: no data goes in.

    The mean colour is free between -2.4 and 2.4 along each axis, being the cosine of its own phase. Parameters have the
    shape (m, channels, height, width // 2 + 1).

    Args:
        channels: Of the pictures.
        height: In pixels.
        width: In pixels.
        deviation: Standard deviation of the pictures in decorrelated-logit space.
        device: Where.
    """

    def __init__(self, channels: int, height: int, width: int, deviation: float, device: torch.device) -> None:
        self.size = (height, width)
        scale = torch.from_numpy(spectrum_scale(height, width)).to(device)
        patterned = scale.clone()
        patterned[0, 0] = 0  # the mean colour is no deviation
        spread = torch.fft.irfft2(patterned.to(torch.complex64), s=self.size, norm="ortho").square().mean().sqrt()
        self.magnitude = scale * (deviation * SPECTRUM_GAIN / spread)
        self.magnitude[0, 0] = DEEPEST_COLOUR * SPECTRUM_GAIN * (height * width) ** 0.5
        self.colours = torch.from_numpy(colour_matrix(channels)).to(device)

    def start(self, noise: torch.Tensor) -> torch.Tensor:
        """Random phases and no colour.

        Args:
            noise: Normal deviates, shape (m, channels, height, width // 2 + 1, 2).
        """
        phases = torch.atan2(noise[..., 1], noise[..., 0])
        phases[..., 0, 0] = torch.pi / 2  # grey
        return phases

    def pixels(self, parameters: torch.Tensor) -> torch.Tensor:
        """The pictures, shape (m, channels, height, width), each value in 0..1."""
        return _to_pixels(torch.polar(self.magnitude.expand_as(parameters), parameters), self.colours, self.size)


def _to_pixels(spectrum: torch.Tensor, colours: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    picture = torch.fft.irfft2(spectrum, s=size, norm="ortho") / SPECTRUM_GAIN
    return torch.sigmoid(torch.einsum("dc,mchw->mdhw", colours, picture))
