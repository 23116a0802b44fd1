import io
import itertools
import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from atlas_core import tables
from atlas_core.binning import assign_cells
from atlas_core.errors import DatasetError
from atlas_core.layout.graph import graph
from atlas_core.layout.neighbours import Neighbours
from atlas_core.layout.optimise import optimise
from atlas_core.layout.plane import start_from
from atlas_core.manifest import manifest_of, verify
from atlas_core.marks import MARKS, MEASURES
from atlas_core.pyramid import decode_tile
from atlas_core.runtime import Runtime
from atlas_core.stages import run_chunk
from atlas_core.stages.served import icon_key
from atlas_core.store import open_store
from tests.atlas_core.conftest import TinyAtlas, planned, run_all
from tests.tiny import CLASSES, LAYER, REQUEST, picture

FINE = 5


def _cells(atlas: TinyAtlas, side: int = FINE) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((atlas.directory / LAYER / str(side) / "cells.json").read_text())
    return found


def _table(atlas: TinyAtlas, stage: str, name: str, **parameters: Any) -> tables.Table:
    (chunk,) = atlas.plan.find(stage, **parameters)
    return atlas.runtime.table(atlas.runtime.record(atlas.plan, chunk.key)["blobs"][name])


def test_cells_hold_the_samples_that_the_layout_puts_there(tiny_atlas: TinyAtlas) -> None:
    layout = _table(tiny_atlas, "layout", "layout", step="optimise")["layout"]
    counts = np.zeros((FINE, FINE), int)
    np.add.at(counts, tuple(assign_cells(layout, FINE)[:, ::-1].T), 1)
    found = {(cell["column"], cell["row"]): cell["count"] for cell in _cells(tiny_atlas)}
    assert found == {(column, row): counts[row, column] for row, column in zip(*np.nonzero(counts >= 3), strict=True)}


def test_a_cells_mean_is_the_mean_of_its_samples(tiny_atlas: TinyAtlas) -> None:
    layout = _table(tiny_atlas, "layout", "layout", step="optimise")["layout"]
    activations = _table(tiny_atlas, "collect", f"layer {LAYER}")["activations"]
    level = _table(tiny_atlas, "cells", f"level-{FINE}", step=None)
    inside = (assign_cells(layout, FINE) == [level["column"][0], level["row"][0]]).all(axis=1)
    np.testing.assert_allclose(level["mean"][0], activations[inside].astype(np.float64).mean(axis=0), rtol=1e-5)


def test_a_cell_says_what_the_issue_asks_of_it(tiny_atlas: TinyAtlas) -> None:
    for cell in _cells(tiny_atlas):
        assert cell["images"] <= cell["count"]
        assert 0 < cell["coherence"] <= 1
        assert {"index", "name", "attribution", "share", "images"} == set(cell["classes"][0])
        assert cell["classes"][0]["name"] == CLASSES[cell["classes"][0]["index"]]
        assert len({exemplar["image"] for exemplar in cell["exemplars"]}) == len(cell["exemplars"]) > 0
        assert set(cell["icon"]) == {*MEASURES, "marks"}
        assert None not in cell["icon"].values()
        assert set(cell["icon"]["marks"]) <= set(MARKS)


def test_the_manifest_says_what_the_issue_asks_of_it(tiny_atlas: TinyAtlas) -> None:
    manifest = tiny_atlas.manifest
    assert verify(manifest)
    assert {"schema_version", "id", "digest", "spec", "model", "dataset", "seed", "versions"} <= set(manifest)
    layer = manifest["layers"][LAYER]
    assert {"trustworthiness", "continuity", "clamped", "same_image_share"} <= set(layer["layout"])
    assert (layer["images"], layer["samples"]) == (60, len(_table(tiny_atlas, "collect", f"layer {LAYER}")["image"]))
    assert [level["side"] for level in layer["levels"]] == [3, 5]
    for level in layer["levels"]:
        assert level["cells"] == len(_cells(tiny_atlas, level["side"]))
        assert level["shown"] == pytest.approx(
            sum(cell["count"] for cell in _cells(tiny_atlas, level["side"])) / layer["samples"], abs=1e-4
        )
        assert {"whitened_cosine", "robust", "contrast", "retrieval_top1", "low_contrast_share"} <= set(level["icons"])
        cells = _cells(tiny_atlas, level["side"])
        for mark in MARKS:
            share = np.mean([mark in cell["icon"]["marks"] for cell in cells])
            assert level["icons"][f"{mark}_share"] == pytest.approx(share, abs=1e-4)
        likest = [cell["icon"]["exemplar_correlation"] for cell in cells]
        assert level["icons"]["quantiles"]["exemplar_correlation"][2] == pytest.approx(np.median(likest), abs=1e-4)
    assert ["beside" in level["icons"] for level in layer["levels"]] == [True, False]


