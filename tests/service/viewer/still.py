"""A real service without workers, whose store is filled by hand: things in every state, and they stay so."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
import pytest

from atlas_core import registry
from atlas_core.advance import end_job
from atlas_core.cards import DatasetCard, ModelCard
from atlas_core.ledger import Worker
from atlas_core.pyramid import compose_tile
from service.main import create_app
from service.settings import ServiceSettings
from tests.audits import audit, pictures
from tests.service.serving import serving
from tests.service.stack import OwnRedis

if TYPE_CHECKING:
    from service.dependencies import Services

CLASSES = ["ball", "butterfly", "fish", "flower", "leaf", "mask", "pan", "wheel", "window", "wok"]
INPUT = {"channels": 3, "height": 96, "width": 96, "mean": [0.5] * 3, "std": [0.25] * 3}
ERROR = {"type": "model", "chunk": None,
         "detail": "the model gives no finite activations at features.4; check its preprocessing"}  # fmt: skip


@dataclass(frozen=True)
class Still:
    """The service's address, its parts, and the ids of what its store holds."""

    url: str
    services: Services
    redis: OwnRedis
    ids: dict[str, str]

    def worker_beats(self, seconds: float = 600) -> None:
        """Have a worker known to live."""
        self.services.ledger.beat(Worker("w", ("interactive", "cpu", "gpu"), 2), seconds)

    def page(self, key: str, what: str) -> str:
        """Address of the page of something."""
        return f"{self.url}/?{key}={self.ids[what]}"


@pytest.fixture(scope="session")
def still(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Still]:
    folder = tmp_path_factory.mktemp("still")
    with OwnRedis(folder) as redis:
        app = create_app(ServiceSettings(store_url=str(folder / "store"), redis_url=redis.url))
        with serving(app) as url:
            services: Services = app.state.services
            still = Still(url, services, redis, {})
            still.worker_beats()
            _registered(still)
            _atlases(still)
            _audits(still)
            yield still


def _registered(still: Still) -> None:
    store = still.services.store
    weights = store.put_blob(b"weights")
    for name, more in (("pan-vision", {}), ("pan-vision-old", {"output": "logits"}), ("broken", {"output": "none"})):
        card = ModelCard(name=name, format="onnx", source=f"sha256:{weights}", input=INPUT, labels=CLASSES, **more)
        still.ids[name] = registry.add_model(store, card)["id"]
    field = {"size": [63.0, 63.0], "jump": [8.0, 8.0], "start": [7.5, 7.5]}
    layers: list[dict[str, Any]] = [
        {"name": f"features.{n}", "shape": [64 + n, 24, 24], "receptive_field": field, "block": n % 4 == 3}
        for n in range(16)
    ]
    dataset = DatasetCard(name="kitchen", source=f"sha256:{store.put_blob(b'pictures')}", classes=CLASSES)
    still.ids["kitchen"] = registry.add_dataset(store, dataset, "kitchen")["id"]
    registry.update(store, "datasets", still.ids["kitchen"], state="ready", images=2000, digest="d" * 64,
                    listing=store.put_blob(b"listing"), classes=CLASSES,
                    class_counts={name: 100 + 20 * n for n, name in enumerate(CLASSES)},
                    skipped=[{"image": "pan/cut-off.jpg", "reason": "the JPEG ends too early"}])  # fmt: skip
    accuracy = {"top1": 0.9725, "top5": 0.9995, "images": 2000, "dataset": still.ids["kitchen"]}
    for name in ("pan-vision", "pan-vision-old"):
        registry.update(store, "models", still.ids[name], state="ready", layers=layers, classes=10, convertible=True,
                        accuracy=accuracy, warnings=["with the channels as BGR it is right more often"])  # fmt: skip
    registry.update(store, "models", still.ids["broken"], state="refused",
                    reasons=["the operator NonMaxSuppression is not known; export the model without it"])  # fmt: skip


def _atlases(still: Still) -> None:
    services, spec = still.services, {"model": still.ids["pan-vision"], "dataset": still.ids["kitchen"]}
    for seed, name in enumerate(("ready to be seen", "failed", "cancelled", "queued")):
        body = {**spec, "layers": ["features.3", "features.7"], "samples": 1000, "levels": [5], "seed": seed}
        answer = httpx.post(f"{still.url}/v1/atlases", json={**body, "name": name})
        still.ids[name] = answer.raise_for_status().json()["id"]
    end_job(still.ids["failed"], services.store, services.ledger, state="failed", error=ERROR)
    end_job(still.ids["cancelled"], services.store, services.ledger, state="cancelled")
    plan = registry.plan_of(services.store, still.ids["ready to be seen"])
    (chunk, *_) = plan.find("preview")
    places = np.array([[n % 5, n // 5] for n in range(24)], np.int32)
    icons = np.random.default_rng(0).integers(0, 255, (24, 1, 1, 3), np.uint8).repeat(24, 1).repeat(24, 2)
    tile = services.store.put_blob(compose_tile(icons, places, 5, 5))
    services.store.put_record("preview", chunk.key, {"blobs": {"tile": tile}, "info": {"icons": 24, "size": 24}})
    services.ledger.mark_done([chunk.key])


def _audits(still: Still) -> None:
    """One that found things, as a worker leaves it, and one that waits."""
    store, body = still.services.store, {"model": still.ids["pan-vision"], "dataset": still.ids["kitchen"]}
    for seed, name in enumerate(("audited", "to be audited")):
        answer = httpx.post(f"{still.url}/v1/audits", json={**body, "seed": seed})
        still.ids[name] = answer.raise_for_status().json()["id"]
    job = still.ids["audited"]
    atlas = still.ids["ready to be seen"]
    model = {"id": still.ids["pan-vision"], "name": "pan-vision"}
    document = audit(id=job, atlas=atlas, model=model)
    kept = {name: store.put_blob(data) for name, data in pictures().items()}
    told = store.put_blob(json.dumps(document.model_dump(mode="json")).encode())
    summary = {"verdict": document.verdict, "reason": document.reason, "exit_code": document.exit_code,
               "checks": {check.check: check.verdict for check in document.checks}}  # fmt: skip
    chunk = registry.plan_of(store, job).chunks[-1]
    store.put_record(chunk.stage, chunk.key, {
        "blobs": {"description": told, **kept}, "info": {"digest": document.digest, "summary": summary},
    })  # fmt: skip
    end_job(job, store, still.services.ledger, state="succeeded", digest=document.digest)
