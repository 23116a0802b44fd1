"""One tiny atlas, built in this process, for every test that reads one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from atlas_core import registry
from atlas_core.build import plan
from atlas_core.manifest import publish_files
from atlas_core.registration import register_cards
from atlas_core.runtime import Runtime
from atlas_core.spec import parse_spec
from atlas_core.stages import run_chunk
from atlas_core.store import Store, open_store
from tests.tiny import REQUEST, write_cards

if TYPE_CHECKING:
    from atlas_core.plan import Plan


@dataclass(frozen=True)
class TinyAtlas:
    """An atlas in a folder, with everything it was made from."""

    model: Path
    dataset: Path
    directory: Path
    plan: Plan
    store: Store
    runtime: Runtime
    manifest: dict[str, Any]


def planned(store: Store, model: Path, dataset: Path, **changes: Any) -> Plan:
    """The plan of the tiny request with some fields changed."""
    model_id, dataset_id = register_cards(store, model, dataset)
    spec = parse_spec({**REQUEST, "model": model_id, "dataset": dataset_id, **changes})
    return plan(spec, registry.model_facts(store, model_id), registry.dataset_facts(store, dataset_id))


def run_all(made: Plan, runtime: Runtime, only: Callable[[str], bool] = lambda stage: True) -> None:
    """Run a plan's chunks in order, in this process."""
    for chunk in made.chunks:
        if only(chunk.stage):
            run_chunk(made, chunk, runtime)


@pytest.fixture(scope="session")
def tiny_cards(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Cards of the tiny model and dataset."""
    return write_cards(tmp_path_factory.mktemp("cards"))


@pytest.fixture(scope="session")
def tiny_atlas(tiny_cards: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> TinyAtlas:
    """The tiny atlas, finished and published."""
    import torch

    torch.set_num_threads(1)
    directory = tmp_path_factory.mktemp("atlas") / "out"
    store = open_store(str(directory / ".store"))
    runtime = Runtime(store)
    made = planned(store, *tiny_cards)
    registry.add_job(store, made)
    run_all(made, runtime)
    manifest = publish_files(made, store, directory)
    return TinyAtlas(*tiny_cards, directory, made, store, runtime, manifest)
