"""Issue 2, done when 4, 5, 6 and 9: over HTTP, through kill -9, and again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from atlas_core.plan import DROPPED_STAGES
from tests.proof.conftest import Build, Report, Up, build_command

if TYPE_CHECKING:
    from atlas_client.client import Client

pytestmark = pytest.mark.proof


def _registered(client: Client, cards: Path, dataset: str) -> tuple[dict[str, Any], str]:
    dataset_id = client.add_dataset(cards / dataset)["id"]
    client.wait_ready("datasets", dataset_id)
    model = client.add_model(cards / "model.json", dataset_id)
    return client.wait_ready("models", model["id"]), dataset_id


Cells = dict[str, list[tuple[int, int, int]]]


def _cells(read: Callable[[str, int], Any], request: dict[str, Any]) -> Cells:
    """Column, row and count of every cell, by layer and side."""
    return {
        f"{layer} {side}": [
            (cell["column"], cell["row"], cell["count"])
            for cell in read(quote(layer, safe=""), request["levels"].index(side))
        ]
        for layer in request["layers"]
        for side in request["levels"]
    }


def _over_http(client: Client, atlas: str, request: dict[str, Any]) -> Cells:
    def read(layer: str, z: int) -> Any:
        return list(client.items(f"/v1/atlases/{atlas}/layers/{layer}/levels/{z}/cells"))

    return _cells(read, request)


def _in_folder(build: Build, request: dict[str, Any]) -> Cells:
    def read(layer: str, z: int) -> Any:
        return json.loads((build.directory / layer / str(request["levels"][z]) / "cells.json").read_text())

    return _cells(read, request)


def test_imagenet_over_http_is_the_atlas_that_build_made(
    client: Client, shared: Path, imagenet: Build, imagenet_request: dict[str, Any], report: Report
) -> None:
    model, dataset = _registered(client, shared / "imagenet", "dataset.json")
    report("SqueezeNet", **model["accuracy"])
    assert abs(model["accuracy"]["top1"] - 0.62) <= 0.04
    began = time.monotonic()
    atlas = client.submit({**imagenet_request, "model": model["id"], "dataset": dataset})["id"]
    done = client.wait(atlas)
    report("ImageNet over HTTP", seconds=round(time.monotonic() - began), digest=done["digest"][:16])
    assert _over_http(client, atlas, imagenet_request) == _in_folder(imagenet, imagenet_request)
    assert (atlas, done["digest"]) == (imagenet.manifest["id"], imagenet.manifest["digest"])


def _wait_for(client: Client, atlas: str, reached: Callable[[dict[str, Any]], bool]) -> None:
    deadline = time.monotonic() + 600
    while True:
        status = client.status(atlas)
        assert status["state"] in ("queued", "running"), status
        if reached(status["progress"]):
            return
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_cifar_over_http_survives_kills_of_its_worker(
    up: Up, client: Client, shared: Path, cifar: Build, cifar_request: dict[str, Any], report: Report
) -> None:
    model, dataset = _registered(client, shared / "cifar10", "dataset-test.json")
    report("ResNet-20", **model["accuracy"])
    assert abs(model["accuracy"]["top1"] - 0.81) <= 0.02
    began = time.monotonic()
    spec = {**cifar_request, "model": model["id"], "dataset": dataset}
    atlas = client.submit(spec)["id"]
    _wait_for(client, atlas, lambda progress: progress["collect"]["running"] > 0)
    time.sleep(1)
    collected = client.status(atlas)["progress"]["collect"]
    assert collected["done"] < collected["total"], "the kill came too late"
    os.kill(up.worker(), signal.SIGKILL)
    _wait_for(client, atlas, lambda progress: 0 < progress["render"]["done"] < progress["render"]["total"])
    os.kill(up.worker(), signal.SIGKILL)
    done = client.wait(atlas)
    report("CIFAR over HTTP, killed twice", seconds=round(time.monotonic() - began), digest=done["digest"][:16])
    assert _over_http(client, atlas, cifar_request) == _in_folder(cifar, cifar_request)
    assert (atlas, done["digest"]) == (cifar.manifest["id"], cifar.manifest["digest"])

    store = Path(cifar.directory).parent / "service"
    before = _lasting_records(store)
    began = time.monotonic()
    again = client.submit(spec)
    assert again["state"] == "succeeded"
    report("the same spec again", state=again["state"], seconds=round(time.monotonic() - began, 2))
    assert _lasting_records(store) == before


def _lasting_records(store: Path) -> list[Path]:
    """Records of a store but for those that are dropped some time after an atlas has succeeded."""
    found = (path for path in store.rglob("*.json") if "records" in path.parts)
    return sorted(path for path in found if path.parent.name not in DROPPED_STAGES)


def test_a_killed_build_continues_to_the_same_bytes(
    shared: Path, work: Path, cifar: Build, cifar_request: dict[str, Any], report: Report
) -> None:
    out = work / "cifar-killed"
    command = build_command(shared / "cifar10", "dataset-test.json", cifar_request, out)
    records = out / ".store" / "records"
    _kill_when(command, lambda: bool(list((records / "collect").glob("*.json"))))
    _kill_when(command, lambda: bool(list((records / "render").glob("*.json"))))
    assert not (out / "manifest.json").exists()
    began = time.monotonic()
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    report("atlas build, killed twice, the rest", seconds=round(time.monotonic() - began))
    assert json.loads(ended.stdout)["digest"] == cifar.manifest["digest"]


def _kill_when(command: list[str], reached: Callable[[], bool]) -> None:
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while not reached():
            assert process.poll() is None, "the build ended before it was killed"
            time.sleep(0.1)
        process.kill()


def test_a_card_with_a_wrong_mean_or_label_order_is_warned_about(
    client: Client, shared: Path, work: Path, report: Report
) -> None:
    cards = shared / "cifar10"
    card = json.loads((cards / "model.json").read_text())
    labels = (cards / "labels.txt").read_text().split()
    folder = work / "wrong"
    folder.mkdir()
    (folder / "resnet20.onnx").write_bytes((cards / "resnet20.onnx").read_bytes())
    dataset = client.add_dataset(cards / "dataset-test.json")["id"]
    client.wait_ready("datasets", dataset)
    wrong = {
        "mean": {**card, "labels": labels, "input": {**card["input"], "mean": [0, 0, 0], "std": [1 / 255] * 3}},
        "labels": {**card, "labels": labels[1:] + labels[:1]},
    }
    for name, changed in wrong.items():
        (folder / f"{name}.json").write_text(json.dumps(changed))
        model = client.wait_ready("models", client.add_model(folder / f"{name}.json", dataset)["id"])
        report(f"wrong {name}", warnings=model["warnings"])
        assert model["warnings"]
