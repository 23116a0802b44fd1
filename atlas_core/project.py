"""Where does this image land? Positions of a new image on a published atlas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from atlas_core.binning import assign_cells
from atlas_core.class_names import told_class
from atlas_core.errors import ImageError
from atlas_core.models.preprocessing import read_pixels, to_unit
from atlas_core.pooling import depths, pool

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from atlas_core.cards import LayerInfo
    from atlas_core.plan import Plan
    from atlas_core.runtime import Runtime

GRID = 14
TOP_CLASSES = 5
BATCH_SIZES = (1, 4, 16, 32)
"""Of the batches of a GPU: a kernel's order of summation goes by the size."""
Positions = Literal["default", "all"]


def project_image(
    plan: Plan, runtime: Runtime, data: bytes, layers: list[str] | None = None, positions: Positions = "default"
) -> dict[str, Any]:
    """Place an image's positions on an atlas; the answer depends on nothing but the image and the atlas.

    Args:
        plan: Of an atlas whose index is published.
        runtime: Store and models.
        data: Bytes of a JPEG, PNG or WebP, or of an array (.npy).
        layers: Of the atlas, all of them by default.
        positions: At most 14 x 14 of a layer, spread evenly, or all.

    Returns:
        `classes`, the strongest five with logit and probability, and by layer `positions`: row and column in the
        layer's grid, x and y on the map, spread, ambiguous, cell at each level, distance and its percentile; and
        `typical_share`, the share of them whose distance is under the 95th percentile of the atlas's own samples;
        `novelty` of the whole image, or null with a `novelty_reason`.

    Raises:
        ImageError: The bytes are no picture.
        UnknownLayerError: The atlas has no such layer.
        NotFoundError: The atlas has no index yet.
    """
    (answer,) = project_images(plan, runtime, [data], layers, positions)
    if isinstance(answer, ImageError):
        raise answer
    return answer


def project_images(
    plan: Plan, runtime: Runtime, images: Sequence[bytes], layers: list[str] | None = None,
    positions: Positions = "default",
) -> list[dict[str, Any] | ImageError]:  # fmt: skip
    """Place images on an atlas, each for itself; arguments as for `project_image`.

    Returns:
        For each image what `project_image` gives, or why it is none.

    Raises:
        UnknownLayerError: The atlas has no such layer.
        NotFoundError: The atlas has no index yet.
    """
    wanted = layers or plan.spec.layers
    for name in wanted:
        plan.check_layer(name, "/layers")
    pixels = [_pixels(data, plan) for data in images]
    # Always the same layers are read, whichever are asked for: what a network reads may change its last digits.
    every = list(dict.fromkeys([*plan.spec.layers, *depths(plan.model.layers)]))
    read = iter(_forward(plan, runtime, [one for one in pixels if not isinstance(one, ImageError)], every))
    return [
        one if isinstance(one, ImageError) else _described(plan, runtime, *next(read), wanted, positions)
        for one in pixels
    ]


def _pixels(data: bytes, plan: Plan) -> NDArray[np.uint8] | ImageError:
    try:
        return read_pixels(data, plan.model.card.input)
    except ImageError as error:
        return error


def _forward(
    plan: Plan, runtime: Runtime, images: list[NDArray[np.uint8]], layers: Sequence[str]
) -> Iterator[tuple[dict[str, NDArray[np.float32]], NDArray[np.float32] | None]]:
    """Activations of each image by layer, shape (channels, height, width), and its logits.

    On a CPU every image passes by itself: networks sum floats in another order for another size of batch. On a GPU
    batches of a few fixed sizes are filled up.
    """
    model = runtime.model(plan.model.card)
    most = 1 if model.device.type == "cpu" else BATCH_SIZES[-1]
    for first in range(0, len(images), most):
        some = images[first : first + most]
        size = next(size for size in BATCH_SIZES if size >= len(some))
        batch = np.stack([*some, *[some[-1]] * (size - len(some))])
        read, logits = model.activations(to_unit(batch), layers, logits=model.classes is not None)
        for place in range(len(some)):
            yield {name: values[place] for name, values in read.items()}, None if logits is None else logits[place]


