"""Cells prepared from a network and pictures small enough for tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.rendering.prepare import prepare
from tests.tiny import LAYER, write_cards


@pytest.fixture(scope="session")
def prepared_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `render.py prepare` writes; its folder holds the second network."""
    where = tmp_path_factory.mktemp("render")
    file = where / "cells.safetensors"
    prepare(*write_cards(where / "world"), [LAYER], file, where, samples=400, side=3, seed=3)
    return file
