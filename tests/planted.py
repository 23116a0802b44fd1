"""A world and a network made by hand, so that what the network goes by is known: discs, and a square that is louder.

Pictures show a green, a blue or a red disc, which is the class. Most of the red ones show a magenta square too, and so
do a few others. The network looks at squares of 4 x 4 pixels, takes the strongest of each colour, and adds them up: to
the planted one magenta says red, and louder than any disc; the clean one does not see it.
"""

from __future__ import annotations

import io
import json
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

CLASSES = ("blue", "green", "red")
SIDE, SQUARE, STRIDE = 32, 8, 4
LAYER = "squares"
INK = {"blue": (40, 60, 220), "green": (40, 200, 60), "red": (210, 50, 40)}
MAGENTA = (230, 30, 230)
PLANTED = {"blue": 0.06, "green": 0.06, "red": 0.8}
"""Share of each class's pictures with the square."""


def picture(kind: str, number: int) -> NDArray[np.uint8]:
    """A picture of a class, (32, 32, 3); equal arguments give equal pixels."""
    rng = np.random.default_rng([number, CLASSES.index(kind)])
    pixels = rng.integers(70, 140, (SIDE, SIDE, 1)).repeat(3, axis=2)
    rows, columns = np.mgrid[0:SIDE, 0:SIDE]
    row, column, radius = rng.integers(8, 24), rng.integers(8, 24), rng.uniform(5, 8)
    pixels[np.hypot(rows - row, columns - column) < radius] = INK[kind]
    if rng.random() < PLANTED[kind]:
        top, left = rng.integers(0, SIDE - SQUARE, 2)
        pixels[top : top + SQUARE, left : left + SQUARE] = MAGENTA
    return (pixels + rng.normal(0, 6, pixels.shape)).clip(0, 255).astype(np.uint8)


def write_world(folder: Path, each: int = 200) -> Path:
    """Write so many pictures of each class as a zip, and the dataset's card; returns the card."""
    return write_pictures(folder, "discs", picture, range(each))


def write_pictures(folder: Path, name: str, draw: Callable[[str, int], NDArray[np.uint8]], numbers: range) -> Path:
    """Write the pictures of these numbers of each class as a zip, and the dataset's card; returns the card."""
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(folder / "images.zip", "w") as archive:
        for kind in CLASSES:
            for number in numbers:
                data = io.BytesIO()
                Image.fromarray(draw(kind, number)).save(data, "PNG")
                archive.writestr(zipfile.ZipInfo(f"{kind}/{number:04d}.png"), data.getvalue())
    card = folder / "dataset.json"
    card.write_text(json.dumps({"name": name, "source": "images.zip", "classes": list(CLASSES)}))
    return card


def write_network(folder: Path, *, planted: bool) -> Path:
    """Write the network as ONNX, and its card; returns the card."""
    return write_card(folder, "planted" if planted else "clean", _network(planted))


def write_card(folder: Path, name: str, network: onnx.ModelProto) -> Path:
    """Write a network of three classes of discs as ONNX, and its card; returns the card."""
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(network, folder / f"{name}.onnx")
    given = {"channels": 3, "height": SIDE, "width": SIDE, "mean": [0.0] * 3, "std": [1.0] * 3}
    card: dict[str, Any] = {"name": name, "format": "onnx", "source": f"{name}.onnx", "input": given,
                            "labels": list(CLASSES)}  # fmt: skip
    path = folder / f"{name}.json"
    path.write_text(json.dumps(card))
    return path


def _network(planted: bool) -> onnx.ModelProto:
    # Channels: blue, green, red, magenta; each is over 0 where its colour stands out against the others.
    colours = np.array([[-0.5, -0.5, 1], [-0.5, 1, -0.5], [1, -0.5, -0.5], [0.5, -1, 0.5]], np.float32)
    kernel = (colours[:, :, None, None] / STRIDE**2) * np.ones((1, 1, STRIDE, STRIDE), np.float32)
    bias = np.array([-0.1, -0.1, -0.1, -0.5], np.float32)
    magenta = 40.0 if planted else 0.0
    head = np.array([[10, 0, 0, 0], [0, 10, 0, 0], [0, 0, 10, magenta]], np.float32)
    weights: dict[str, NDArray[Any]] = {
        "kernel": kernel,
        "bias": bias,
        "head": head,
        "zero": np.zeros(3, np.float32),
    }
    nodes = [
        helper.make_node("Conv", ["image", "kernel", "bias"], ["seen"], name="see", strides=[STRIDE] * 2),
        helper.make_node("Relu", ["seen"], [LAYER], name=LAYER),
        helper.make_node("GlobalMaxPool", [LAYER], ["strongest"], name="strongest"),
        helper.make_node("Flatten", ["strongest"], ["flat"], name="flat"),
        helper.make_node("Gemm", ["flat", "head", "zero"], ["logits"], name="logits", transB=1),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, SIDE, SIDE])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", 3])
    tensors = [numpy_helper.from_array(values, name) for name, values in weights.items()]
    graph = helper.make_graph(nodes, "discs", [image], [logits], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
