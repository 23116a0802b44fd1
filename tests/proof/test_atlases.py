"""Issue 2, done when 2 and 3: real atlases at full size, in time and with measured pictures."""

from __future__ import annotations

import json
import shutil
from typing import Any

import pytest

from tests.proof.conftest import OUT, Build, InRecipe, Report

pytestmark = pytest.mark.proof
SIDE = 20


def _keep_poster(build: Build, layer: str, name: str) -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    folder = next(path for path in build.directory.glob("*/20") if layer.rpartition("/")[2] in path.parent.name)
    shutil.copy(folder / "poster.png", OUT / f"{name}.png")


def _told(report: Report, what: str, build: Build, layer: str) -> dict[str, Any]:
    level = build.level(layer, SIDE)
    told = {name: level[name] for name in ("cells", "shown", "median_images")}
    report(f"{what} {layer} side {SIDE}", **told, **{name: value for name, value in level["icons"].items()
                                                     if name != "quantiles"})  # fmt: skip
    return dict(level["icons"])


def test_imagenet_in_time_with_vivid_icons(imagenet: Build, report: Report) -> None:
    report("atlas build, ImageNet, two layers, 20,000 samples", seconds=round(imagenet.seconds), limit=900)
    for layer in imagenet.manifest["layers"]:
        report(f"layout {layer}", **imagenet.manifest["layers"][layer]["layout"])
        _told(report, "vivid", imagenet, layer)
        _keep_poster(imagenet, layer, f"imagenet-{layer}-vivid")
        assert imagenet.level(layer, SIDE)["median_images"] >= 8
    icons = imagenet.level("features.10", SIDE)["icons"]
    assert icons["whitened_cosine"] >= 0.40
    assert icons["retrieval_top1"] >= 0.75
    assert icons["low_contrast_share"] <= 0.03
    assert imagenet.seconds < 15 * 60


def test_imagenet_detail(imagenet_in: InRecipe, report: Report) -> None:
    detail = imagenet_in("detail")
    late, early = (_told(report, "detail", detail, layer) for layer in ("features.10", "features.5"))
    _keep_poster(detail, "features.10", "imagenet-features.10-detail")
    assert late["whitened_cosine"] >= 0.45
    assert late["retrieval_top1"] >= 0.80
    assert early["whitened_cosine"] >= 0.30
    assert early["retrieval_top1"] >= 0.40


def test_cifar_in_time(cifar: Build, cifar_layer: str, report: Report) -> None:
    report("atlas build, CIFAR-10 ONNX, 20,000 samples", seconds=round(cifar.seconds), limit=600)
    report("layout", **cifar.manifest["layers"][cifar_layer]["layout"])
    _told(report, "vivid", cifar, cifar_layer)
    _keep_poster(cifar, cifar_layer, "cifar-vivid")
    assert cifar.seconds < 10 * 60


def test_cells_are_listed_as_the_manifest_says(imagenet: Build) -> None:
    for layer, entry in imagenet.manifest["layers"].items():
        for level in entry["levels"]:
            cells = json.loads((imagenet.directory / layer / str(level["side"]) / "cells.json").read_text())
            assert len(cells) == level["cells"]
            shown = sum(cell["count"] for cell in cells) / entry["samples"]
            assert abs(shown - level["shown"]) <= 5e-5  # the manifest rounds to four digits
