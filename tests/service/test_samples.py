"""Search by concept over HTTP: samples of cells, of rectangles, near a point, with their crops."""

from __future__ import annotations

import csv
import io
import itertools
import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
import pytest
from PIL import Image

from atlas_client.atlas import Atlas
from atlas_client.cli import run
from atlas_client.errors import BadInputError, InvalidError
from tests.paging import all_of
from tests.service.conftest import CLASSES
from tests.service.test_end_to_end import get

if TYPE_CHECKING:
    from pathlib import Path

    from tests.service.conftest import Live

SIDE = 3


def of_layer(live: Live) -> str:
    return live.level.removesuffix("/levels/0") + "/samples"


def pages(live: Live, path: str, size: int = 1000, **parameters: Any) -> list[dict[str, Any]]:
    return all_of(lambda asked: live.client.json("GET", path, params=asked), size, **parameters)


@pytest.fixture(scope="module")
def everyone(live: Live) -> list[dict[str, Any]]:
    return pages(live, of_layer(live))


def numbers(samples: list[dict[str, Any]]) -> list[int]:
    return [one["sample"] for one in samples]


def test_cells_samples_add_up_to_all_samples(live: Live, everyone: list[dict[str, Any]]) -> None:
    total = live.atlas["manifest"]["layers"]["features.4"]["samples"]
    assert sorted(numbers(everyone)) == list(range(total))
    counts = {(cell["column"], cell["row"]): cell["count"] for cell in live.client.items(f"{live.level}/cells")}
    found = []
    for column, row in itertools.product(range(SIDE), repeat=2):
        samples = pages(live, f"{live.level}/cells/{column}-{row}/samples", 7)
        assert len(samples) == counts.get((column, row), len(samples))
        for one in samples:
            assert (min(int(one["x"] * SIDE), SIDE - 1), min(int(one["y"] * SIDE), SIDE - 1)) == (
                column,
                SIDE - 1 - row,
            )
        found += numbers(samples)
    assert sorted(found) == list(range(total))


def test_a_sample_says_what_is_known_of_it(live: Live, everyone: list[dict[str, Any]]) -> None:
    for one in everyone:
        kind = one["image"].split("/")[0]
        assert one["label"] == {"index": CLASSES.index(kind), "name": kind}
        assert one["predicted"]["name"] == CLASSES[one["predicted"]["index"]]
        assert one["right"] == (one["label"] == one["predicted"])
        assert one["distance"] is one["at"] is None


def test_a_rectangle_and_the_nearest_to_a_point(live: Live, everyone: list[dict[str, Any]]) -> None:
    inside = [one for one in everyone if 0.2 <= one["x"] < 0.7 and one["y"] >= 0.5]
    assert inside
    assert pages(live, of_layer(live), 9, bbox="0.2,0.5,0.7,1") == inside

    found = pages(live, of_layer(live), 50, near="0.3,0.6")
    far = {one["sample"]: np.hypot(one["x"] - 0.3, one["y"] - 0.6) for one in everyone}
    assert sorted(numbers(found)) == sorted(far)
    assert [one["distance"] for one in found] == sorted(one["distance"] for one in found)
    assert [one["distance"] for one in found] == pytest.approx([far[one["sample"]] for one in found], abs=1e-5)


def test_a_polygon_holds_what_lies_in_it(live: Live, everyone: list[dict[str, Any]]) -> None:
    inside = [one for one in everyone if one["x"] + one["y"] < 1]
    assert pages(live, of_layer(live), 50, polygon="0,0,1,0,0,1") == inside
    page = live.client.json("GET", of_layer(live), params={"polygon": "0,0,1,0,0,1", "page_size": 1})
    assert (page["total"], page["images"]) == (len(inside), len({one["image"] for one in inside}))


def test_what_speaks_for_a_class_is_what_a_selection_of_it_holds(live: Live, everyone: list[dict[str, Any]]) -> None:
    for by in ("magnitude", "rank"):
        found = pages(live, of_layer(live), speaks_for="stripes", by=by)
        asked = {"kind": "samples", "speaks_for": "stripes", "by": by, "wrong": True, "recipe": "none", "side": 2}
        both = pages(live, of_layer(live), speaks_for=1, by=by, wrong=True)
        assert 0 < len(both) < len(found) < len(everyone)
        assert both == [one for one in found if not one["right"]]
        images = len({one["image"] for one in both})
        if images < 20:
            with pytest.raises(InvalidError, match=f"{len(both)} samples of {images} images"):
                live.client.select(live.atlas["id"], asked)
        else:
            request = live.client.select(live.atlas["id"], asked)["request"]
            assert (request["samples"], request["images"]) == (len(both), images)