def test_every_artifact_that_the_manifest_names_is_there(tiny_atlas: TinyAtlas) -> None:
    folder = tiny_atlas.directory
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    shown = {path for path in files if not path.startswith(".store/")}
    assert shown == {*tiny_atlas.manifest["artifacts"], *tiny_atlas.manifest["beside"], "manifest.json"}
    for path, entry in tiny_atlas.manifest["artifacts"].items():
        assert (folder / path).stat().st_size == entry["bytes"]


def test_a_poster_shows_icons_where_there_are_cells_and_white_elsewhere(tiny_atlas: TinyAtlas) -> None:
    size = tiny_atlas.manifest["layers"][LAYER]["levels"][1]["icon_size"]
    with Image.open(tiny_atlas.directory / LAYER / "5" / "poster.png") as picture:
        poster = np.asarray(picture).reshape(FINE, size, FINE, size, 3).transpose(0, 2, 1, 3, 4)
    places = {(cell["column"], cell["row"]) for cell in _cells(tiny_atlas)}
    for row in range(FINE):
        for column in range(FINE):
            assert bool((poster[row, column] == 255).all()) == ((column, row) not in places)


def test_a_finished_chunk_is_not_run_again(tiny_atlas: TinyAtlas, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiny_atlas.runtime, "model", lambda card: pytest.fail("the network was asked for"))
    for chunk in tiny_atlas.plan.chunks:
        run_chunk(tiny_atlas.plan, chunk, tiny_atlas.runtime)


def test_the_same_atlas_in_another_store_has_the_same_digest(tiny_atlas: TinyAtlas) -> None:
    store = open_store("memory://")
    made = planned(store, tiny_atlas.model, tiny_atlas.dataset)
    run_all(made, Runtime(store))
    assert manifest_of(made, store)["digest"] == tiny_atlas.manifest["digest"]


def test_an_atlas_is_the_same_with_previews_and_without(tiny_atlas: TinyAtlas) -> None:
    changes: dict[str, Any] = {"recipe": "vivid", "levels": [3]}
    digests = []
    for preview in ("fast", "none"):
        store = open_store("memory://")
        made = planned(store, tiny_atlas.model, tiny_atlas.dataset, preview=preview, **changes)
        run_all(made, Runtime(store))
        digests.append(manifest_of(made, store)["digest"])
        assert ("preview" in {record.stage for record in store.list_records()}) == (preview == "fast")
    assert digests[0] == digests[1]


def test_a_preview_is_the_tile_that_the_recipe_fast_gives_and_is_not_measured(tiny_atlas: TinyAtlas) -> None:
    store = open_store("memory://")
    runtime = Runtime(store)
    made = planned(store, tiny_atlas.model, tiny_atlas.dataset, recipe="vivid", levels=[3], attribution="none")
    run_all(made, runtime, lambda stage: stage in ("collect", "layout", "cells", "preview"))
    (chunk,) = made.find("preview")
    record = runtime.record(made, chunk.key)
    (own,) = tiny_atlas.plan.tiles(LAYER, 3)
    fast = tiny_atlas.runtime.record(tiny_atlas.plan, own.key)
    assert list(record["blobs"]) == ["tile"]
    seen, finished = store.get_blob(record["blobs"]["tile"]), tiny_atlas.store.get_blob(fast["blobs"]["tile"])
    np.testing.assert_array_equal(decode_tile(seen), decode_tile(finished))
    assert seen != finished  # deleting previews deletes no tile
    assert record["info"] == fast["info"]


