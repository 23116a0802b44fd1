"""Does an icon show what its cell is? Measured on the decoded picture as served, never on the optimiser's floats.

Fidelity can be gamed: a photograph with invisible steps scores higher than any icon, and a grey icon beats a vivid
one. So the cosine never stands alone: beside it are a robust score, retrieval among all cells of the level, contrast
and the share of high frequencies.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the usual name

from atlas_core.errors import SpecError
from atlas_core.featurevis.ascent import computing_in
from atlas_core.featurevis.objectives import Whitener, centre, whitened_cosine
from atlas_core.featurevis.recipes import centre_positions
from atlas_core.featurevis.transforms import affine, move
from atlas_core.memory import Batches

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import nn

    from atlas_core.cards import InputCard, LayerInfo
    from atlas_core.whitening import Whitening

BATCH = 32
SHIFTS = ((-4, 0), (4, 0), (0, -4), (0, 4), (-2, -2), (2, -2), (-2, 2), (2, 2))
ROTATIONS = (-8.0, 8.0)
ZOOMS = (0.92, 1.08)
CONTRASTS = (0.7, 1.3)
BLUR = (0.25, 0.5, 0.25)
LOWEST_CONTRAST = 0.10
LOWEST_SHARE_OF_EXEMPLARS = 0.5
HIGH_FREQUENCY = 0.35


def measure(
    trunk: nn.Module,
    icons: NDArray[np.uint8],
    targets: NDArray[np.float32],
    level_targets: NDArray[np.float32],
    own: NDArray[np.integer],
    whitening: Whitening,
    canvas: int,
    *,
    input: InputCard,
    layer: LayerInfo,
    device: torch.device | str = "cpu",
    batches: Batches | None = None,
) -> dict[str, NDArray[Any]]:
    """Measure icons as served.

    Args:
        trunk: From pixels in 0..1 to the layer's activations.
        icons: Decoded pictures, shape (m, s, s, channels); another side than the canvas is resampled to it.
        targets: Mean activations of the icons' cells, shape (m, layer's channels).
        level_targets: The same of every cell of the level, shape (M, layer's channels).
        own: Which of these is each icon's own, shape (m,).
        whitening: The layer's.
        canvas: Side of the recipe's canvas in input pixels.
        input: The model's input, for its mean colour, with which the canvas is filled where an icon is moved away.
        layer: The layer that the trunk ends with; its stride says how many middle positions are averaged, as when
            rendering.
        device: Where to compute.
        batches: How many icons at once, halved where memory runs out; 32 by default.

    Returns:
        By name, one value an icon, shape (m,): `whitened_cosine`, the mean cosine with the target over 8 small shifts;
        `robust`, the same over a blur, two rotations, two zooms and two contrasts; `retrieval_rank`, how many other
        cells are nearer to the icon's mean whitened activation over the shifts, 0 is best; `contrast` and
        `high_frequency` as defined by the functions of these names.

    Raises:
        SpecError: Numbers of icons, targets and own cells do not agree.
    """
    if not len(icons) == len(targets) == len(own):
        raise SpecError(f"{len(icons)} icons need as many targets and cells")
    place = torch.device(device)
    whiten, mean = Whitener(whitening, place), torch.tensor(input.mean, dtype=torch.float32, device=place)
    level = F.normalize(whiten(torch.as_tensor(level_targets, dtype=torch.float32, device=place)), dim=1)
    positions = centre_positions(layer, canvas)
    columns: dict[str, list[NDArray[Any]]] = {name: [] for name in ("whitened_cosine", "robust", "retrieval_rank")}
    batches = batches or Batches(BATCH, "icon")
    first = 0

    def some(size: int) -> tuple[NDArray[Any], ...]:
        part = slice(first, first + size)
        goal = whiten(torch.as_tensor(targets[part], dtype=torch.float32, device=place))
        pixels = _pixels(icons[part], canvas, place)

        def see(view: torch.Tensor) -> torch.Tensor:
            with computing_in("tf32", place):
                activations = trunk(view.contiguous(memory_format=torch.channels_last))
            return whiten(centre(activations, positions))

        shifted = torch.stack([see(view) for view in _shifted(pixels, mean)])  # (8, m, channels)
        changed = torch.stack([see(view) for view in _changed(pixels, mean)])
        rank = _rank(F.normalize(shifted, dim=2).mean(dim=0), level, own[part])
        return _mean_cosine(shifted, goal), _mean_cosine(changed, goal), rank

    with torch.inference_mode():
        while first < len(icons):
            values = batches.run(some, len(icons) - first)
            for column, value in zip(columns.values(), values, strict=True):
                column.append(value)
            first += len(values[0])
    measured: dict[str, NDArray[Any]] = _nothing()
    if len(icons):
        measured = {name: np.concatenate(values) for name, values in columns.items()}
    return measured | {"contrast": contrast(icons), "high_frequency": high_frequency(icons)}


def contrast(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Mean over the channels of the spatial standard deviation, on a scale of 0..1.

    Over all channels together a plain red picture would have contrast too.

    Args:
        pictures: Shape (..., height, width, channels).

    Returns:
        Shape (...).
    """
    deviation = (pictures.astype(np.float32) / 255).std(axis=(-3, -2)).mean(axis=-1)
    return np.asarray(deviation, dtype=np.float32)


def low_contrast(contrast: NDArray[np.float32], exemplar_contrast: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which icons are low in contrast: under .10 and under half the contrast of their own exemplars.

    The second, because some cells of a shallow layer are honestly plain.

    Args:
        contrast: Of the icons, shape (m,).
        exemplar_contrast: Mean contrast of the thumbnails of each icon's exemplars, shape (m,).
    """
    return np.asarray((contrast < LOWEST_CONTRAST) & (contrast < LOWEST_SHARE_OF_EXEMPLARS * exemplar_contrast))


def high_frequency(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Share of the spectral power above .35 cycles a pixel; 80-pixel patches of photographs have .04.

    Power of each channel less its mean under a Hann window (without which the border's edges would count), summed
    over channels; a plain picture has 0.

    Args:
        pictures: Shape (m, height, width, channels).

    Returns:
        Shape (m,), in 0..1.
    """
    height, width = pictures.shape[1:3]
    window = np.hanning(height)[:, None, None] * np.hanning(width)[None, :, None]
    values = pictures.astype(np.float64) / 255
    weighted_mean = (values * window).sum(axis=(1, 2), keepdims=True) / window.sum()
    power = (np.abs(np.fft.fft2((values - weighted_mean) * window, axes=(1, 2))) ** 2).sum(axis=3)
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None, :])
    high = power[:, frequency > HIGH_FREQUENCY].sum(axis=1)
    return np.asarray(high / np.maximum(power.sum(axis=(1, 2)), 1e-9), dtype=np.float32)


