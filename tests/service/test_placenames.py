"""Names on the map over HTTP: of a live atlas, and of one that is not attributed yet or has nothing to be named by."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import numpy as np
import pytest

from atlas_core import registry, tables
from atlas_core.class_index import ClassIndex
from atlas_core.search import NONE, SampleTable
from tests.paging import all_of
from tests.service.conftest import CLASSES
from tests.service.test_main import ENCODED, LAYER, api, assert_problem, request_of, services, settings

if TYPE_CHECKING:
    from fastapi.testclient import TestClient
    from numpy.typing import NDArray

    from atlas_core.plan import Plan
    from tests.service.conftest import Live

__all__ = ["api", "settings"]  # fixtures


def test_regions_of_a_live_atlas_have_names(live: Live) -> None:
    layer = live.level.removesuffix("/levels/0")
    named = live.client.json("GET", f"{layer}/names")["items"]
    ranks = [one["rank"] for one in named]
    assert ranks == sorted(ranks)  # country, province, town
    assert live.client.json("GET", f"{layer}/names", params={"page_size": 2, "page_token": "1"})["items"] == named[1:3]
    countries = [one for one in named if one["rank"] == "country"]
    assert countries
    samples = all_of(lambda asked: live.client.json("GET", f"{layer}/samples", params=asked), 1000)
    for one in countries:
        assert CLASSES[one["classes"][0]] == one["name"]
        near = [each for each in samples if abs(each["x"] - one["x"]) < 0.25 and abs(each["y"] - one["y"]) < 0.25]
        assert 5 <= one["images"] <= one["samples"] <= len(near)
        assert one["bits"] >= 0.5
        assert 0.05 <= one["share"] <= 1


def test_names_are_kept_until_they_change(live: Live) -> None:
    url = live.service.url + live.level.replace("/levels/0", "/names")
    first = httpx.get(url)
    assert first.headers["cache-control"] == "no-cache"
    tag = first.headers["etag"]
    assert httpx.get(url, headers={"if-none-match": tag}).status_code == 304
    assert "immutable" in httpx.get(url, params={"v": tag.strip('"').partition("-")[0]}).headers["cache-control"]
    published = httpx.get(url, params={"v": live.atlas["digest"]})
    assert "immutable" in published.headers["cache-control"]
    assert httpx.get(url.replace("features.4", "none")).status_code == 404


def planned(api: TestClient, label: int, **model: int) -> Plan:
    """The plan of an atlas whose 40 samples are laid out, half in one corner with one label and half in another."""
    request = request_of(api)
    store = services(api).store
    if model:
        registry.update(store, "models", request["model"], **model)
    plan = registry.plan_of(store, api.post("/v1/atlases", json=request).json()["id"])
    half = np.repeat([0, 1], 20)
    nothing = np.zeros(40, np.int64)
    label_of = half if label != NONE else nothing + NONE
    columns: dict[str, NDArray[np.int64]] = {
        "image": np.arange(40), "row": nothing, "column": nothing, "label": label_of, "predicted": nothing + NONE,
    }  # fmt: skip
    table = SampleTable.build(np.stack([half, half], axis=1).astype(np.float32), columns, np.array([40]))
    blob = store.put_blob(tables.pack(table.to_tables()))
    chunk = plan.samples_of(LAYER)
    store.put_record(chunk.stage, chunk.key, {"blobs": {"samples": blob}, "info": {}})
    return plan


def test_labels_alone_are_names(api: TestClient) -> None:
    names = api.get(f"/v1/atlases/{planned(api, 1).id}/layers/{ENCODED}/names").json()["items"]
    assert len(names) == 6
    told = {(one["rank"], one["name"], one["x"], one["y"], one["samples"]) for one in names}
    ranks = ("country", "province", "town")
    assert told == {(rank, *place) for rank in ranks for place in (("0", 0, 0, 20), ("1", 1, 1, 20))}


def test_where_nothing_is_named_nobody_is_told_names(api: TestClient) -> None:
    answer = api.get(f"/v1/atlases/{planned(api, NONE).id}/layers/{ENCODED}/names")
    assert "its images have no labels" in assert_problem(answer, 422, "invalid-input")["detail"]


@pytest.mark.parametrize(("second", "named"), [(0.5, {"0", "2"}), (0.05, set())])
def test_cells_without_a_clear_class_say_no_class(api: TestClient, second: float, named: set[str]) -> None:
    """Both halves lie in a cell of their own. Where only one of them says a class, this is said everywhere."""
    plan = planned(api, NONE, classes=3)
    store, nobody = services(api).store, np.zeros(0, np.int32)
    side = max(plan.spec.levels or [])
    level = {"column": np.array([0, side - 1]), "row": np.array([side - 1, 0]), "count": np.array([20, 20])}
    amounts = np.array([[1, 0], [0, 0], [0, second]], np.float16)  # by class and cell
    index = ClassIndex(np.repeat([0, 2], 20).astype(np.int32), np.zeros(4, np.int64), nobody, np.zeros(0, np.float16))
    made = [
        (plan.cells_of(LAYER), {f"level-{side}": level}),
        (plan.classes_of(LAYER), {"index": index.to_tables(), f"attribution-{side}": {"attribution": amounts}}),
    ]
    for chunk, blobs in made:
        told = {name: store.put_blob(tables.pack(data)) for name, data in blobs.items()}
        store.put_record(chunk.stage, chunk.key, {"blobs": told, "info": {}})
    names = api.get(f"/v1/atlases/{plan.id}/layers/{ENCODED}/names").json()["items"]
    assert {one["name"] for one in names} == named


@pytest.mark.parametrize("made", [False, True])
def test_names_wait_for_attributions(api: TestClient, made: bool) -> None:
    plan = planned(api, NONE, classes=3)
    if made:
        store, chunk = services(api).store, plan.classes_of(LAYER)
        nobody = np.zeros(0, np.int32)
        built = ClassIndex(
            np.repeat([0, 2], 20).astype(np.int32), np.zeros(4, np.int64), nobody, np.zeros(0, np.float16)
        )
        index = store.put_blob(tables.pack(built.to_tables()))
        store.put_record(chunk.stage, chunk.key, {"blobs": {"index": index}, "info": {}})
    answer = api.get(f"/v1/atlases/{plan.id}/layers/{ENCODED}/names")
    if made:
        assert {one["name"] for one in answer.json()["items"]} == {"0", "2"}
    else:
        assert "not attributed yet" in assert_problem(answer, 404, "not-yet")["detail"]
        wished = api.get(str(answer.request.url), params={"wish": True})
        assert (wished.status_code, wished.json()["items"]) == (202, [])