def test_the_images_of_samples_as_pages_and_as_a_table(live: Live, everyone: list[dict[str, Any]]) -> None:
    inside = [one for one in everyone if one["x"] < 0.6 and not one["right"]]
    expected = Counter(one["image"] for one in inside)
    path = of_layer(live).replace("/samples", "/images")
    found = pages(live, path, 3, bbox="0,0,0.6,1", wrong=True)
    assert {one["image"]: one["samples"] for one in found} == expected
    assert [one["image"] for one in found] == sorted(expected)
    known = {one["image"]: (one["label"], one["predicted"], one["right"]) for one in inside}
    assert {one["image"]: (one["label"], one["predicted"], one["right"]) for one in found} == known
    answer = httpx.get(f"{live.service.url}{path}?bbox=0,0,0.6,1&wrong=true", headers={"accept": "text/csv"})
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert rows == [{"image": one["image"], "label": one["label"]["name"], "predicted": one["predicted"]["name"],
                     "right": "no", "samples": str(one["samples"])} for one in found]  # fmt: skip


@pytest.mark.parametrize("place", [{}, {"near": "0.1,0.9"}, {"bbox": "0,0,0.6,1"}])
def test_filters_hold_everywhere(live: Live, place: dict[str, Any]) -> None:
    base = pages(live, of_layer(live), **place)
    cases: list[tuple[dict[str, Any], list[dict[str, Any]]]] = [
        ({"label": "waves"}, [one for one in base if one["label"]["name"] == "waves"]),
        ({"label": "0"}, [one for one in base if one["label"]["index"] == 0]),
        ({"predicted": "stripes"}, [one for one in base if one["predicted"]["name"] == "stripes"]),
        ({"wrong": True}, [one for one in base if not one["right"]]),
        ({"right": True}, [one for one in base if one["right"]]),
        ({"image": base[0]["image"]}, [one for one in base if one["image"] == base[0]["image"]]),
        ({"wrong": True, "label": "dots"}, [one for one in base if not one["right"] and one["label"]["index"] == 0]),
    ]
    for filters, kept in cases:
        assert pages(live, of_layer(live), 11, **filters, **place) == kept


def test_a_crop_is_the_kept_one_or_cut_anew(live: Live) -> None:
    cell = next(live.client.items(f"{live.level}/cells"))
    place = f"{cell['column']}-{cell['row']}"
    exemplar = cell["exemplars"][0]
    (sample,) = [one for one in pages(live, f"{live.level}/cells/{place}/samples")
                 if all(one[name] == value for name, value in exemplar.items())]  # fmt: skip
    kept = get(live, sample["crop"])
    assert (kept.headers["content-type"], kept.headers["cache-control"]) == (
        "image/png", "public, max-age=31536000, immutable")  # fmt: skip
    anew = get(live, f"{sample['crop']}&source=dataset")
    assert anew.content == get(live, f"{live.level}/cells/{place}/exemplars/0").content
    small, large = (Image.open(io.BytesIO(answer.content)).convert("RGB") for answer in (kept, anew))
    assert small.size == (20, 20)
    assert large.size == (20, 23)  # the receptive field, cut off at the picture's edge
    left, top, right, bottom = (round(64 * edge) for edge in sample["field"])
    whole = Image.open(io.BytesIO(get(live, f"{sample['crop']}&source=image").content)).convert("RGB")
    assert whole.size == (64, 64)
    assert np.array_equal(np.asarray(whole)[top:bottom, left:right], np.asarray(large))


def test_each_crop_shows_its_own_sample(live: Live, everyone: list[dict[str, Any]]) -> None:
    def colour(url: str) -> Any:
        return np.asarray(Image.open(io.BytesIO(get(live, url).content)).convert("RGB"), float).mean(axis=(0, 1))

    some = everyone[::60]
    kept = np.array([colour(one["crop"]) for one in some])
    anew = np.array([colour(f"{one['crop']}&source=dataset") for one in some])
    far = np.abs(kept[:, None] - anew[None]).sum(axis=2)
    assert far.argmin(axis=1).tolist() == list(range(len(some)))