def test_a_preview_is_rendered_before_anything_is_attributed(tiny_atlas: TinyAtlas) -> None:
    store = open_store("memory://")
    made = planned(store, tiny_atlas.model, tiny_atlas.dataset, recipe="vivid", levels=[3])
    runtime = Runtime(store)
    for chunk in itertools.takewhile(lambda chunk: chunk.stage != "attribute", made.chunks):
        run_chunk(made, chunk, runtime)
    (preview,) = made.find("preview")
    cells = json.loads(store.get_blob(runtime.record(made, made.cells_of(LAYER).key)["blobs"]["cells-3"]))
    assert runtime.record(made, preview.key)["info"]["icons"] == len(cells) > 0
    assert {cell["classes"] for cell in cells} == {None}


def test_a_level_is_published_with_the_classes_that_its_samples_attributions_give(tiny_atlas: TinyAtlas) -> None:
    attributions = _table(tiny_atlas, "attribute", "attributions")["attributions"].astype(np.float64)
    layout = _table(tiny_atlas, "layout", "layout", step="optimise")
    means = _table(tiny_atlas, "cells", f"attribution-{FINE}", step="classes")["attribution"]
    place = assign_cells(layout["layout"], FINE)
    for number, cell in enumerate(_cells(tiny_atlas)):
        inside = (place == [cell["column"], cell["row"]]).all(axis=1)
        mean = attributions[inside].mean(axis=0)
        np.testing.assert_allclose(means[:, number], mean, rtol=1e-3, atol=1e-6)
        assert [one["index"] for one in cell["classes"]] == np.argsort(-mean, kind="stable")[:5].tolist()
        strongest = cell["classes"][0]
        speaks = attributions[inside].argmax(axis=1) == strongest["index"]
        assert strongest["share"] == pytest.approx(speaks.mean(), abs=1e-4)
        assert strongest["images"] == len(set(layout["image"][inside][speaks].tolist()))


def test_icons_of_different_cells_have_different_keys() -> None:
    keys = {icon_key("a", 5, column, row, "fast", 1) for column in range(5) for row in range(5)}
    assert len(keys) == 25
    assert all(0 <= key < 2**63 for key in keys)
    assert icon_key("a", 5, 0, 0, "fast", 2) not in keys


def test_a_layer_starts_from_its_twins_in_the_one_before(tiny_atlas: TinyAtlas) -> None:
    store = open_store("memory://")
    layers = ["features.4", LAYER]
    made = planned(store, tiny_atlas.model, tiny_atlas.dataset, layers=layers, attribution="none")
    runtime = Runtime(store)
    run_all(made, runtime, lambda stage: stage in ("collect", "layout", "cells"))

    def table(stage: str, name: str, **parameters: Any) -> tables.Table:
        (chunk,) = made.find(stage, **parameters)
        return runtime.table(runtime.record(made, chunk.key)["blobs"][name])

    one, two = (table("layout", "layout", step="optimise", layer=layer) for layer in layers)
    place = dict(zip(zip(one["image"], one["point"], strict=True), one["points"], strict=True))
    nowhere = np.array([np.nan, np.nan])
    twins = np.array([place.get(twin, nowhere) for twin in zip(two["image"], two["point"], strict=True)])
    near = table("layout", "neighbours", step="neighbours", layer=LAYER)
    start = start_from(twins, near["index"], seed=REQUEST["seed"])
    expected = optimise(graph(Neighbours(near["index"], near["distance"])), start, seed=REQUEST["seed"])
    np.testing.assert_array_equal(two["points"], expected)

    (before, after) = (json.loads(store.get_blob(runtime.record(made, chunk.key)["blobs"]["cells-3"]))
                       for chunk in (made.cells_of(LAYER), made.classes_of(LAYER)))  # fmt: skip
    assert before
    assert after == [{**cell, "classes": []} for cell in before]
    assert {cell["classes"] for cell in before} == {None}


