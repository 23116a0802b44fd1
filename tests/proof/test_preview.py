"""Issue 4, done when 5: how soon there is something to see."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from atlas_core import registry
from atlas_core.store import open_store
from tests.proof.conftest import SEED, Report

if TYPE_CHECKING:
    from atlas_client.client import Client

pytestmark = [pytest.mark.proof, pytest.mark.alone]

READABLE_SECONDS = 30.0
AFTER_CELLS_SECONDS = 5.0
LOOK_SECONDS = 0.05
PATIENCE_SECONDS = 300.0


def _seconds_until_seen(client: Client, atlas: str, layer: str, began: float) -> tuple[float, float]:
    """Seconds from the POST until the coarsest level's cells are known, and until every one of them has a picture."""
    level = f"/v1/atlases/{atlas}/layers/{quote(layer, safe='')}/levels/0"
    known: float | None = None
    cells = 0
    while time.monotonic() - began < PATIENCE_SECONDS:
        if known is None:
            answer = client.ask("GET", f"{level}/cells")
            if answer.status_code == 200:
                known, cells = time.monotonic() - began, len(answer.json()["items"])
        elif sum(tile["icons"] for tile in client.json("GET", level)["tiles"]) == cells:
            return known, time.monotonic() - began
        time.sleep(LOOK_SECONDS)
    raise AssertionError(f"the coarsest level is not readable after {PATIENCE_SECONDS:.0f} s")


def _spent(store: Any, atlas: str) -> dict[str, str]:
    """Chunks of each stage that are done, with the seconds of the processes and of the processors that ran them."""
    spent: dict[str, list[Any]] = {}
    for chunk in registry.plan_of(store, atlas).chunks:
        record = store.get_record(chunk.stage, chunk.key)
        if record is not None:
            name = f"{chunk.stage} {chunk.parameters.get('step', '')}".strip()
            spent.setdefault(name, []).append(record["cost"])
    return {name: f"{len(costs)} in {sum(cost['seconds'] for cost in costs):.1f} s"
                  f" ({sum(cost['cpu_seconds'] for cost in costs):.1f})" for name, costs in spent.items()}  # fmt: skip


def test_the_coarsest_level_can_be_read_soon(
    client: Client, shared: Path, work: Path, cifar_layer: str, report: Report
) -> None:
    cards = shared / "cifar10"
    dataset = client.add_dataset(cards / "dataset-test.json")["id"]
    client.wait_ready("datasets", dataset)
    model = client.add_model(cards / "model.json")["id"]
    client.wait_ready("models", model)
    request = {"model": model, "dataset": dataset, "layers": [cifar_layer], "seed": SEED + 1}  # of no other proof
    warm = {**request, "samples": 2_000, "images": 500, "levels": [10], "recipe": "fast", "allow_sparse": True}
    client.wait(client.submit(warm)["id"])
    began = time.monotonic()
    atlas = client.submit({**request, "samples": 20_000})["id"]
    known, seen = _seconds_until_seen(client, atlas, cifar_layer, began)
    client.cancel(atlas)
    report("first readable level of CIFAR-10, 20,000 samples", seconds=round(seen, 1), cells_known=round(known, 1),
           **_spent(open_store(str(work / "service" / "store")), atlas))  # fmt: skip
    assert seen <= READABLE_SECONDS
    assert seen - known <= AFTER_CELLS_SECONDS
