"""The demo's network knows its own world when it sees it."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

from atlas_core import registry
from atlas_core.build import plan
from atlas_core.project import project_image
from atlas_core.registration import register_cards
from atlas_core.runtime import Runtime
from atlas_core.spec import parse_spec
from atlas_core.stages import run_chunk
from atlas_core.store import open_store
from service.demo.world import encode, generate, write_world

PICTURES = 160


def test_a_demo_picture_is_ordinary_and_noise_is_unseen(tmp_path: Path) -> None:
    write_world(tmp_path / "world", pictures=PICTURES)
    store = open_store(str(tmp_path / "store"))
    model, dataset = register_cards(store, tmp_path / "world" / "model.json", tmp_path / "world" / "dataset.json")
    spec = parse_spec({"model": model, "dataset": dataset, "layers": ["features.7"], "samples": 320, "levels": [3],
                       "recipe": "none", "attribution": "none"})  # fmt: skip
    made = plan(spec, registry.model_facts(store, model), registry.dataset_facts(store, dataset))
    registry.add_job(store, made)
    runtime = Runtime(store)
    for chunk in made.chunks:
        run_chunk(made, chunk, runtime)

    fresh = [project_image(made, runtime, encode(picture))["novelty"] for *_, picture in generate(1, 10, shortcut=True)]
    assert sum(answer["word"] == "ordinary" for answer in fresh) >= 7
    noise = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(noise, "PNG")
    found = project_image(made, runtime, noise.getvalue())["novelty"]
    assert found["word"] == "unseen"
    assert found["n"] == PICTURES
    assert found["novelty_p"] < min(answer["novelty_p"] for answer in fresh)
    assert list(found["parts"]) == ["neighbours", "texture", "energy", "spoiled"]
