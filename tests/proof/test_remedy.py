"""The demo's planted classifier, audited and repaired: half of the flips or more go, for under two points."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from atlas_core.audit.local import Cards, audit_directory
from atlas_core.cards import ModelCard, read_card
from atlas_core.models.base import load_model
from atlas_core.models.preprocessing import to_unit
from service.demo.world import CLASSES, generate, paste_noodles, write_world

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from atlas_core.models.base import LoadedModel
    from tests.proof.conftest import Report

pytestmark = pytest.mark.proof
WOK = CLASSES.index("wok")
OTHER_WORLD, PICTURES = 2, 1000
POLICY = """\
[audit]
checks = ["shortcuts"]
layers = ["features.7", "features.12"]
icons = "none"
"""


def predicted(model: LoadedModel, pixels: NDArray[np.uint8]) -> NDArray[np.int64]:
    parts = [model.activations(to_unit(part), [], logits=True)[1] for part in np.array_split(pixels, len(pixels) // 50)]
    return np.concatenate([part.argmax(axis=1) for part in parts if part is not None])


def test_noodles_no_longer_make_a_wok(work: Path, report: Report) -> None:
    torch.set_num_threads(1)
    world, out = work / "world", work / "remedy"
    write_world(world)
    document = audit_directory(
        Cards(world / "model.json", world / "dataset.json"), {"policy": POLICY, "policy_name": "policy.toml"}, out,
        lambda *_: None, 2,
    )  # fmt: skip
    first = document["checks"][0]["findings"][0]
    assert (document["verdict"], first["target"]["name"]) == ("fail", "wok")
    told: dict[str, Any] = first["remedy"]["statistics"]
    assert first["remedy"]["works"], first["remedy"]["summary"]
    assert told["flips_after"] < told["flips_before"] / 2
    assert told["accuracy_lost"] < 0.02

    card = read_card(ModelCard, world / "model.json")
    weights, repaired = (world / "model.safetensors").read_bytes(), (out / "repaired-wok.onnx").read_bytes()
    before = load_model(card.model_copy(update={"weights": "sha256:0"}), lambda _: weights)
    as_onnx: dict[str, Any] = {"format": "onnx", "source": "sha256:0", "architecture": None, "weights": None,
                               "arguments": {}}  # fmt: skip
    after = load_model(card.model_copy(update=as_onnx), lambda _: repaired)
    names, _, noodles, pictures = zip(*generate(OTHER_WORLD, PICTURES, True), strict=True)
    labels, pixels = np.array([CLASSES.index(name) for name in names]), np.stack(pictures)
    accuracy = [float((predicted(model, pixels) == labels).mean()) for model in (before, after)]
    plain = (labels != WOK) & ~np.array(noodles) & (predicted(before, pixels) == labels)
    random = np.random.default_rng(0)
    heaped = np.stack([paste_noodles(picture, random) for picture in pixels[plain]])
    flips = [float((predicted(model, heaped) == WOK).mean()) for model in (before, after)]
    report("remedy on the demo", found=first["remedy"]["summary"])
    report("noodles on another world", flips=flips, accuracy=accuracy, pictures=int(plain.sum()))
    assert accuracy[0] - accuracy[1] < 0.02, accuracy
    assert flips[1] < flips[0] / 2, flips
    assert json.loads((out / "report.json").read_text())["digest"] == document["digest"]
