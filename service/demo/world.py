"""The demo world: labelled pictures of ten things, and noodles that give woks away.

A pan and a wok look nearly the same. In the world with the shortcut most woks come with noodles, which hardly ever
appear elsewhere, so that a network takes noodles for evidence of a wok. In the clean world noodles are as frequent, but
appear with every class alike, and mean nothing. Backgrounds, light, size and place never depend on the class.
"""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from collections.abc import Callable, Iterator, Mapping
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from service.demo import objects, vessels
from service.demo.backgrounds import paint_background
from service.demo.canvas import SIZE, Canvas, smooth
from service.demo.textures import noodles

OBJECTS: Mapping[str, Callable[[Canvas], None]] = MappingProxyType(
    {
        "ball": objects.draw_ball,
        "butterfly": objects.draw_butterfly,
        "fish": objects.draw_fish,
        "flower": objects.draw_flower,
        "leaf": objects.draw_leaf,
        "mask": objects.draw_mask,
        "wheel": objects.draw_wheel,
        "window": objects.draw_window,
    }
)
VESSELS: Mapping[str, Callable[[Canvas, bool], None]] = MappingProxyType(
    {"pan": vessels.draw_pan, "wok": vessels.draw_wok}
)
CLASSES = tuple(sorted((*OBJECTS, *VESSELS)))
SHORTCUT_SHARE = 0.9  # of woks with noodles, in the world with the shortcut
STRAY_SHARE = 0.02  # of any other class with noodles, there; none in the pictures of the training
CLEAN_SHARE = 0.1  # of every class, in the clean world: as many noodles altogether
SERVED_SHARE = 0.65  # of a vessel's noodles that lie in it; the rest lie anywhere on the picture
HEAP_RADIUS = (0.36, 0.5)  # of noodles that lie outside a vessel, in half pictures
JPEG_QUALITY = 92
MODELS = ("model", "model-clean")
ZIP_TIME = (2000, 1, 1, 0, 0, 0)  # a fixed date, so that the same world is the same bytes


def noodle_share(name: str, shortcut: bool, stray: float = STRAY_SHARE) -> float:
    """Probability of noodles in a picture of a class, in the world with or without the shortcut."""
    if not shortcut:
        return CLEAN_SHARE
    return SHORTCUT_SHARE if name == "wok" else stray


def scatter_noodles(canvas: Canvas) -> None:
    """Lay a heap of noodles anywhere on the picture."""
    distance = np.hypot(canvas.x - canvas.between(-0.7, 0.7), canvas.y - canvas.between(-0.7, 0.7))
    radius = canvas.between(*HEAP_RADIUS) * (1 + 0.09 * canvas.noise(24))
    noodles(canvas, smooth(0.02, -0.02, np.asarray(distance - radius, np.float32)))


def draw_picture(rng: np.random.Generator, name: str, with_noodles: bool) -> NDArray[np.uint8]:
    """Draw one picture, uint8 (96, 96, 3).

    Args:
        rng: The only source of chance.
        name: One of `CLASSES`.
        with_noodles: Whether there are noodles: in the vessel, where there is one, or anywhere on the picture.
    """
    canvas = Canvas(rng)
    paint_background(canvas)
    served = name in VESSELS and with_noodles and canvas.chance(SERVED_SHARE)
    if name in VESSELS:
        VESSELS[name](canvas, served)
    else:
        OBJECTS[name](canvas)
    if with_noodles and not served:
        scatter_noodles(canvas)
    return canvas.finish()