def _with_broken(folder: Path, card: Path, count: int) -> Path:
    folder.mkdir()
    shutil.copy(card, folder / "dataset.json")
    data = io.BytesIO((card.parent / "images.zip").read_bytes())
    with zipfile.ZipFile(data, "a") as archive:
        for number in range(count):
            archive.writestr(f"disc/broken{number}.png", b"\x89PNG\r\n\x1a\n nothing more")
    (folder / "images.zip").write_bytes(data.getvalue())
    return folder / "dataset.json"


def test_a_broken_image_is_skipped_counted_and_listed(tiny_cards: tuple[Path, Path], tmp_path: Path) -> None:
    store = open_store("memory://")
    made = planned(store, tiny_cards[0], _with_broken(tmp_path / "few", tiny_cards[1], 2), levels=[3])
    run_all(made, Runtime(store))
    manifest = manifest_of(made, store)
    assert [entry["image"] for entry in manifest["dataset"]["skipped"]] == ["disc/broken0.png", "disc/broken1.png"]
    assert manifest["layers"][LAYER]["images"] == 60


def _damaged(folder: Path, card: Path, count: int) -> Path:
    """The dataset with the bytes of some entries changed, so that their checksums do not hold."""
    folder.mkdir()
    shutil.copy(card, folder / "dataset.json")
    data = bytearray((card.parent / "images.zip").read_bytes())
    with zipfile.ZipFile(card.parent / "images.zip") as archive:
        for info in archive.infolist()[:count]:
            data[info.header_offset + 30 + len(info.filename) + 40] ^= 0xFF
    (folder / "images.zip").write_bytes(data)
    return folder / "dataset.json"


def test_images_that_cannot_even_be_listed_count_too(tiny_cards: tuple[Path, Path], tmp_path: Path) -> None:
    store = open_store("memory://")
    made = planned(store, tiny_cards[0], _damaged(tmp_path / "few", tiny_cards[1], 2), levels=[3])
    assert made.dataset.images == 58
    run_all(made, Runtime(store))
    assert len(manifest_of(made, store)["dataset"]["skipped"]) == 2
    store = open_store("memory://")
    made = planned(store, tiny_cards[0], _damaged(tmp_path / "many", tiny_cards[1], 5))
    with pytest.raises(DatasetError, match="5 of 60 images cannot be read"):
        run_all(made, Runtime(store))


def test_too_many_broken_images_fail_with_the_list(tiny_cards: tuple[Path, Path], tmp_path: Path) -> None:
    store = open_store("memory://")
    made = planned(store, tiny_cards[0], _with_broken(tmp_path / "many", tiny_cards[1], 4))
    with pytest.raises(DatasetError, match=r"4 of 64 images cannot be read, more than 5%: disc/broken0\.png"):
        run_all(made, Runtime(store))


def test_an_unlabelled_dataset_makes_a_map_with_attributions(tiny_cards: tuple[Path, Path], tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "flat.zip", "w") as archive:
        for number in range(20):
            archive.writestr(f"{number}.png", picture(CLASSES[number % 3], number))
    card = tmp_path / "flat.json"
    card.write_text(json.dumps({"name": "flat", "source": "flat.zip"}))
    store = open_store(str(tmp_path / "store"))
    made = planned(store, tiny_cards[0], card, levels=[3])
    assert (made.dataset.classes, made.dataset.class_counts) == (None, None)
    runtime = Runtime(store)
    run_all(made, runtime, lambda stage: stage in ("collect", "attribute", "layout", "cells"))
    collected = runtime.record(made, made.find("collect")[0].key)
    assert set(runtime.table(collected["blobs"]["images"])["label"].tolist()) == {-1}
    cells = json.loads(store.get_blob(runtime.record(made, made.classes_of(LAYER).key)["blobs"]["cells-3"]))
    assert {one["name"] for cell in cells for one in cell["classes"]} == set(CLASSES)
