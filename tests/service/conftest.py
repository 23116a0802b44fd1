"""A tiny model and a tiny world for the service's tests: made here, in seconds."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from atlas_client.client import Client
from service.embedded import Embedded, embedded
from tests.collector import Collector, collecting
from tests.service.streams import read_in_pieces

if TYPE_CHECKING:
    from atlas_client.events import Event

CLASSES = ["dots", "stripes", "waves"]


def _picture(kind: int, random: np.random.Generator) -> Image.Image:
    rows, columns = np.mgrid[0:64, 0:64] / 64
    turns = random.uniform(3, 6)
    shade = [
        (np.sin(turns * 7 * rows) * np.sin(turns * 7 * columns)) > 0.4,
        np.sin(turns * 7 * (rows + columns)) > 0,
        np.sin(turns * 7 * rows + 3 * np.sin(9 * columns)),
    ][kind].astype(np.float64)
    colours = random.uniform(30, 225, (2, 3))
    picture = colours[0] + shade[..., None] * (colours[1] - colours[0]) + random.normal(0, 8, (64, 64, 3))
    return Image.fromarray(picture.clip(0, 255).astype(np.uint8))


@pytest.fixture(scope="session")
def cards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with model.json (an untrained SqueezeNet at 64 px) and dataset.json (60 pictures of three classes)."""
    import torch
    from safetensors.torch import save_file
    from torchvision.models import squeezenet1_1

    folder = tmp_path_factory.mktemp("cards")
    random = np.random.default_rng(7)
    for number in range(60):
        kind = number % 3
        place = folder / "pictures" / CLASSES[kind] / f"{number:02d}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        _picture(kind, random).save(place)
    torch.manual_seed(7)
    save_file(squeezenet1_1(num_classes=3).state_dict(), folder / "weights.safetensors")
    shape = {"channels": 3, "height": 64, "width": 64, "mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25]}
    model = {
        "name": "tiny", "format": "torchvision", "architecture": "squeezenet1_1", "arguments": {"num_classes": 3},
        "weights": "weights.safetensors", "input": shape, "labels": CLASSES,
    }  # fmt: skip
    (folder / "model.json").write_text(json.dumps(model))
    dataset = {"name": "patterns", "source": "pictures", "classes": CLASSES}
    (folder / "dataset.json").write_text(json.dumps(dataset))
    return folder


SPEC = {"layers": ["features.4"], "samples": 400, "levels": [3, 6], "recipe": "fast", "seed": 5}
QUICK = {
    "ATLAS_LEASE_SECONDS": "8", "ATLAS_BEAT_SECONDS": "0.5", "ATLAS_SHUTDOWN_SECONDS": "1",
    "ATLAS_WEBHOOK_HOSTS": '["127.0.0.1:*"]', "ATLAS_WEBHOOK_RETRY_SECONDS": "[0.2, 0.4, 0.8]",
}  # fmt: skip
TWO_APIS = {"ATLAS_API_PROCESSES": "2"}  # nothing that can change may be kept in a process


def registered(client: Client, cards: Path) -> dict[str, Any]:
    """Register the tiny world over HTTP; returns the request for its atlas."""
    dataset = client.add_dataset(cards / "dataset.json")["id"]
    model = client.add_model(cards / "model.json", dataset)["id"]
    client.wait_ready("datasets", dataset)
    client.wait_ready("models", model)
    return {"model": model, "dataset": dataset, **SPEC}


@dataclass(frozen=True)
class Live:
    """A running service with one finished atlas; its data lie in `folder`."""

    folder: Path
    service: Embedded
    client: Client
    spec: dict[str, Any]
    atlas: dict[str, Any]
    seen: list[dict[str, Any]]

    @property
    def level(self) -> str:
        """Path of the atlas's coarsest level."""
        return f"/v1/atlases/{self.atlas['id']}/layers/features.4/levels/0"


@pytest.fixture(scope="session")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder that the live service knows as the dataset store `lake`, and below which datasets may stay."""
    return tmp_path_factory.mktemp("lake")


@pytest.fixture(scope="session")
def collector() -> Iterator[Collector]:
    """Where the live service sends its traces."""
    with collecting() as collector:
        yield collector


@pytest.fixture(scope="session")
def live(cards: Path, lake: Path, collector: Collector, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """The embedded service, and the tiny world's atlas made by it without disturbance."""
    watched = {"ATLAS_TRACES_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "1000",
               "ATLAS_LOG_FORMAT": "json", "ATLAS_LOG_LEVEL": "info"}  # fmt: skip
    places = {"ATLAS_DATASET_STORES": json.dumps({"lake": str(lake)}), "ATLAS_DATASET_ROOTS": json.dumps([str(lake)])}
    with pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
        for name, value in (QUICK | TWO_APIS | places).items():
            patch.setenv(name, value)
        folder = tmp_path_factory.mktemp("embedded")
        (folder / "tmp").mkdir()
        patch.setenv("TMPDIR", str(folder / "tmp"))
        with pytest.MonkeyPatch.context() as start:  # of the service's processes alone, not of this one
            for name, value in watched.items():
                start.setenv(name, value)
            service = stack.enter_context(embedded(folder))
        with Client(service.url) as client:
            spec = registered(client, cards)
            seen: list[dict[str, Any]] = []
            submitted = client.submit(spec)
            atlas = client.wait(submitted["id"], seen.append)
            yield Live(folder, service, client, spec, atlas, [submitted, *seen])


@dataclass(frozen=True)
class Followed:
    """Another atlas of the tiny world, whose events were read in one piece and in many while it was made.

    `estimate` is what it was expected to take, by the rates that the first atlas left.
    """

    url: str
    estimate: dict[str, Any]
    job: dict[str, Any]
    whole: list[Event]
    pieces: list[Event]


@pytest.fixture(scope="session")
def followed(live: Live) -> Followed:
    """An atlas made by the real workers while two readers followed it."""
    spec = {**live.spec, "seed": 6}
    estimate = live.client.dry_run(spec)
    atlas = live.client.submit(spec)["id"]
    url = f"{live.service.url}/v1/atlases/{atlas}/events"
    pieces: list[Event] = []
    reader = threading.Thread(target=lambda: pieces.extend(read_in_pieces(url)))
    reader.start()
    whole = list(live.client.events(atlas))
    reader.join(60)
    return Followed(url, estimate, live.client.status(atlas), whole, pieces)