def test_the_samples_most_like_a_position_of_an_image(live: Live, cards: Path, everyone: list[dict[str, Any]]) -> None:
    sample = everyone[40]
    image = cards / "pictures" / sample["image"]
    position = sample["row"], sample["column"]
    with Atlas.open(f"{live.service.url}/?atlas={live.atlas['id']}") as atlas:
        found = atlas.samples("features.4", image=image, position=position)
        assert found[0]["sample"] == sample["sample"]
        assert found[0]["distance"] < 1e-3
        assert [one["distance"] for one in found] == sorted(one["distance"] for one in found)
        assert sorted(numbers(found)) == sorted(numbers(everyone))
        assert {tuple(one["at"].values()) for one in found} == {position}
        assert {**found[0], "distance": None, "at": None} == sample
        wrong = atlas.samples("features.4", image=image, position=position, wrong=True, label="waves")
        assert wrong == [one for one in found if one["label"]["name"] == "waves" and not one["right"]]
        some = atlas.samples("features.4", image=image, most=3)
        assert some[0]["distance"] <= found[0]["distance"] + 1e-6
        assert some == atlas.samples("features.4", image=image.read_bytes())[:3]
        for options, said in (({"position": (99, 0)}, "row 99 is outside of the layer's grid of 15"),
                              ({"label": "teapot"}, "no class 'teapot'")):  # fmt: skip
            with pytest.raises(BadInputError, match=said):
                atlas.samples("features.4", image=image, **options)


def test_what_cannot_be_searched_by(live: Live) -> None:
    url = live.service.url + of_layer(live)
    for content, kind, query, status, said in (
        (b"text", "image/png", "", 422, "picture"), (b"", "image/png", "", 422, "picture"),
        (b"x", "text/plain", "", 415, "is no image"), (b"x", "image/png", "?row=1", 422, "give both"),
    ):  # fmt: skip
        answer = httpx.post(url + query, content=content, headers={"content-type": kind}, timeout=60)
        assert answer.status_code == status
        assert said in answer.json()["detail"]


def test_the_client_and_the_command_tell_the_same(
    live: Live, everyone: list[dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Atlas.open(f"{live.service.url}/?atlas={live.atlas['id']}") as atlas:
        assert atlas.samples("features.4", most=30) == everyone[:30]
        cell = atlas.samples("features.4", side=3, cell=(1, 1), wrong=True)
        assert cell == pages(live, f"{live.level}/cells/1-1/samples", wrong=True)
        assert atlas.crop(everyone[0]).size == (20, 20)
        assert atlas.crop(everyone[0], source="dataset").width > 10
        with pytest.raises(BadInputError, match="no class 'teapot'"):
            atlas.samples("features.4", label="teapot")
    sheet = tmp_path / "sheet.png"
    arguments = ["search", live.atlas["id"], "--url", live.service.url, "--near", ".3,.6", "--most", "12"]
    assert run([*arguments, "--json", "--sheet", str(sheet)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found == pages(live, of_layer(live), near="0.3,0.6")[:12]
    with Image.open(sheet) as picture:
        assert picture.width > 10 * 96
    assert run(arguments) == 0
    printed = capsys.readouterr().out
    assert printed.splitlines()[0].split() == ["sample", "image", "row", "column", "x", "y", "label", "predicted",
                                               "distance"]  # fmt: skip
    assert len(printed.splitlines()) >= 13


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("?bbox=0,0,1", 422, "bbox is 4 numbers from 0 to 1"),
        ("?bbox=0,0,1,nan", 422, "bbox is 4 numbers"),
        ("?bbox=0.5,0,0.5,1", 422, "x0 < x1"),
        ("?polygon=0,0,1,1", 422, "three corners or more"),
        ("?polygon=0,0,1,1,0,2", 422, "polygon is 6 numbers from 0 to 1"),
        ("?polygon=0,0,1,0,0,1&bbox=0,0,1,1", 422, "not by both"),
        ("?polygon=0,0,1,0,0,1&near=0,0", 422, "not by both"),
        ("?wrong=true&right=true", 422, "no image is both"),
        ("?speaks_for=teapot", 422, "there is no class 'teapot'"),
        ("?near=2,0", 422, "near is 2 numbers from 0 to 1"),
        ("?near=0,0&bbox=0,0,1,1", 422, "not by both"),
        ("?label=teapot", 422, "there is no class 'teapot'; give an index from 0 to 2, or a name such as dots"),
        ("?image=none.png", 422, "has no image 'none.png'"),
        ("?predicted=3", 422, "there is no class '3'"),
        ("?page_size=1001", 422, "less than or equal to 1000"),
        ("/99999/crop", 404, "there are 0 to"),
        ("/x/crop", 422, "integer"),
    ],
)
def test_what_cannot_be_asked(live: Live, path: str, status: int, said: str) -> None:
    answer = get(live, of_layer(live) + path)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert said in answer.json()["detail"]


def test_a_cell_outside_and_a_layer_that_is_not_there(live: Live) -> None:
    for path, said in ((f"{live.level}/cells/3-0/samples", "outside of a level of 3"),
                       (of_layer(live).replace("features.4", "features.9"), "no layer 'features.9'")):  # fmt: skip
        answer = get(live, path)
        assert answer.status_code == 404
        assert said in answer.json()["detail"]
