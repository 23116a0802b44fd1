"""Issue 3: pictures in a bucket of Ceph's S3 gateway, decoded by the service's workers straight from there."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import obstore
import pytest

from atlas_client.client import Client
from atlas_core.store import open_backend
from service.embedded import embedded
from tests.atlas_core.datasets.test_formats import PLACES, write_world
from tests.tiny import CLASSES, REQUEST, write_cards

if TYPE_CHECKING:
    from tests.proof.conftest import Report
    from tests.rgw import Rgw

pytestmark = pytest.mark.proof


def test_workers_read_every_format_from_a_bucket(
    rgw: Rgw, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, report: Report
) -> None:
    model, local = write_cards(tmp_path / "cards")
    with zipfile.ZipFile(local.parent / "images.zip") as archive:
        pictures = {name: archive.read(name) for name in archive.namelist()}
    (tmp_path / "world").mkdir()
    world = write_world(tmp_path / "world", pictures)
    bucket = rgw.bucket()
    backend = open_backend(bucket, rgw.settings())
    for path in world.rglob("*"):
        if path.is_file():
            obstore.put(backend, path.relative_to(world).as_posix(), path.read_bytes())
    environment = {**rgw.environment, "ATLAS_DATASET_STORES": json.dumps({"lake": bucket})}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    with embedded(tmp_path / "data") as service, Client(service.url) as client:
        model_id = client.add_model(model)["id"]
        client.wait_ready("models", model_id)

        def made(card: Path) -> dict[str, Any]:
            dataset = client.add_dataset(card)["id"]
            client.wait_ready("datasets", dataset)
            atlas = client.submit({**REQUEST, "levels": [3], "model": model_id, "dataset": dataset})["id"]
            manifest: dict[str, Any] = client.wait(atlas)["manifest"]
            return manifest

        uploaded = made(local)
        for place in PLACES:
            shards = {"format": "webdataset"} if place == "shards" else {}
            card = {"name": place, "source": f"store://lake/{place}", "classes": list(CLASSES), **shards}
            (tmp_path / "card.json").write_text(json.dumps(card))
            far = made(tmp_path / "card.json")
            assert (far["artifacts"], far["layers"]) == (uploaded["artifacts"], uploaded["layers"]), place
    stored = [path for path in (tmp_path / "data" / "store" / "blobs").rglob("*") if path.is_file()]
    copies = set(pictures.values()) & {path.read_bytes() for path in stored}
    assert not copies  # pictures stay where they are
    report("datasets in a bucket", formats=len(PLACES), pictures=len(pictures))
