"""Issue 3, done when 4: layers and versions on comparable maps, of real networks."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.proof.conftest import IMAGENET_LAYERS, Build, Report, build_command

if TYPE_CHECKING:
    from atlas_core.models.base import LoadedModel

pytestmark = pytest.mark.proof

STEPS, BATCH, RATE = 150, 64, 2e-3


def test_twins_of_two_layers_lie_nearer_than_in_separate_layouts(imagenet: Build, report: Report) -> None:
    first, second = IMAGENET_LAYERS
    found = imagenet.manifest["layers"][second]["twins"]
    report(f"twins of {second} and {first}", **found)
    assert found["with"] == {"layer": first}
    assert found["noise_floor"] < found["distance"] < found["separate_aligned"] <= found["separate"]


@pytest.fixture(scope="module")
def tuned(shared: Path, work: Path, report: Report) -> Path:
    """Card of a copy of ResNet-20 that was trained on for a while, the names of its tensors kept."""
    import onnx
    from onnx import numpy_helper

    from atlas_core.registration import load_card

    cards = shared / "cifar10"
    folder = work / "tuned"
    shutil.copytree(cards, folder, ignore=shutil.ignore_patterns("images.zip", "dataset-*"))
    graph = onnx.load(cards / "resnet20.onnx")
    model = load_card(cards / "model.json")
    before = {name: value.detach().numpy().copy() for name, value in model.network().module.named_parameters()}
    losses = _train(model, cards)
    after = dict(model.network().module.named_parameters())
    written = 0
    for tensor in graph.graph.initializer:
        held = numpy_helper.to_array(tensor)
        for name, value in before.items():
            for turned in (False, True):
                own, new = value, after[name].detach().numpy()
                own, new = (own.T, new.T) if turned else (own, new)
                if held.shape == own.shape and np.array_equal(held, own):
                    tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(new), tensor.name))
                    written += 1
                    break
            else:
                continue
            break
    assert written == len(before)
    onnx.save(graph, folder / "resnet20.onnx")
    report("ResNet-20, trained on", steps=STEPS, loss_first=round(losses[0], 3), loss_last=round(losses[-1], 3))
    return folder / "model.json"


def _train(model: LoadedModel, cards: Path) -> list[float]:
    """Train with SGD on the training pictures; returns the mean loss of each third."""
    import torch

    from atlas_core.cards import resolve_dataset_card
    from atlas_core.datasets.dataset import open_dataset
    from atlas_core.models.base import Normalise
    from atlas_core.models.preprocessing import read_pixels, to_unit

    random = np.random.default_rng(0)
    net, normalise = model.network().reader([], logits=True), Normalise(model.card.input)
    model.network().module.requires_grad_(True)
    optimiser = torch.optim.SGD(model.network().module.parameters(), lr=RATE, momentum=0.9)
    losses = []

    def no_blob(sha256: str) -> Any:
        raise AssertionError(sha256)

    with open_dataset(resolve_dataset_card(cards / "dataset-train.json"), no_blob) as dataset:
        listing = dataset.listing
        chosen = random.permutation(len(listing.images))[: STEPS * BATCH].reshape(STEPS, -1)
        for batch in chosen:
            pixels = [read_pixels(dataset.read(listing.images[place]), model.card.input) for place in batch]
            labels = torch.from_numpy(listing.labels[batch].astype(np.int64))
            (logits,) = net(normalise(torch.from_numpy(to_unit(np.stack(pixels)))))
            loss = torch.nn.functional.cross_entropy(logits.flatten(1), labels)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]  # torch's own
            optimiser.step()
            losses.append(float(loss.detach()))
    return [float(np.mean(part)) for part in np.array_split(losses, 3)]


def test_a_fine_tuned_copy_is_anchored_on_the_originals_atlas(
    shared: Path, work: Path, cifar: Build, cifar_request: dict[str, Any], tuned: Path, report: Report
) -> None:
    held = {path: path.read_bytes() for path in cifar.directory.rglob("cells.json")}
    command = build_command(tuned.parent, "dataset-test.json", cifar_request, work / "anchored")
    command[command.index("--dataset") + 1] = str(shared / "cifar10" / "dataset-test.json")
    ended = subprocess.run([*command, "--anchor", str(cifar.directory)], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    manifest = json.loads(ended.stdout)
    (layer,) = cifar_request["layers"]
    found = manifest["layers"][layer]["twins"]
    report("a fine-tuned copy on the original's atlas", layer=layer, **found,
           trustworthiness=manifest["layers"][layer]["layout"]["trustworthiness"])  # fmt: skip
    assert found["with"] == {"atlas": cifar.manifest["id"]}
    assert found["samples"] == cifar.manifest["layers"][layer]["samples"]
    assert found["noise_floor"] > 0
    assert found["distance"] < found["separate_aligned"]
    assert {path: path.read_bytes() for path in cifar.directory.rglob("cells.json")} == held
    _assert_published_points_stay(cifar, work / "anchored", layer)


def _assert_published_points_stay(original: Build, anchored: Path, layer: str) -> None:
    """The anchored atlas holds the anchor's points to the bit, and shows its own in the same window."""
    from atlas_core.registry import plan_of
    from atlas_core.runtime import Runtime
    from atlas_core.store import open_store

    tables = []
    for folder, manifest in ((original.directory, original.manifest), (anchored, None)):
        store = open_store(str(folder / ".store"))
        name = (manifest or json.loads((folder / "manifest.json").read_text()))["id"]
        plan, runtime = plan_of(store, name), Runtime(store)
        (chunk,) = plan.find("layout", layer=layer, step="optimise")
        tables.append(runtime.table(runtime.record(plan, chunk.key)["blobs"]["layout"]))
        if manifest is None:
            facts = plan.anchor
            assert facts is not None
            record = store.get_record("layout", facts.layers[layer].layout)
            assert record is not None
            fixed = runtime.table(record["blobs"]["layout"])
    assert fixed["points"].tobytes() == tables[0]["points"].tobytes()
    assert tables[1]["window"].tolist() == tables[0]["window"].tolist()
