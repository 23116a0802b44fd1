"""A network and a dataset small enough for tests: SqueezeNet with seeded random weights, 64 px, coloured shapes."""

from __future__ import annotations

import io
import json
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

ATLAS = (sys.executable, "-c", "from atlas_client.cli import main; main()")
CLASSES = ("disc", "square", "stripes")
LAYER = "features.5"
SHAPE = (128, 7, 7)
REQUEST: dict[str, Any] = {"layers": [LAYER], "samples": 240, "levels": [3, 5], "recipe": "fast", "seed": 3}


def picture(kind: str, seed: int) -> bytes:
    """A 64 x 64 PNG of a class; equal arguments give equal bytes."""
    rng = np.random.default_rng([seed, CLASSES.index(kind)])
    ground, ink = (tuple(int(value) for value in rng.integers(0, 256, 3)) for _ in range(2))
    image = Image.new("RGB", (64, 64), ground)
    draw = ImageDraw.Draw(image)
    left, top, size = (int(value) for value in rng.integers((4, 4, 16), (28, 28, 32)))
    box = (left, top, left + size, top + size)
    if kind == "disc":
        draw.ellipse(box, fill=ink)
    elif kind == "square":
        draw.rectangle(box, fill=ink)
    else:
        for x in range(left % 8, 64, 8):
            draw.rectangle((x, 0, x + 3, 64), fill=ink)
    data = io.BytesIO()
    image.save(data, "PNG")
    return data.getvalue()


def write_dataset(folder: Path, each: int = 20) -> Path:
    """Write a zip with so many pictures of each class, and its card; returns the card."""
    with zipfile.ZipFile(folder / "images.zip", "w") as archive:
        for kind in CLASSES:
            for number in range(each):
                info = zipfile.ZipInfo(f"{kind}/{number:04d}.png", (2020, 1, 1, 0, 0, 0))
                archive.writestr(info, picture(kind, number))
    card = folder / "dataset.json"
    card.write_text(json.dumps({"name": "shapes", "source": "images.zip", "classes": list(CLASSES)}))
    return card


def write_model(folder: Path) -> Path:
    """Write seeded random weights of a small SqueezeNet, and its card; returns the card."""
    import torch
    from safetensors.torch import save_file
    from torchvision.models import get_model

    torch.manual_seed(0)
    model = get_model("squeezenet1_1", weights=None, num_classes=len(CLASSES))
    save_file(model.state_dict(), folder / "weights.safetensors")
    card = {
        "name": "tiny",
        "format": "torchvision",
        "architecture": "squeezenet1_1",
        "arguments": {"num_classes": len(CLASSES)},
        "weights": "weights.safetensors",
        "input": {"channels": 3, "height": 64, "width": 64, "mean": [0.5] * 3, "std": [0.25] * 3},
        "labels": list(CLASSES),
    }
    path = folder / "model.json"
    path.write_text(json.dumps(card))
    return path


def write_cards(folder: Path) -> tuple[Path, Path]:
    """Write both; returns the cards of the model and of the dataset."""
    folder.mkdir(parents=True, exist_ok=True)
    return write_model(folder), write_dataset(folder)
