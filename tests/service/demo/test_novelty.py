"""The demo's network knows its own world when it sees it: over HTTP, by real workers."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from service.demo.world import encode, generate, write_world

if TYPE_CHECKING:
    from pathlib import Path

    from tests.service.conftest import Live

PICTURES = 160
SPEC = {"layers": ["features.7"], "samples": 320, "levels": [3], "recipe": "none", "attribution": "none"}


@pytest.mark.proof
def test_a_demo_picture_is_ordinary_and_noise_is_unseen(live: Live, tmp_path: Path) -> None:
    write_world(tmp_path / "world", pictures=PICTURES)
    client = live.client
    dataset = client.add_dataset(tmp_path / "world" / "dataset.json")["id"]
    model = client.add_model(tmp_path / "world" / "model.json", dataset)["id"]
    client.wait_ready("datasets", dataset)
    client.wait_ready("models", model)
    atlas = client.wait(client.submit({"model": model, "dataset": dataset, **SPEC})["id"])["id"]

    def asked(name: str, data: bytes) -> dict[str, Any]:
        (tmp_path / name).write_bytes(data)
        novelty: dict[str, Any] = client.project(atlas, tmp_path / name)["novelty"]
        return novelty

    fresh = [asked(f"{number}.jpg", encode(picture))
             for number, (*_, picture) in enumerate(generate(1, 10, shortcut=True))]  # fmt: skip
    assert sum(answer["word"] == "ordinary" for answer in fresh) >= 7
    noise = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(noise, "PNG")
    found = asked("noise.png", noise.getvalue())
    assert found["word"] == "unseen"
    assert found["n"] == PICTURES
    assert found["novelty_p"] < min(answer["novelty_p"] for answer in fresh)
    assert list(found["parts"]) == ["neighbours", "texture", "energy", "spoiled"]