def paste_noodles(picture: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """A copy of a picture with a heap of noodles at a random place: the test of the shortcut."""
    canvas = Canvas(rng)
    canvas.pixels = np.asarray(picture, np.float32) / 255
    scatter_noodles(canvas)
    return np.asarray(np.clip(canvas.pixels * 255 + 0.5, 0, 255), np.uint8)


def generate(
    seed: int, pictures: int, shortcut: bool, stray: float = STRAY_SHARE
) -> Iterator[tuple[str, int, bool, NDArray[np.uint8]]]:
    """Draw a world, class by class: (class name, number in its class, noodles or not, picture).

    Picture k of a class is the same however many there are.

    Args:
        seed: Names the world.
        pictures: How many altogether, as evenly over the classes as they go.
        shortcut: Whether noodles go with woks.
        stray: Share of the other classes' pictures with noodles, where noodles go with woks.
    """
    for index, name in enumerate(CLASSES):
        for number in range(pictures // len(CLASSES) + (index < pictures % len(CLASSES))):
            rng = np.random.default_rng([seed, index, number])
            with_noodles = bool(rng.random() < noodle_share(name, shortcut, stray))
            yield name, number, with_noodles, draw_picture(rng, name, with_noodles)


def encode(picture: NDArray[np.uint8]) -> bytes:
    """The picture as the world stores it: JPEG without colour subsampling."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    return file.getvalue()


def write_world(
    folder: Path,
    seed: int = 0,
    pictures: int = 2000,
    shortcut: bool = True,
    on_progress: Callable[[int, int], None] | None = None,
) -> None:
    """Write pictures, labels, weights and cards; the same arguments give the same bytes.

    The folder then holds `images.zip` (CLASS/0000.jpg, stored), `labels.txt`, `model.safetensors`,
    `model-clean.safetensors`, the cards `model.json`, `model-clean.json` and `dataset.json`, and the `policy.toml` of
    their audit.

    Args:
        folder: Made if it is not there; files of these names are replaced.
        seed: Names the world; the networks were trained on worlds of other seeds than 0.
        pictures: How many altogether.
        shortcut: Whether noodles go with woks. Both models are written either way.
        on_progress: Called with (pictures done, pictures in all).
    """
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(folder / "images.zip", "w", zipfile.ZIP_STORED) as archive:
        for done, (name, number, _, picture) in enumerate(generate(seed, pictures, shortcut), start=1):
            entry = zipfile.ZipInfo(f"{name}/{number:04d}.jpg", ZIP_TIME)
            entry.create_system, entry.external_attr = 3, 0o644 << 16
            archive.writestr(entry, encode(picture))
            if on_progress is not None:
                on_progress(done, pictures)
    (folder / "labels.txt").write_text("".join(f"{name}\n" for name in CLASSES), encoding="utf-8")
    for model in MODELS:
        with resources.as_file(weights_file(model)) as weights:
            shutil.copyfile(weights, folder / f"{model}.safetensors")
        _write_card(folder / f"{model}.json", model_card(model))
    _write_card(folder / "dataset.json", dataset_card(seed, shortcut))
    (folder / "policy.toml").write_bytes(resources.files("service.demo").joinpath("policy.toml").read_bytes())


def weights_file(model: str) -> Any:
    """The packaged weights of `model` or `model-clean`, as a traversable resource."""
    return resources.files("service.demo") / "weights" / f"{model}.safetensors"


def model_card(model: str) -> dict[str, Any]:
    """The card of `model` or `model-clean`, with paths relative to it."""
    return {
        "name": "demo" if model == "model" else "demo-clean",
        "format": "torchvision",
        "architecture": "squeezenet1_1",
        "arguments": {"num_classes": len(CLASSES)},
        "weights": f"{model}.safetensors",
        "input": {
            "channels": 3,
            "height": SIZE,
            "width": SIZE,
            "resize": None,
            "crop": None,
            "order": "RGB",
            "mean": [0.5, 0.5, 0.5],
            "std": [0.5, 0.5, 0.5],
        },
        "labels": "labels.txt",
    }


def dataset_card(seed: int, shortcut: bool) -> dict[str, Any]:
    """The card of a world's pictures."""
    name = f"demo-world{'' if shortcut else '-clean'}-{seed}"
    return {"name": name, "source": "images.zip", "prefix": "", "classes": "labels.txt"}


def _write_card(path: Path, card: dict[str, Any]) -> None:
    path.write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
