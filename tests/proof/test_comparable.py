"""Issue 3, done when 4: layers and versions on comparable maps, of real networks."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.proof.conftest import IMAGENET_LAYERS, Build, Report, build_command

pytestmark = pytest.mark.proof


def test_twins_of_two_layers_lie_nearer_than_in_separate_layouts(imagenet: Build, report: Report) -> None:
    first, second = IMAGENET_LAYERS
    found = imagenet.manifest["layers"][second]["twins"]
    report(f"twins of {second} and {first}", **found)
    assert found["with"] == {"layer": first}
    assert found["noise_floor"] < found["distance"] < found["separate_aligned"] <= found["separate"]


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
