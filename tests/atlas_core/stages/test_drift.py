"""A dataset against the tiny atlas, in this process: what differs is found where it is, and what does not is not."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from atlas_core import registry
from atlas_core.drift_plan import DriftRequest, plan_drift, resolve
from atlas_core.errors import InputError, MissingInputError
from atlas_core.registration import register_cards
from atlas_core.runtime import Runtime
from atlas_core.stages import run_chunk
from tests.atlas_core.conftest import TinyAtlas, run_all
from tests.tiny import CLASSES, LAYER, picture

if TYPE_CHECKING:
    from atlas_core.plan import Plan

NEW = range(100, 130)


def dataset_of(
    atlas: TinyAtlas,
    folder: Path,
    kinds: dict[str, Sequence[int]],
    *,
    labelled: bool = True,
    make: Callable[[str, int], bytes] = picture,
) -> str:
    """Register a zip of pictures of these kinds and numbers; returns its id."""
    with zipfile.ZipFile(folder / "images.zip", "w") as archive:
        for kind, numbers in kinds.items():
            for number in numbers:
                archive.writestr(f"{kind}/{number:04d}.png" if labelled else f"{kind}{number}.png",
                                 make(kind, number))  # fmt: skip
    card: dict[str, Any] = {"name": folder.name.rstrip("0123456789"), "source": "images.zip"}
    (folder / "dataset.json").write_text(json.dumps(card | ({"classes": list(kinds)} if labelled else {})))
    return register_cards(atlas.store, atlas.model, folder / "dataset.json")[1]


def planned(atlas: TinyAtlas, dataset: str, **options: Any) -> Plan:
    facts = registry.dataset_facts(atlas.store, dataset)
    return plan_drift(atlas.plan, resolve(DriftRequest(dataset=dataset, **options), atlas.plan, facts), facts)


def described(atlas: TinyAtlas, plan: Plan) -> dict[str, Any]:
    record = atlas.store.get_record("publish", plan.chunks[-1].key)
    assert record is not None
    found: dict[str, Any] = json.loads(atlas.store.get_blob(record["blobs"]["description"]))
    assert record["info"]["digest"] == found["digest"]
    assert record["info"]["summary"]["p"] == found["p"]
    return found


def compared(atlas: TinyAtlas, dataset: str, **options: Any) -> dict[str, Any]:
    plan = planned(atlas, dataset, **options)
    run_all(plan, atlas.runtime)
    return described(atlas, plan)


@pytest.fixture(scope="module")
def alike(tiny_atlas: TinyAtlas, tmp_path_factory: pytest.TempPathFactory) -> str:
    """New pictures of the same kinds."""
    return dataset_of(tiny_atlas, tmp_path_factory.mktemp("alike"), dict.fromkeys(CLASSES, NEW))


def noisy(kind: str, number: int) -> bytes:
    """A picture with noise over it."""
    with Image.open(io.BytesIO(picture(kind, number))) as image:
        pixels = np.asarray(image, np.float64) + np.random.default_rng(number).normal(0, 60, (64, 64, 3))
    data = io.BytesIO()
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(data, "PNG")
    return data.getvalue()


@pytest.fixture(scope="module")
def shifted(tiny_atlas: TinyAtlas, tmp_path_factory: pytest.TempPathFactory) -> str:
    """New pictures of one kind only, with noise over them."""
    return dataset_of(tiny_atlas, tmp_path_factory.mktemp("shifted"), {"stripes": range(100, 160)}, make=noisy)


def test_new_pictures_of_the_same_kinds_are_no_drift(tiny_atlas: TinyAtlas, alike: str) -> None:
    found = compared(tiny_atlas, alike, detect=1.0)
    layer = found["layers"][LAYER]
    assert found["verdict"] == "no drift"
    assert found["p"] == layer["q"] == layer["mmd"]["p"] > 0.05
    assert found["sets"]["dataset"] == {"dataset": alike, "name": "alike", "images": 90, "compared": 90}
    assert found["sets"]["atlas"]["compared"] == 60
    assert found["shared_images"] == 0
    assert 0 < found["smallest_share"] < 1
    assert layer["cells"]["moved"] == []
    assert layer["cells"]["p"] > 0.05
    assert abs(layer["cells"]["excess"]) < 3 * layer["cells"]["null_deviation"]
    assert layer["without_home"]["share"] < 0.15


def test_too_few_images_to_see_enough_are_inconclusive(tiny_atlas: TinyAtlas, alike: str) -> None:
    found = compared(tiny_atlas, alike, images=20, detect=0.01)
    assert found["verdict"] == "inconclusive"
    assert [one["compared"] for one in found["sets"].values()] == [20, 20]


def test_noise_is_drift_and_where_it_is_is_told(tiny_atlas: TinyAtlas, shifted: str) -> None:
    found = compared(tiny_atlas, shifted)
    layer = found["layers"][LAYER]
    assert (found["verdict"], found["p"]) == ("drift", 0.001)
    moved = layer["cells"]["moved"]
    assert "gained" in {cell["change"] for cell in moved}
    for cell in moved:
        assert cell["q"] <= 0.05
        assert (cell["dataset"] > cell["atlas"]) == (cell["change"] == "gained")
        left, low, right, high = cell["bbox"]
        side = layer["cells"]["side"]
        assert (round(left * side), side - round(high * side)) == (cell["column"], cell["row"])
        assert right - left == pytest.approx(1 / side, abs=1e-4)
        assert low < high
        for patch in cell["exemplars"]:
            assert patch["of"] == ("dataset" if cell["change"] == "gained" else "atlas")
            assert patch["of"] == "atlas" or patch["image"].startswith("stripes/")
    numbers = [patch["n"] for cell in moved for patch in cell["exemplars"]]
    numbers += [patch["n"] for patch in layer["without_home"]["images"]]
    assert numbers == list(range(len(numbers)))


def test_images_without_a_home_lie_beyond_99_of_100_of_the_atlas(tiny_atlas: TinyAtlas, tmp_path: Path) -> None:
    dataset = dataset_of(tiny_atlas, tmp_path, dict.fromkeys(CLASSES, range(100, 300)))
    plan = planned(tiny_atlas, dataset)
    run_all(plan, tiny_atlas.runtime)
    told = described(tiny_atlas, plan)["layers"][LAYER]["without_home"]
    far = []
    for name in ("atlas", "dataset"):
        (chunk,) = plan.find("publish", step="landings", of=name)
        landed = tiny_atlas.runtime.table(tiny_atlas.runtime.record(plan, chunk.key)["blobs"]["landings"])
        far.append([landed["distance"][landed["image"] == image].mean() for image in np.unique(landed["image"])])
    limit = sorted(far[0])[-1]  # of 60 images 99 of 100 are all
    assert told["limit"] == pytest.approx(limit, rel=1e-4)
    assert told["share"] == pytest.approx(np.mean(np.array(far[1]) > limit), abs=1e-4)
    assert [image["distance"] for image in told["images"]] == pytest.approx(
        sorted((one for one in far[1] if one > limit), reverse=True)[:20], rel=1e-4
    )
    assert told["images"]


def test_classes_that_are_gone_are_named(tiny_atlas: TinyAtlas, shifted: str) -> None:
    mixes = compared(tiny_atlas, shifted)["classes"]
    labels = {one["name"]: one for one in mixes["labels"]["classes"]}
    assert {name: (round(one["atlas"], 3), one["dataset"]) for name, one in labels.items()} == {
        "disc": (0.333, 0), "square": (0.333, 0), "stripes": (0.333, 1),
    }  # fmt: skip
    assert mixes["labels"]["p"] == 0.001
    assert sum(one["dataset"] for one in mixes["predicted"]["classes"]) == pytest.approx(1, abs=1e-3)


def test_without_labels_the_predicted_classes_are_left(tiny_atlas: TinyAtlas, tmp_path: Path) -> None:
    dataset = dataset_of(tiny_atlas, tmp_path, dict.fromkeys(CLASSES, NEW), labelled=False)
    mixes = compared(tiny_atlas, dataset)["classes"]
    assert mixes["labels"] is None
    assert mixes["predicted"]["classes"]


def test_the_histogram_counts_every_sample_once(tiny_atlas: TinyAtlas, alike: str) -> None:
    concepts = compared(tiny_atlas, alike)["layers"][LAYER]["concepts"]
    assert (concepts["z"], concepts["side"]) == (0, 3)
    for name in ("atlas", "dataset"):
        assert sum(cell[name] for cell in concepts["cells"]) == concepts["samples"][name]
    ranked = [cell["dataset"] for cell in concepts["cells"]]
    assert ranked == sorted(ranked, reverse=True)
    assert all(0 <= cell["column"] < 3 and 0 <= cell["row"] < 3 for cell in concepts["cells"])


def test_the_atlas_against_itself_says_that_it_is_itself(tiny_atlas: TinyAtlas) -> None:
    found = compared(tiny_atlas, tiny_atlas.plan.dataset.id, detect=1.0)
    assert found["shared_images"] == 60
    assert found["verdict"] == "no drift"
    concepts = found["layers"][LAYER]["concepts"]["cells"]
    # A picture is never placed among its own samples, whichever set it is in: so both sets land alike.
    assert all(cell["atlas"] == cell["dataset"] for cell in concepts)


def test_the_same_request_gives_the_same_bytes_in_another_process_and_another_seed_other_p(
    tiny_atlas: TinyAtlas, alike: str
) -> None:
    first = compared(tiny_atlas, alike)
    plan = planned(tiny_atlas, alike)
    for chunk in plan.own:
        tiny_atlas.store.delete_record(chunk.stage, chunk.key)
    run_all(plan, Runtime(tiny_atlas.store))
    assert described(tiny_atlas, plan)["digest"] == first["digest"]
    other = compared(tiny_atlas, alike, seed=1)
    assert other["layers"][LAYER]["mmd"]["value"] == first["layers"][LAYER]["mmd"]["value"]
    assert other["layers"][LAYER]["mmd"]["null_mean"] != first["layers"][LAYER]["mmd"]["null_mean"]


def test_a_lost_shard_of_the_dataset_is_collected_from_that_dataset_again(tiny_atlas: TinyAtlas, shifted: str) -> None:
    plan = planned(tiny_atlas, shifted, seed=7)
    run_all(plan, tiny_atlas.runtime)
    before = described(tiny_atlas, plan)
    key = plan.others[0].keys[0]
    record = tiny_atlas.store.get_record("collect", key)
    assert record is not None
    for chunk in plan.own[len(plan.others[0].keys) :]:
        tiny_atlas.store.delete_record(chunk.stage, chunk.key)
    tiny_atlas.store.delete_blob(record["blobs"]["images"])
    runtime = Runtime(tiny_atlas.store)
    with pytest.raises(MissingInputError) as error:
        run_all(plan, runtime)
    assert error.value.chunks == (key,)
    run_all(plan, runtime)
    assert described(tiny_atlas, plan)["digest"] == before["digest"]


def test_an_atlas_that_kept_nothing_of_whole_images_says_so(
    tiny_atlas: TinyAtlas, alike: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = planned(tiny_atlas, alike, seed=9)
    run_all(plan, tiny_atlas.runtime, lambda stage: stage == "collect")
    runtime = Runtime(tiny_atlas.store)
    read = runtime.table
    monkeypatch.setattr(runtime, "table", lambda sha256: {name: values for name, values in read(sha256).items()
                                                          if not name.startswith("unit ")})  # fmt: skip
    with pytest.raises(InputError, match="made by an earlier version"):
        run_chunk(plan, plan.chunks[-1], runtime)


def test_images_that_cannot_be_read_are_left_out(tiny_atlas: TinyAtlas, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "images.zip", "w") as archive:
        for number in NEW:
            archive.writestr(f"disc/{number}.png", picture("disc", number) if number % 10 else b"\x89PNG\r\n\x1a\nno")
    (tmp_path / "dataset.json").write_text(json.dumps({"name": "broken", "source": "images.zip", "classes": ["disc"]}))
    dataset = register_cards(tiny_atlas.store, tiny_atlas.model, tmp_path / "dataset.json")[1]
    sets = compared(tiny_atlas, dataset)["sets"]
    assert (sets["dataset"]["images"], sets["dataset"]["compared"]) == (30, 27)


def test_a_picture_is_known_by_its_bytes(tiny_atlas: TinyAtlas, tmp_path: Path) -> None:
    """The same bytes under another name are the same picture, other bytes under the same name are not."""
    with zipfile.ZipFile(tmp_path / "images.zip", "w") as archive:
        for number in range(30):
            archive.writestr(f"disc/{number:04d}.png", picture("square", number + (200 if number >= 10 else 0)))
    (tmp_path / "dataset.json").write_text(json.dumps({"name": "moved", "source": "images.zip"}))
    dataset = register_cards(tiny_atlas.store, tiny_atlas.model, tmp_path / "dataset.json")[1]
    assert compared(tiny_atlas, dataset)["shared_images"] == 10
