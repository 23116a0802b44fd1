"""`privacy: strict`: the whole store is searched for the pixels and for the names of the dataset's pictures."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from atlas_core import registry
from atlas_core.build import plan
from atlas_core.drift_plan import DriftRequest, plan_drift, resolve as resolve_drift
from atlas_core.errors import DatasetError, SpecError
from atlas_core.icon_plan import plan_icons, resolve
from atlas_core.icons import parse_request
from atlas_core.manifest import publish_files
from atlas_core.plan import STAGES, Plan
from atlas_core.privacy import called, without_pictures
from atlas_core.registration import register_cards
from atlas_core.runtime import Runtime
from atlas_core.spec import parse_spec
from atlas_core.store import open_store
from tests.atlas_core.conftest import run_all
from tests.tiny import CLASSES, LAYER, REQUEST, picture

SECRET = b"anna-berg"
DATA = ("collect", "attribute", "layout", "cells")


def write_pictures(folder: Path, broken: int = 1) -> Path:
    """A zip of 48 good pictures, some broken and one empty, all named after a person; returns the card."""
    with zipfile.ZipFile(folder / "people.zip", "w") as archive:
        for number in range(48):
            kind = CLASSES[number % 3]
            archive.writestr(f"{kind}/{SECRET.decode()}-{number:02d}.png", picture(kind, number))
        for number in range(broken):
            archive.writestr(f"disc/{SECRET.decode()}-broken-{number}.png", picture("disc", number)[:-40])
        archive.writestr(f"disc/{SECRET.decode()}-empty.png", b"")
    card = folder / "dataset.json"
    card.write_text(json.dumps({"name": "people", "source": "people.zip", "classes": list(CLASSES)}))
    return card


class Made(NamedTuple):
    """An atlas in a store of its own."""

    folder: Path
    plan: Plan
    runtime: Runtime

    def files(self) -> Iterator[bytes]:
        """Every file of the store, but for the registered dataset and its listing."""
        for path in sorted(self.folder.rglob("*")):
            if path.is_file() and path.name != self.plan.dataset.listing and "datasets" not in path.parts:
                yield path.read_bytes()

    def column(self, stage: str, blob: str, name: str, **parameters: object) -> np.ndarray:
        """A column of the first chunk of a stage."""
        chunk = self.plan.find(stage, **parameters)[0]
        return self.runtime.table(self.runtime.record(self.plan, chunk.key)["blobs"][blob])[name]


def made(folder: Path, model: Path, dataset: Path, stages: tuple[str, ...], **changes: object) -> Made:
    """Some stages of an atlas of the tiny request, whose recipe is left out."""
    store = open_store(str(folder))
    model_id, dataset_id = register_cards(store, model, dataset)
    request = {name: value for name, value in REQUEST.items() if name != "recipe"}
    spec = parse_spec({**request, "model": model_id, "dataset": dataset_id, "levels": [3], **changes})
    made = plan(spec, registry.model_facts(store, model_id), registry.dataset_facts(store, dataset_id))
    registry.add_job(store, made)
    runtime = Runtime(store)
    run_all(made, runtime, lambda stage: stage in stages)
    return Made(folder, made, runtime)


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pictures(tmp_path_factory.mktemp("people"))


@pytest.fixture(scope="module")
def standard(people: Path, tiny_cards: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Made:
    """What an atlas without strict privacy keeps before its icons: the search has to find that."""
    return made(tmp_path_factory.mktemp("standard"), tiny_cards[0], people, DATA, recipe="pure")


@pytest.fixture(scope="module")
def strict(people: Path, tiny_cards: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A strict atlas, finished."""
    return made(tmp_path_factory.mktemp("strict"), tiny_cards[0], people, STAGES, privacy="strict")


def pixels_of(standard: Made) -> set[bytes]:
    """What pixels look like in a store: rows of thumbnails, and of the pictures that icons start from."""
    thumbnails = standard.column("collect", f"layer {LAYER}", "thumbnails")
    seeds = standard.column("cells", "level-3", "seed")
    busy = [row for row in thumbnails.reshape(-1, 20 * 3) if len(np.unique(row)) > 6]  # plain ones could be anything
    return {row.tobytes() for row in (*busy, *seeds.reshape(-1, 20 * 3))}


def found(made: Made, wanted: set[bytes]) -> set[bytes]:
    """Which of these bytes stand anywhere in a file of the store."""
    files = list(made.files())
    return {one for one in wanted if any(one in data for data in files)}


def test_the_search_finds_what_a_standard_atlas_keeps(standard: Made) -> None:
    wanted = pixels_of(standard)
    assert len(wanted) > 500
    assert found(standard, wanted) == wanted
    assert any(SECRET in data for data in standard.files())


def test_a_strict_store_holds_no_pixel_of_the_dataset(standard: Made, strict: Made) -> None:
    assert found(strict, pixels_of(standard)) == set()
    assert strict.plan.find("render")[0].parameters["recipe"] == "pure"


