"""What is asked for while things break: atlases of a tiny network, and their undisturbed twins' answers."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from atlas_client.client import Client
from service.embedded import embedded
from tests.tiny import CLASSES, LAYER, picture, write_cards

SPEC: dict[str, Any] = {"layers": [LAYER], "samples": 240, "levels": [3, 5], "recipe": "fast"}
IMAGES = tuple(picture(kind, 1000 + number) for number in range(2) for kind in CLASSES)


@dataclass(frozen=True)
class Twin:
    """What a spec gives where nothing disturbs it: the atlas's id, its manifest's digest, and where the images land."""

    spec: dict[str, Any]
    id: str
    digest: str
    landings: tuple[bytes, ...]


def register(client: Client, cards: Path) -> dict[str, Any]:
    """Register the tiny network and its pictures, however often that has to be asked for; returns the spec's start."""
    model, dataset = write_cards(cards)
    data = patiently(lambda: client.add_dataset(dataset)["id"])
    network = patiently(lambda: client.add_model(model)["id"])
    patiently(lambda: client.wait_ready("datasets", data))
    patiently(lambda: client.wait_ready("models", network))
    return {**SPEC, "model": network, "dataset": data}


def patiently(ask: Any, seconds: float = 120.0) -> Any:
    """Ask again while the service cannot be reached or cannot work."""
    from atlas_client.errors import UnavailableError

    deadline = time.monotonic() + seconds
    while True:
        try:
            return ask()
        except UnavailableError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)


def land(client: Client, atlas: str, image: bytes) -> bytes:
    """Where an image lands, as the service says it; raises what the client does."""
    headers = {"content-type": "image/png", "cache-control": "no-cache"}
    return client.request("POST", f"/v1/atlases/{atlas}/projections", content=image, headers=headers).content


def twins(folder: Path, seeds: Sequence[int]) -> list[Twin]:
    """Make the atlases of these seeds on a service of their own, and ask it where the images land."""
    with embedded(folder / "undisturbed") as up, Client(up.url, timeout=120) as client:
        start = register(client, folder / "cards")
        specs = [{**start, "seed": seed} for seed in seeds]
        names = [client.submit(spec)["id"] for spec in specs]
        digests = [client.wait(name)["digest"] for name in names]
        return [Twin(spec, name, digest, tuple(land(client, name, image) for image in IMAGES))
                for spec, name, digest in zip(specs, names, digests, strict=True)]  # fmt: skip
