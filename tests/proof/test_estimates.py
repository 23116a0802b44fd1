"""Issue 3: what `dry_run` says is within a factor of two of the finished job."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest

from atlas_client.client import Client
from atlas_core.registry import plan_of
from atlas_core.store import open_store
from tests.tiny import ATLAS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.proof.conftest import Report

pytestmark = pytest.mark.proof

TOLD = ("chunks", "bytes", "cpu_seconds", "wall_seconds")


@dataclass(frozen=True)
class Fresh:
    """A deployment that has made no atlas yet."""

    client: Client
    store: Path

    def registered(self, model: Path, dataset: Path) -> dict[str, str]:
        """The first part of a request: a model and a dataset that are ready."""
        names = {"dataset": self.client.add_dataset(dataset)["id"]}
        names["model"] = self.client.add_model(model)["id"]
        for kind, name in names.items():
            self.client.wait_ready(f"{kind}s", name)
        return names

    def took(self, request: dict[str, Any]) -> dict[str, float]:
        """Make an atlas; gives what its chunks took and wrote, by their records, and the seconds of the whole."""
        done = self.client.wait(self.client.submit(request)["id"])
        store = open_store(str(self.store))
        costs = []
        for chunk in plan_of(store, done["id"]).chunks:
            record = store.get_record(chunk.stage, chunk.key)
            assert record is not None
            costs.append(record["cost"])
        began, ended = (datetime.fromisoformat(done[name]) for name in ("started", "finished"))
        return {
            "chunks": len(costs),
            "bytes": sum(cost["bytes"] for cost in costs),
            "cpu_seconds": sum(cost["cpu_seconds"] for cost in costs),
            "wall_seconds": (ended - began).total_seconds(),
        }


@pytest.fixture(scope="module")
def fresh(work: Path) -> Iterator[Fresh]:
    """A service of its own: the others have learned already."""
    folder = work / "estimates"
    command = [*ATLAS, "up", "--data", str(folder), "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        try:
            with Client(json.loads(process.stdout.readline())["url"]) as client:
                yield Fresh(client, folder / "store")
        finally:
            process.send_signal(signal.SIGTERM)


@pytest.fixture(scope="module")
def world(fresh: Fresh, work: Path) -> dict[str, str]:
    """The demo's world and network."""
    folder = work / "estimates-world"
    subprocess.run([*ATLAS, "demo", "--data-only", str(folder)], check=True, capture_output=True)
    return fresh.registered(folder / "model.json", folder / "dataset.json")


def _compared(report: Report, what: str, told: dict[str, Any], took: dict[str, float]) -> dict[str, float]:
    ratios = {name: round(told[name] / took[name], 2) for name in TOLD}
    report(f"{what}, {told['rates']} rates, told over taken", **ratios, seconds=round(took["wall_seconds"]))
    return ratios


def test_estimates_are_within_a_factor_of_two_by_what_other_jobs_took(
    fresh: Fresh, world: dict[str, str], shared: Path, cifar_layer: str, report: Report
) -> None:
    first = {**world, "layers": ["features.4"], "samples": 4_000, "levels": [10], "recipe": "fast", "keep": "samples"}
    told = fresh.client.dry_run(first)
    assert told["rates"] == "assumed"
    _compared(report, "demo world", told, fresh.took(first))

    cifar = fresh.registered(shared / "cifar10" / "model.json", shared / "cifar10" / "dataset-test.json")
    other_model = {**cifar, "layers": [cifar_layer], "samples": 20_000, "levels": [10, 20], "recipe": "fast"}
    larger = {**world, "layers": ["features.4", "features.7"], "samples": 12_000, "levels": [10, 20], "recipe": "fast"}
    for what, request in (("CIFAR-10, ONNX", other_model), ("demo world, two layers", larger)):
        wanted = {**request, "seed": 3, "keep": "samples"}
        told = fresh.client.dry_run(wanted)
        ratios = _compared(report, what, told, fresh.took(wanted))
        assert told["rates"] in ("measured", "partly-measured")
        assert ratios["chunks"] == 1
        assert all(0.5 <= ratio <= 2 for ratio in ratios.values()), ratios