def _described(
    plan: Plan, runtime: Runtime, read: dict[str, NDArray[np.float32]], logits: NDArray[np.float32] | None,
    layers: Sequence[str], positions: Positions,
) -> dict[str, Any]:  # fmt: skip
    return {
        "atlas": plan.atlas or plan.id,
        "classes": [] if logits is None else strongest(logits, plan.model.class_names),
        "layers": {name: _placed(plan, runtime, name, read[name], positions) for name in layers},
        **_novelty(plan, runtime, read, logits),
    }


def _novelty(
    plan: Plan, runtime: Runtime, read: dict[str, NDArray[np.float32]], logits: NDArray[np.float32] | None
) -> dict[str, Any]:
    """Whether the image as a whole is new to the atlas."""
    known, at = runtime.novelty(plan), depths(plan.model.layers)
    if isinstance(known, str):
        return {"novelty": None, "novelty_reason": known}
    return {"novelty": {**known.told(pool(read, logits, at)), "layers": at}}


def strongest(logits: NDArray[np.float32], names: list[str]) -> list[dict[str, Any]]:
    """The strongest classes of an image, with logit and softmax probability."""
    values = logits.astype(np.float64)
    probability = np.exp(values - values.max())
    probability /= probability.sum()
    return [
        {
            **told_class(index, names),
            "logit": round(float(values[index]), 4),
            "probability": round(float(probability[index]), 4),
        }
        for index in np.argsort(-values, kind="stable")[:TOP_CLASSES]
    ]


def chosen_positions(layer: LayerInfo, positions: Positions) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows and columns of the positions to place: all, or an even grid of at most 14 x 14 inside the border."""
    _, height, width = layer.shape
    if positions == "all":
        rows, columns = np.arange(height), np.arange(width)
    else:
        rows, columns = evenly(height, GRID), evenly(width, GRID)
    grid = np.meshgrid(rows, columns, indexing="ij")
    return grid[0].ravel(), grid[1].ravel()


def evenly(side: int, most: int) -> NDArray[np.int64]:
    """Places inside the border of a grid's side, ascending: all, or so many, spread evenly."""
    inside = np.arange(1, side - 1) if side >= 3 else np.arange(side)
    if len(inside) <= most:
        return inside
    chosen: NDArray[np.int64] = inside[np.round(np.linspace(0, len(inside) - 1, most)).astype(int)]
    return chosen


def _placed(
    plan: Plan, runtime: Runtime, name: str, activations: NDArray[np.float32], positions: Positions
) -> dict[str, Any]:
    rows, columns = chosen_positions(plan.model.layer(name), positions)
    index = runtime.index(plan, plan.find("publish", layer=name, step="index")[0].key)
    placement = index.place(np.ascontiguousarray(activations[:, rows, columns].T))
    points = np.stack([placement.x, placement.y], axis=1).astype(np.float32)
    cells = {str(side): assign_cells(points, side).tolist() for side in plan.spec.levels or ()}
    numbers = [_rounded(placement.x, 6), _rounded(placement.y, 6), _rounded(placement.spread, 6),
               _rounded(placement.distance, 6), _rounded(placement.percentile, 4)]  # fmt: skip
    return {
        "grid": list(activations.shape[1:]),
        "positions": [
            {
                "row": row,
                "column": column,
                "x": x,
                "y": y,
                "spread": spread,
                "ambiguous": ambiguous,
                "cells": {side: {"column": cell[place][0], "row": cell[place][1]} for side, cell in cells.items()},
                "distance": distance,
                "percentile": percentile,
            }
            for place, (row, column, ambiguous, x, y, spread, distance, percentile) in enumerate(
                zip(rows.tolist(), columns.tolist(), placement.ambiguous.tolist(), *numbers, strict=True)
            )
        ],
        "typical_share": round(placement.typical_share, 4),
    }


def _rounded(values: NDArray[np.float64], digits: int) -> list[float]:
    return [round(value, digits) for value in values.tolist()]
