"""Datasets over HTTP: every format in every place, through the live service and its workers."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from atlas_client.cli import run
from atlas_client.errors import BadInputError
from tests.atlas_core.datasets.test_formats import PLACES, write_world
from tests.service.conftest import CLASSES, Live
from tests.service.test_end_to_end import get


@pytest.fixture(scope="module")
def formats(lake: Path, cards: Path) -> Path:
    """Six pictures of the tiny world in every format, in the registered store."""
    names = [f"{kind}/{number:02d}.png" for number, kind in enumerate(CLASSES * 2)]
    (lake / "formats").mkdir()
    return write_world(lake / "formats", {name: (cards / "pictures" / name).read_bytes() for name in names})


def card_of(place: str, source: str) -> dict[str, Any]:
    shards = {"format": "webdataset"} if place == "shards" else {}
    return {"name": place, "source": source, **shards}


def sources(place: str, formats: Path) -> Iterator[str]:
    """Where it lies: in the registered store, on the service's machine, and here, from where it is uploaded."""
    yield f"store://lake/formats/{place}"
    yield (formats / place).as_uri()
    yield str(formats / place)


def test_every_format_is_one_dataset_wherever_it_lies(live: Live, formats: Path, tmp_path: Path) -> None:
    registered = []
    for place in PLACES:
        for source in sources(place, formats):
            (tmp_path / "card.json").write_text(json.dumps(card_of(place, source)))
            registered.append(live.client.add_dataset(tmp_path / "card.json")["id"])

    held = [live.client.wait_ready("datasets", name) for name in registered]

    assert len(held) == 3 * len(PLACES)
    assert {one["images"] for one in held} == {6}
    assert [one["class_counts"] for one in held] == [dict.fromkeys(sorted(CLASSES), 2)] * len(held)
    assert len({one["digest"] for one in held}) == 1
    assert not [one for one in held if str(formats) in json.dumps(one)]  # the service tells no path of its machine


@pytest.mark.parametrize(
    ("card", "pointer", "words"),
    [
        ({"source": "store://sea/photos"}, "/card/source", "no dataset store 'sea'; registered are lake"),
        ({"source": "file:///etc"}, "/card/source", "ATLAS_DATASET_ROOTS"),
        ({"source": "file:///LAKE/%2e%2e/secret"}, "/card/source", "ATLAS_DATASET_ROOTS"),
        ({"source": "store://lake/list.csv", "root": "file:///etc"}, "/card/root", "ATLAS_DATASET_ROOTS"),
        ({"source": "https://example.org/photos.zip"}, "/card/source", "sha256:HEX"),
        ({"source": "sha256:" + "0" * 64}, "/card/source", "not stored; upload it"),
    ],
)
def test_places_that_the_service_may_not_read_are_refused(
    live: Live, lake: Path, card: dict[str, str], pointer: str, words: str
) -> None:
    card = {field: value.replace("/LAKE", str(lake)) for field, value in card.items()}
    answer = httpx.post(f"{live.service.url}/v1/datasets", json={"card": {"name": "d", **card}})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == pointer
    assert words in answer.json()["detail"]


def test_a_manifest_that_leaves_its_store_is_refused_with_the_line(live: Live, lake: Path, tmp_path: Path) -> None:
    (lake / "list.csv").write_text("key,label\n../secret.png,a\n")
    (tmp_path / "card.json").write_text(json.dumps({"name": "out", "source": "store://lake/list.csv"}))
    name = live.client.add_dataset(tmp_path / "card.json")["id"]
    with pytest.raises(BadInputError, match=r"line 2: the key '\.\./secret\.png' leaves the dataset"):
        live.client.wait_ready("datasets", name)


def test_a_capped_atlas_of_pictures_that_stay_in_a_registered_store(
    live: Live, lake: Path, cards: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Workers read them straight from there, and so does the service that shows real patches."""
    shutil.make_archive(str(lake / "patterns"), "tar", cards / "pictures")
    card = {"name": "patterns", "source": "store://lake/patterns.tar", "classes": CLASSES}
    (tmp_path / "card.json").write_text(json.dumps(card))
    dataset = live.client.add_dataset(tmp_path / "card.json")["id"]
    live.client.wait_ready("datasets", dataset)
    arguments = ["submit", "--url", live.client.url, "--model", live.spec["model"], "--dataset", dataset,
                 "--layer", "features.4", "--samples", "200", "--levels", "3", "--recipe", "fast"]  # fmt: skip

    assert run([*arguments, "--images-per-class", "6", "--images", "16", "--wait", "--json"]) == 0

    atlas = json.loads(capsys.readouterr().out)
    assert (atlas["spec"]["images_per_class"], atlas["spec"]["images"]) == (6, 16)
    assert atlas["manifest"]["layers"]["features.4"]["images"] == 16
    assert atlas["manifest"]["dataset"]["images"] == 60
    level = f"/v1/atlases/{atlas['id']}/layers/features.4/levels/0"
    cell = live.client.json("GET", f"{level}/cells")["items"][0]
    assert len({one["image"] for one in cell["exemplars"]}) > 1
    patch = get(live, f"{level}/cells/{cell['column']}-{cell['row']}/exemplars/0")
    assert (patch.status_code, patch.headers["content-type"]) == (200, "image/png")
