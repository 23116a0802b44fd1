import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from atlas_core import tables
from atlas_core.likeness import correlation
from atlas_core.manifest import manifest_of
from atlas_core.plan import Plan
from atlas_core.runtime import Runtime
from atlas_core.stages.beside import NO_START, STRICT, choose
from atlas_core.stages.served import Served
from atlas_core.stages.step import Step
from atlas_core.store import open_store
from tests.atlas_core.conftest import TinyAtlas, planned, run_all
from tests.tiny import LAYER

SIDE = 3
NUMBERS = {"whitened_cosine", "robust", "contrast", "high_frequency", "retrieval_top1", "retrieval_mean_rank",
           "low_contrast_share", "low_fidelity_share", "copy_share", "grain_share", "quantiles"}  # fmt: skip


def _step(plan: Plan, runtime: Runtime) -> Step:
    (chunk,) = plan.find("render", step="beside")
    return Step(plan, chunk, runtime, lambda done, total: None, Path())


def _table(plan: Plan, runtime: Runtime, name: str) -> tables.Table:
    (chunk,) = plan.find("render", step="beside")
    return runtime.table(runtime.record(plan, chunk.key)["blobs"][name])


def test_at_most_64_cells_evenly() -> None:
    assert choose(5).tolist() == [0, 1, 2, 3, 4]
    assert choose(1).tolist() == [0]
    many = choose(400)
    assert (len(many), many[0], many[-1]) == (64, 0, 399)
    assert set(np.diff(many)) <= {6, 7}


def test_every_row_has_the_same_numbers_and_the_icons_beat_their_starts(tiny_atlas: TinyAtlas) -> None:
    coarsest, _ = tiny_atlas.manifest["layers"][LAYER]["levels"]
    beside = coarsest["icons"]["beside"]
    assert beside["cells"] == coarsest["cells"]
    assert beside["reasons"] == {}
    for row in ("icons", "start_alone", "nearest_real_patch"):
        assert set(beside[row]) == NUMBERS
    assert beside["icons"] == {name: value for name, value in coarsest["icons"].items() if name != "beside"}
    assert beside["icons"]["whitened_cosine"] > beside["start_alone"]["whitened_cosine"] + 0.03


def test_a_start_is_a_copy_of_itself_and_a_patch_of_its_exemplar(tiny_atlas: TinyAtlas) -> None:
    starts, patches = (_table(tiny_atlas.plan, tiny_atlas.runtime, name)
                       for name in ("start_alone", "nearest_real_patch"))  # fmt: skip
    busy = starts["contrast"] > 0.035  # a plain picture is a copy of none, and the codec's noise is much of a faint one
    assert busy.any()
    assert (starts["start_correlation"][busy] > 0.85).all()
    busy = patches["contrast"] > 0.1
    assert busy.any()
    assert (patches["exemplar_correlation"][busy] > 0.95).all()
    assert (patches["start_correlation"] < 0.95).any()


def test_icons_are_compared_with_their_own_starts_and_exemplars(tiny_atlas: TinyAtlas) -> None:
    plan, runtime = tiny_atlas.plan, tiny_atlas.runtime
    level = Served(_step(plan, runtime), SIDE, "fast")
    within = np.arange(len(level.cells["mean"]))
    starts = level.starts(within)
    assert starts is not None
    (tile,) = plan.tiles(LAYER, SIDE)
    measured = runtime.table(runtime.record(plan, tile.key)["blobs"]["metrics"])
    places = np.stack([level.cells["column"], level.cells["row"]], axis=1)
    _, served = level.tile(level.icons(within), places, (SIDE, SIDE))
    np.testing.assert_array_equal(measured["start_correlation"], correlation(served, starts))
    assert (measured["start_correlation"] != correlation(served, np.roll(starts, 1, axis=0))).any()
    assert (measured["exemplar_correlation"] < 1).all()
    _, served = level.tile(starts, places, (SIDE, SIDE))
    assert (level.measured(served, within)["start_correlation"] >= measured["start_correlation"]).mean() > 0.5