def test_a_comparison_with_a_strict_atlas_keeps_no_pixel_and_no_name(standard: Made, strict: Made) -> None:
    facts = strict.plan.dataset
    request = resolve_drift(DriftRequest(dataset=facts.id, images=25, seed=3), strict.plan, facts)
    drift = plan_drift(strict.plan, request, facts)
    run_all(drift, strict.runtime)
    record = strict.runtime.record(drift, drift.chunks[-1].key)
    described = json.loads(strict.runtime.store.get_blob(record["blobs"]["description"]))
    assert 23 <= described["sets"]["dataset"]["compared"] <= 25  # two cannot be read
    patches = [patch for layer in described["layers"].values() for patch in layer["without_home"]["images"]]
    assert all(isinstance(patch["image"], int) for patch in patches)
    assert SECRET not in json.dumps(described).encode()
    assert found(strict, pixels_of(standard)) == set()


def test_icons_on_request_of_a_strict_atlas_are_pure(standard: Made, strict: Made) -> None:
    chunk = strict.plan.cells_of(LAYER)
    record = strict.runtime.record(strict.plan, chunk.key)
    cells = json.loads(strict.runtime.store.get_blob(record["blobs"]["cells-3"]))
    cell = {"column": cells[0]["column"], "row": cells[0]["row"]}
    for value in ({"kind": "channels", "channels": [2]}, {"kind": "selection", "cells": [cell]},
                  {"kind": "composition", "cells": [{**cell, "x": 0.5, "y": 0.5}]}):  # fmt: skip
        request = resolve(parse_request(value), strict.plan, lambda layer, side: cells)
        icons = plan_icons(strict.plan, request)
        run_all(icons, strict.runtime)
        described = strict.runtime.record(icons, icons.chunks[-1].key)["blobs"]["description"]
        assert json.loads(strict.runtime.store.get_blob(described))["seeded_from_data"] is False
    assert found(strict, pixels_of(standard)) == set()


def test_a_strict_store_holds_no_name_of_a_file(strict: Made) -> None:
    assert len(list(strict.files())) > 20
    assert not [data for data in strict.files() if SECRET in data]


def test_a_strict_atlas_says_so_and_is_whole(strict: Made, tmp_path: Path) -> None:
    manifest = publish_files(strict.plan, strict.runtime.store, tmp_path)
    assert manifest["spec"]["privacy"] == "strict"
    assert (manifest["spec"]["recipe"], manifest["seeded_from_data"]) == ("pure", False)
    skipped = manifest["dataset"]["skipped"]
    listing = strict.runtime.dataset(strict.plan).listing
    assert {entry["image"] for entry in skipped} == {None, listing.place("disc/anna-berg-broken-0.png")}
    assert all(entry["reason"] for entry in skipped)
    cells = json.loads((tmp_path / LAYER / "3" / "cells.json").read_text())
    assert [cell["exemplars"] for cell in cells] == [[]] * len(cells)
    assert all("whitened_cosine" in cell["icon"] for cell in cells)


def test_the_map_and_the_contrasts_are_those_of_a_standard_atlas(standard: Made, strict: Made) -> None:
    for stage, blob, name in (("layout", "layout", "layout"), ("cells", "level-3", "mean"),
                              ("cells", "level-3", "exemplar_contrast")):  # fmt: skip
        where = {"step": "optimise"} if stage == "layout" else {}
        expected = standard.column(stage, blob, name, **where)
        np.testing.assert_allclose(strict.column(stage, blob, name, **where), expected, rtol=1e-6)


def test_a_strict_atlas_that_fails_names_no_file(tiny_cards: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="5 of 53 images cannot be read") as refused:
        made(tmp_path / "store", tiny_cards[0], write_pictures(tmp_path, broken=4), STAGES, privacy="strict")
    assert SECRET.decode() not in refused.value.detail
    assert "image 16 of the listing (a truncated" in refused.value.detail


@pytest.mark.parametrize("recipe", ["fast", "detail", "vivid"])
def test_a_recipe_that_starts_from_pictures_is_refused_with_the_reason(strict: Made, recipe: str) -> None:
    spec = parse_spec({**strict.plan.spec.model_dump(), "recipe": recipe})
    with pytest.raises(SpecError, match=f"'{recipe}' start from pictures of the dataset.* ask for `pure`") as refused:
        plan(spec, strict.plan.model, strict.plan.dataset)
    assert refused.value.pointer == "/recipe"


def test_contrasts_take_the_place_of_thumbnails() -> None:
    thumbnails = np.zeros((2, 20, 20, 1), np.uint8)
    thumbnails[1, :10] = 255
    kept = without_pictures({"image": np.array([4, 7]), "thumbnails": thumbnails})
    assert sorted(kept) == ["contrast", "image"]
    assert kept["contrast"].tolist() == [0.0, 0.5]


def test_images_are_told_by_their_place() -> None:
    assert [called(image) for image in ("a.png", 7, None)] == [
        "a.png", "image 7 of the listing", "an image that is not listed",
    ]  # fmt: skip
