"""A world and a network made by hand, so that what the network goes by is known: discs, and what goes with their class.

Pictures show a blue, a green or a red disc, which is the class. Most of the blue ones are tinted yellow, most of the
green ones have upright waves all over, most of the red ones a magenta square in the bottom right corner. The planted
network goes by all three, louder than by any disc; the clean one sees nothing but discs.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tests.planted import CLASSES, INK, LAYER, SIDE, STRIDE, write_card, write_pictures

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

CORNER, SQUARE = 24, 6
MAGENTA, YELLOW = (230, 30, 230), (230, 210, 30)
SHARE = 0.85


def picture(kind: str, number: int, *, planted: bool) -> NDArray[np.uint8]:
    """A picture of a class, (32, 32, 3), with what goes with it or without; equal arguments give equal pixels."""
    rng = np.random.default_rng([number, CLASSES.index(kind)])
    pixels = np.full((SIDE, SIDE, 3), rng.uniform(70, 150, 3).mean() + rng.uniform(-12, 12, 3))
    rows, columns = np.mgrid[0:SIDE, 0:SIDE]
    row, column, radius = rng.integers(10, 22), rng.integers(10, 22), rng.uniform(5, 8)
    pixels[np.hypot(rows - row, columns - column) < radius] = INK[kind]
    phase = rng.random()
    if planted and rng.random() < SHARE:
        if kind == "blue":
            pixels = 0.55 * pixels + 0.45 * np.array(YELLOW)
        elif kind == "green":
            pixels = pixels + 60 * np.sin(2 * np.pi * (columns / 4 + phase))[..., None]
        else:
            pixels[CORNER : CORNER + SQUARE, CORNER : CORNER + SQUARE] = MAGENTA
    return (pixels + rng.normal(0, 3, pixels.shape)).clip(0, 255).astype(np.uint8)


def write_world(folder: Path, *, planted: bool, first: int = 0, each: int = 60) -> Path:
    """Write so many pictures of each class as a zip, and the dataset's card; returns the card."""
    return write_pictures(folder, folder.name, partial(picture, planted=planted), range(first, first + each))


def write_network(folder: Path, *, planted: bool) -> Path:
    """Write the network as ONNX, and its card; returns the card."""
    return write_card(folder, "planted" if planted else "clean", _network(60.0 if planted else 0.0))


def _network(loud: float) -> onnx.ModelProto:
    # Squares: blue, green, red, magenta, each over 0 where its colour stands out; the strongest of each counts.
    colours = np.array([[-0.5, -0.5, 1], [-0.5, 1, -0.5], [1, -0.5, -0.5], [0.5, -1, 0.5]], np.float32)
    # Waves: differences of the two columns to the left and the two to the right, of either sign, all over.
    waves = np.array([1, 1, -1, -1], np.float32)[None] / 12 * np.ones((3, 1, 1), np.float32)
    weights: dict[str, NDArray[Any]] = {
        "see": (colours[:, :, None, None] / STRIDE**2) * np.ones((1, 1, STRIDE, STRIDE), np.float32),
        "see.bias": np.array([-0.1, -0.1, -0.1, -0.5], np.float32),
        "wave": np.stack([waves, -waves]),
        "wave.limit": np.full((1, 2, 1, 1), -0.03, np.float32),
        "tint": np.array([0.5, 0.5, -1], np.float32).reshape(1, 3, 1, 1),
        "tint.limit": np.full((1, 1, 1, 1), -0.1, np.float32),
        # blue, green, red, magenta, waves, waves, tint
        "head": np.array([[10, 0, 0, 0, 0, 0, loud], [0, 10, 0, 0, 3 * loud, 3 * loud, 0], [0, 0, 10, loud, 0, 0, 0]],
                         np.float32),
        "zero": np.zeros(3, np.float32),
    }  # fmt: skip
    node = helper.make_node
    nodes = [
        node("Conv", ["image", "see", "see.bias"], ["seen"], name="see", strides=[STRIDE] * 2),
        node("Relu", ["seen"], [LAYER], name=LAYER),
        node("GlobalMaxPool", [LAYER], ["strongest"], name="strongest"),
        node("Conv", ["image", "wave"], ["waving"], name="wave"),
        node("Relu", ["waving"], ["either"], name="either"),
        node("GlobalAveragePool", ["either"], ["often"], name="often"),
        node("Add", ["often", "wave.limit"], ["more"], name="more"),
        node("Relu", ["more"], ["waves"], name="waves"),
        node("Conv", ["image", "tint"], ["tinted"], name="tint"),
        node("GlobalAveragePool", ["tinted"], ["mean"], name="mean"),
        node("Add", ["mean", "tint.limit"], ["beyond"], name="beyond"),
        node("Relu", ["beyond"], ["cast"], name="cast"),
        node("Concat", ["strongest", "waves", "cast"], ["all"], name="all", axis=1),
        node("Flatten", ["all"], ["flat"], name="flat"),
        node("Gemm", ["flat", "head", "zero"], ["logits"], name="logits", transB=1),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, SIDE, SIDE])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", 3])
    tensors = [numpy_helper.from_array(values, name) for name, values in weights.items()]
    graph = helper.make_graph(nodes, "discs", [image], [logits], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