def _pixels(icons: NDArray[np.uint8], canvas: int, device: torch.device) -> torch.Tensor:
    pixels = torch.from_numpy(np.ascontiguousarray(icons)).to(device).permute(0, 3, 1, 2).float() / 255
    if pixels.shape[2:] != (canvas, canvas):
        pixels = F.interpolate(pixels, size=(canvas, canvas), mode="bilinear", antialias=True)
    return pixels


def _shifted(pixels: torch.Tensor, mean: torch.Tensor) -> list[torch.Tensor]:
    return [_moved(pixels, mean, shift=shift) for shift in SHIFTS]


def _changed(pixels: torch.Tensor, mean: torch.Tensor) -> list[torch.Tensor]:
    channels = pixels.shape[1]
    line = torch.tensor(BLUR, device=pixels.device)
    kernel = torch.outer(line, line).expand(channels, 1, 3, 3)
    blurred = F.conv2d(F.pad(pixels, (1, 1, 1, 1), mode="replicate"), kernel, groups=channels)
    middle = pixels.mean(dim=(2, 3), keepdim=True)
    return [
        blurred,
        *(_moved(pixels, mean, angle=angle) for angle in ROTATIONS),
        *(_moved(pixels, mean, zoom=zoom) for zoom in ZOOMS),
        *((middle + (pixels - middle) * factor).clamp(0, 1) for factor in CONTRASTS),
    ]


def _moved(
    pixels: torch.Tensor,
    mean: torch.Tensor,
    *,
    shift: tuple[float, float] = (0, 0),
    angle: float = 0.0,
    zoom: float = 1.0,
) -> torch.Tensor:
    moves = torch.tensor([*shift, angle, zoom], dtype=torch.float32, device=pixels.device)
    matrix = affine(moves[None, :2], torch.deg2rad(moves[2:3]), moves[3:], *pixels.shape[2:])
    return move(pixels, matrix.expand(len(pixels), 2, 3), mean)


def _mean_cosine(activations: torch.Tensor, goal: torch.Tensor) -> NDArray[np.float32]:
    """Mean over views of the cosine; activations (views, m, channels), goal (m, channels)."""
    cosines = torch.stack([whitened_cosine(view, goal) for view in activations])
    return np.asarray(cosines.mean(dim=0).cpu().numpy(), dtype=np.float32)


def _rank(activations: torch.Tensor, level: torch.Tensor, own: NDArray[np.integer]) -> NDArray[np.int32]:
    similarity = F.normalize(activations, dim=1) @ level.T  # (m, cells)
    mine = similarity.gather(1, torch.as_tensor(own.astype(np.int64), device=similarity.device)[:, None])
    # At least as near counts against an icon: a dead one, equally near to all, is last and not first.
    return np.asarray(((similarity >= mine).sum(dim=1) - 1).cpu().numpy(), dtype=np.int32)


def _nothing() -> dict[str, NDArray[Any]]:
    empty = np.empty(0, dtype=np.float32)
    return {"whitened_cosine": empty, "robust": empty, "retrieval_rank": empty.astype(np.int32)}