def test_the_stored_exemplars_are_the_samples_thumbnails(tiny_atlas: TinyAtlas) -> None:
    plan, runtime = tiny_atlas.plan, tiny_atlas.runtime
    cells = plan.cells_of(LAYER)
    blobs = runtime.record(plan, cells.key)["blobs"]
    exemplars = runtime.table(blobs[f"level-{SIDE}"])["exemplars"]
    kept = runtime.table(blobs[f"exemplars-{SIDE}"])["thumbnails"]
    (collect,) = plan.find("collect")
    thumbnails = runtime.table(runtime.record(plan, collect.key)["blobs"][f"layer {LAYER}"])["thumbnails"]
    assert kept.shape == (*exemplars.shape, *thumbnails.shape[1:])
    for chosen, shown in zip(exemplars, kept, strict=True):
        there = chosen >= 0
        np.testing.assert_array_equal(shown[there], thumbnails[chosen[there]])
        assert not shown[~there].any()


def test_pure_has_no_start_and_strict_nothing_to_compare_with(tiny_cards: tuple[Path, Path]) -> None:
    store = open_store("memory://")
    runtime = Runtime(store)
    found = {}
    for privacy in ("standard", "strict"):
        made = planned(store, *tiny_cards, levels=[SIDE], recipe="pure", privacy=privacy, attribution="none")
        run_all(made, runtime)
        manifest = manifest_of(made, store)
        found[privacy] = manifest["layers"][LAYER]["levels"][0]["icons"]["beside"]
        cells = json.loads(store.get_blob(manifest["artifacts"][f"{LAYER}/{SIDE}/cells.json"]["sha256"]))
        assert {cell["icon"]["start_correlation"] for cell in cells} == {None}
        assert all((cell["icon"]["exemplar_correlation"] is None) == (privacy == "strict") for cell in cells)
        poster = store.get_blob(manifest["artifacts"][f"{LAYER}/{SIDE}/poster.png"]["sha256"])
        with Image.open(io.BytesIO(poster)) as image:
            assert image.info["Description"] == "icons pure (recipe pure)"
    assert found["standard"]["start_alone"] is None
    assert found["standard"]["reasons"] == {"start_alone": NO_START}
    assert found["standard"]["nearest_real_patch"]["quantiles"]["start_correlation"] is None
    assert found["strict"] == {
        "start_alone": None, "nearest_real_patch": None,
        "reasons": {"start_alone": STRICT, "nearest_real_patch": STRICT},
    }  # fmt: skip


def test_an_image_that_is_gone_is_left_out_of_the_patches(
    tiny_atlas: TinyAtlas, monkeypatch: pytest.MonkeyPatch
) -> None:
    from atlas_core.errors import ImageError
    from atlas_core.stages.beside import compare

    plan, runtime = tiny_atlas.plan, tiny_atlas.runtime
    dataset = runtime.dataset(plan)
    cells = json.loads((tiny_atlas.directory / LAYER / str(SIDE) / "cells.json").read_text())
    lost = cells[0]["exemplars"][0]["image"]
    read = dataset.read

    def reading(image: str) -> bytes:
        if image == lost:
            raise ImageError("the file is gone")
        return read(image)

    monkeypatch.setattr(dataset, "read", reading)
    output = compare(_step(plan, runtime))
    data = output.blobs["nearest_real_patch"]
    assert isinstance(data, bytes)
    left = [number for number, cell in enumerate(cells) if cell["exemplars"][0]["image"] != lost]
    assert tables.unpack(data)["cell"].tolist() == left

    def unreadable(image: str) -> bytes:
        raise ImageError("the file is gone")

    monkeypatch.setattr(dataset, "read", unreadable)
    assert set(compare(_step(plan, runtime)).blobs) == {"start_alone"}
