"""Cells prepared from a network and pictures small enough for tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.rendering.prepare import prepare
from benchmarks.rendering.second import train_judge
from tests.tiny import LAYER, write_dataset, write_model


@pytest.fixture(scope="session")
def prepared_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `render.py prepare` writes; its folder holds the second network."""
    where = tmp_path_factory.mktemp("render")
    file = where / "cells.safetensors"
    small = np.random.default_rng(0).integers(0, 255, (60, 8, 8, 3), dtype=np.uint8)
    train_judge(where / "second", small, np.arange(60) % 3, epochs=1)  # on the pictures themselves it would take long
    world = where / "world"
    world.mkdir()
    prepare(write_model(world), write_dataset(world, each=50), [LAYER], file, where, samples=900, side=3, seed=3)
    return file
