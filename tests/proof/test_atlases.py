"""Issue 2, done when 2 and 3: real atlases at full size, in time and with measured pictures."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from atlas_core.featurevis.recipes import RECIPES, canvas_size
from atlas_core.featurevis.render import render
from atlas_core.fidelity import measure
from atlas_core.registry import plan_of
from atlas_core.runtime import Runtime
from atlas_core.store import open_store
from atlas_core.whitening import Whitening
from tests.proof.conftest import OUT, Build, Report, built

if TYPE_CHECKING:
    from atlas_core.cards import LayerInfo

pytestmark = pytest.mark.proof
SIDE = 20


def _in_another_recipe(build: Build, cards: Path, dataset: str, request: dict[str, Any], recipe: str) -> Build:
    """The same atlas with other icons; everything before them is found in the copied store."""
    out = build.directory.with_name(f"{build.directory.name}-{recipe}")
    shutil.copytree(build.directory / ".store", out / ".store", dirs_exist_ok=True)
    return built(cards, dataset, {**request, "recipe": recipe}, out)


def _keep_poster(build: Build, layer: str, name: str) -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    folder = next(path for path in build.directory.glob("*/20") if layer.rpartition("/")[2] in path.parent.name)
    shutil.copy(folder / "poster.png", OUT / f"{name}.png")


def _told(report: Report, what: str, build: Build, layer: str) -> dict[str, Any]:
    level = build.level(layer, SIDE)
    told = {name: level[name] for name in ("cells", "shown", "median_images")}
    report(f"{what} {layer} side {SIDE}", **told, **level["icons"])
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


def test_imagenet_detail(imagenet: Build, shared: Path, imagenet_request: dict[str, Any], report: Report) -> None:
    detail = _in_another_recipe(imagenet, shared / "imagenet", "dataset.json", imagenet_request, "detail")
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


def test_cifar_detail_beats_its_start(
    cifar: Build, cifar_layer: str, shared: Path, cifar_request: dict[str, Any], report: Report
) -> None:
    detail = _in_another_recipe(cifar, shared / "cifar10", "dataset-test.json", cifar_request, "detail")
    icons = _told(report, "detail", detail, cifar_layer)
    alone = _start_alone(detail, cifar_layer)
    report("thumbnail start alone", whitened_cosine=round(alone, 4))
    assert icons["whitened_cosine"] >= alone + 0.1


def _start_alone(build: Build, name: str) -> float:
    """Mean whitened cosine of detail's starts without any step, on the same cells."""
    store = open_store(str(build.directory / ".store"))
    plan, runtime = plan_of(store, build.manifest["id"]), Runtime(store)
    record = runtime.record(plan, plan.find("cells", layer=name)[0].key)
    cells = runtime.table(record["blobs"][f"level-{SIDE}"])
    whitening = Whitening.from_tables(runtime.table(record["blobs"]["whitening"]))
    layer: LayerInfo = plan.model.layer(name)
    card, trunk = plan.model.card.input, runtime.model(plan.model.card).trunk(name)
    recipe = dataclasses.replace(RECIPES["detail"], steps=0)
    canvas = canvas_size(recipe, layer, card)
    keys = list(range(len(cells["mean"])))
    seeds = cells["seed"].astype(np.float32)
    starts = render(trunk, recipe, cells["mean"], whitening, seeds, canvas, card, keys, layer=layer)
    measured = measure(
        trunk, starts, cells["mean"], cells["mean"], np.array(keys), whitening, canvas, input=card, layer=layer
    )
    return float(measured["whitened_cosine"].mean())


def test_cells_are_listed_as_the_manifest_says(imagenet: Build) -> None:
    for layer, entry in imagenet.manifest["layers"].items():
        for level in entry["levels"]:
            cells = json.loads((imagenet.directory / layer / str(level["side"]) / "cells.json").read_text())
            assert len(cells) == level["cells"]
            shown = sum(cell["count"] for cell in cells) / entry["samples"]
            assert abs(shown - level["shown"]) <= 5e-5  # the manifest rounds to four digits
