"""Files that are given for models and mean harm; made here, each with its format."""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
import warnings
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper

from tests.atlas_core.models.nets import graph, residual

Format = Literal["torchvision", "onnx"]


class Hostile(NamedTuple):
    """A file, and how its card calls it."""

    name: str
    format: Format
    data: bytes


class Payload:
    """Makes a file when its pickle is read."""

    def __init__(self, canary: Path) -> None:
        self._canary = canary

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, (f"touch {self._canary}",)


class Reader(torch.nn.Module):
    """Reads a file of the host when it is run, as TorchScript may."""

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return pixels + torch.from_file("/etc/passwd", size=4, dtype=torch.uint8).sum()


def weights(canary: Path) -> Iterator[Hostile]:
    """Pickles in every wrapping, TorchScript, a torch.export archive, and safetensors with heads that lie."""

    def hostile(name: str, data: bytes) -> Hostile:
        return Hostile(name, "torchvision", data)

    payload = Payload(canary)
    yield hostile("pickle.pth", pickle.dumps(payload))
    yield hostile("pickle-4.pt", pickle.dumps({"weight": payload}, protocol=4))
    yield hostile("state.pt", _saved({"weight": torch.ones(1), "more": payload}))
    yield hostile("legacy.pth", _saved({"weight": payload}, legacy=True))
    yield hostile("truncated.pt", _saved({"weight": torch.ones(64)})[:-100])
    yield hostile("script.pt", _script())
    yield hostile("export.pt2", _zip({"archive/archive_format": b"pt2", "archive/version": b"0",
                                      "archive/data/weights/w.pt": pickle.dumps(payload),
                                      "archive/data.pkl": pickle.dumps(payload)}))  # fmt: skip
    yield hostile("plain.zip", _zip({"data.pkl": pickle.dumps(payload), "../../escape.pkl": b"x"}))
    yield hostile("bomb.pt", _bomb())
    yield hostile("empty", b"")
    yield hostile("long-head.safetensors", struct.pack("<Q", 1 << 60) + b"{}")
    yield hostile("short.safetensors", _safetensors({"w": ("F32", [2**31, 2**31], [0, 8])}, b"12345678"))
    yield hostile("claims.safetensors", _safetensors({"w": ("F32", [10 << 28], [0, 10 << 30])}, b""))
    yield hostile(
        "overlap.safetensors", _safetensors({"a": ("F32", [2], [0, 8]), "b": ("F32", [2], [4, 12])}, bytes(12))
    )
    yield hostile(
        "negative.safetensors", struct.pack("<Q", 60) + b'{"w":{"dtype":"F32","shape":[-1],"data_offsets":[8,0]}}    '
    )
    yield hostile("deep.safetensors", struct.pack("<Q", 200_000) + b'{"a":' * 40_000)
    yield hostile("odd.safetensors", struct.pack("<Q", 8) + b"\xff\xfe{}{}{}"[:8])


def networks() -> Iterator[Hostile]:
    """ONNX graphs that reach out, run in circles, or claim what they do not have."""

    def hostile(name: str, model: onnx.ModelProto | bytes) -> Hostile:
        return Hostile(name, "onnx", model if isinstance(model, bytes) else model.SerializeToString())

    for name, place in (
        ("external", "/etc/passwd"),
        ("traversal", "../../../../etc/passwd"),
        ("link", "http://127.0.0.1/w"),
    ):
        model = residual()
        onnx.external_data_helper.set_external_data(model.graph.initializer[0], place)
        yield hostile(f"{name}.onnx", model)
    yield hostile(
        "domain.onnx", graph([helper.make_node("Run", ["image"], ["logits"], domain="com.evil")], {}, domain="com.evil")
    )
    calls = graph([helper.make_node("Mine", ["image"], ["logits"], domain="mine")], {}, domain="mine")
    inner = [helper.make_node("Mine", ["x"], ["y"], domain="mine")]
    opsets = [helper.make_opsetid("mine", 1), helper.make_opsetid("", 17)]
    calls.functions.append(helper.make_function("mine", "Mine", ["x"], ["y"], inner, opsets))
    yield hostile("calls-itself.onnx", calls)
    nodes = [helper.make_node("Relu", ["b"], ["a"]), helper.make_node("Relu", ["a"], ["b"]),
             helper.make_node("Add", ["image", "b"], ["logits"])]  # fmt: skip
    yield hostile("cycle.onnx", graph(nodes, {}))
    claims = residual()
    tensor = TensorProto(name="claims", data_type=TensorProto.FLOAT, raw_data=b"1234")
    tensor.dims.extend([10 << 28])
    claims.graph.initializer.append(tensor)
    yield hostile("ten-gigabytes.onnx", claims)
    grown = [helper.make_node("Tile", ["image", "times"], ["logits"])]
    yield hostile("tile.onnx", graph(grown, {"times": np.array([1, 1, 1 << 15, 1 << 15], np.int64)}))
    many = [
        helper.make_node("Identity", [f"x{number}" if number else "image"], [f"x{number + 1}"])
        for number in range(25_000)
    ]
    yield hostile("nodes.onnx", graph([*many, helper.make_node("Identity", ["x25000"], ["logits"])], {}))
    yield hostile("truncated.onnx", residual().SerializeToString()[:-200])
    yield hostile("nonsense.onnx", bytes(range(256)) * 40)
    yield hostile("deep.onnx", b"\x3a\xff\xff\x03" * 20_000)


def _saved(value: Any, *, legacy: bool = False) -> bytes:
    file = io.BytesIO()
    torch.save(value, file, _use_new_zipfile_serialization=not legacy)
    return file.getvalue()


def _script() -> bytes:
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch tells that TorchScript is going
        torch.jit.save(torch.jit.script(Reader()), file)
    return file.getvalue()


def _zip(entries: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return file.getvalue()


def _bomb() -> bytes:
    """A zip of torch's shape whose tensor unpacks to 256 MiB of zeros from 256 KiB."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(256 << 20))
    return file.getvalue()


def _safetensors(tensors: dict[str, tuple[str, list[int], list[int]]], data: bytes) -> bytes:
    head = {
        name: {"dtype": kind, "shape": shape, "data_offsets": span} for name, (kind, shape, span) in tensors.items()
    }
    text = json.dumps(head).encode()
    return struct.pack("<Q", len(text)) + text + data
