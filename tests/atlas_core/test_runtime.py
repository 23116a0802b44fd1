import io
import weakref
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import numpy as np
import pytest
from PIL import Image

from atlas_core import tables
from atlas_core.cards import InputCard, ModelCard
from atlas_core.models import base
from atlas_core.runtime import MODELS, Recent, Runtime
from atlas_core.store import open_store

if TYPE_CHECKING:
    from atlas_core.datasets.dataset import Dataset


def test_what_was_asked_for_longest_ago_makes_room() -> None:
    made: list[str] = []
    kept: Recent[str] = Recent(2)

    def maker(key: str) -> Callable[[], str]:
        def make() -> str:
            made.append(key)
            return key

        return make

    assert [kept.get(key, maker(key)) for key in "abacab"] == list("abacab")
    assert made == list("abcb")


def test_tables_are_kept_by_their_bytes_and_the_last_one_always() -> None:
    made: list[int] = []
    kept: Recent[tables.Table] = Recent(1000, tables.size)

    def ask(size: int) -> None:
        def make() -> tables.Table:
            made.append(size)
            return {"a": np.zeros(size, np.uint8)}

        kept.get(size, make)

    for size in (400, 500, 400, 3000, 3000, 400, 600):
        ask(size)
    assert made == [400, 500, 3000, 400, 600]
    ask(400)
    assert made == [400, 500, 3000, 400, 600]


class Loaded:
    """Stands for a network in memory."""


def test_no_more_models_are_held_than_may_be_also_while_one_loads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alive: weakref.WeakSet[Loaded] = weakref.WeakSet()
    loads: list[str] = []

    def load(card: ModelCard, *_: object, **__: object) -> Loaded:
        loads.append(card.name)
        assert len(alive) < MODELS
        found = Loaded()
        alive.add(found)
        return found

    monkeypatch.setattr(base, "load_model", load)
    runtime = Runtime(open_store(str(tmp_path)))
    given = InputCard(channels=3, height=8, width=8, mean=[0, 0, 0], std=[1, 1, 1])
    for name in "aabbcdabcd":
        runtime.model(ModelCard(name=name, format="torchvision", architecture=name, weights=name, input=given))
    assert loads == list("abcdabcd")


def test_a_picture_is_decoded_once_for_an_input_and_may_not_be_written_to(tmp_path: Path) -> None:
    encoded = io.BytesIO()
    Image.new("RGB", (8, 8), (9, 99, 199)).save(encoded, "PNG")
    read: list[str] = []

    def reading(image: str) -> bytes:
        read.append(image)
        return encoded.getvalue()

    dataset = cast("Dataset", SimpleNamespace(listing=SimpleNamespace(digest="d", images=["a", "b"]), read=reading))
    runtime = Runtime(open_store(str(tmp_path)))
    small, large = (InputCard(channels=3, height=side, width=side, mean=[0, 0, 0], std=[1, 1, 1]) for side in (8, 16))
    shapes = [runtime.picture(dataset, place, given).shape
              for place, given in ((0, small), (1, small), (0, small), (0, large))]  # fmt: skip
    assert shapes == [(8, 8, 3), (8, 8, 3), (8, 8, 3), (16, 16, 3)]
    assert read == ["a", "b", "a"]
    with pytest.raises(ValueError, match="read-only"):
        runtime.picture(dataset, 0, small)[0, 0, 0] = 0
