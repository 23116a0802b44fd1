"""Cells whose classes are not known yet: what a reader sees of them, and what can be asked for."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from atlas_core import registry, tables
from tests.service.test_main import ENCODED, LAYER, api, assert_problem, request_of, services, settings

if TYPE_CHECKING:
    from fastapi.testclient import TestClient
    from numpy.typing import NDArray

    from atlas_core.plan import Plan

__all__ = ["api", "settings"]  # fixtures
CLASSES = [{"index": 1, "name": "1", "attribution": 2.5, "share": 0.5, "images": 4}]
CELL: dict[str, Any] = {"column": 2, "row": 1, "count": 9, "images": 9, "classes": None, "exemplars": []}


@pytest.fixture
def plan(api: TestClient) -> Plan:
    """The plan of an atlas that nobody works on, whose cells will speak for three classes."""
    request = request_of(api)
    registry.update(services(api).store, "models", request["model"], classes=3)
    return registry.plan_of(services(api).store, api.post("/v1/atlases", json=request).json()["id"])


def _told(api: TestClient, plan: Plan, step: str | None, cells: list[dict[str, Any]]) -> None:
    """Leave a chunk that makes cells as a worker does."""
    store, (chunk,) = services(api).store, plan.find("cells", layer=LAYER, step=step)
    blob = store.put_blob(json.dumps(cells).encode())
    store.put_record("cells", chunk.key, {"blobs": {"cells-5": blob}, "info": {}})
    services(api).ledger.mark_done([chunk.key])


def test_cells_are_readable_before_their_classes(api: TestClient, plan: Plan) -> None:
    cells = f"/v1/atlases/{plan.id}/layers/{ENCODED}/levels/0/cells"
    assert_problem(api.get(cells), 404, "not-yet")
    _told(api, plan, None, [CELL])
    first = api.get(cells)
    assert first.json()["items"] == [CELL]
    assert api.get(f"{cells}/2-1").json()["classes"] is None
    assert api.get(cells, params={"min_count": 9}).json()["items"] == [CELL]
    by_class = api.get(cells, params={"class": "1"})
    assert f"the classes of the cells of '{LAYER}'" in assert_problem(by_class, 404, "not-yet")["detail"]
    assert int(by_class.headers["retry-after"]) > 0

    complete = {**CELL, "classes": CLASSES}
    _told(api, plan, "classes", [complete])
    again = api.get(cells, headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.json()["items"]) == (200, [complete])
    assert api.get(cells, params={"class": "1"}).json()["items"] == [complete]
    assert api.get(cells, params={"class": "2"}).json()["items"] == []
    assert api.get(f"{cells}/2-1").json()["classes"] == CLASSES


def test_a_class_that_nobody_will_tell_any_more_is_not_to_be_waited_for(api: TestClient, plan: Plan) -> None:
    _told(api, plan, None, [CELL])
    api.post(f"/v1/atlases/{plan.id}/cancel")
    answer = api.get(f"/v1/atlases/{plan.id}/layers/{ENCODED}/levels/0/cells", params={"class": "1"})
    assert "the job is cancelled; submit" in assert_problem(answer, 404, "not-found")["detail"]
    assert "retry-after" not in answer.headers


def test_a_selection_by_class_waits_for_classes_and_one_by_place_does_not(api: TestClient, plan: Plan) -> None:
    icons, by_class = f"/v1/atlases/{plan.id}/icons", {"kind": "selection", "label": 1}
    _told(api, plan, None, [CELL])
    answer = api.post(icons, json=by_class)
    problem = assert_problem(answer, 409, "conflict")
    assert problem["errors"] == [{"pointer": "/label", "detail": problem["detail"]}]
    assert "not made yet; ask again" in problem["detail"]
    assert api.post(icons, json={"kind": "selection", "box": [2, 1, 2, 1]}).status_code == 202
    _told(api, plan, "classes", [{**CELL, "classes": CLASSES}])
    assert api.post(icons, json=by_class).json()["request"]["cells"] == [{"column": 2, "row": 1}]


def test_a_cell_says_which_classes_it_speaks_against(api: TestClient) -> None:
    request = request_of(api)
    store = services(api).store
    registry.update(store, "models", request["model"], classes=7)
    plan = registry.plan_of(store, api.post("/v1/atlases", json=request).json()["id"])
    other, told = {**CELL, "row": 0, "classes": CLASSES}, {**CELL, "classes": CLASSES}
    attribution = np.zeros((7, 2), np.float16)
    attribution[:, 1] = [-0.5, -9, 0.25, -2, 0, -1, -4]  # class 1 is told already
    attribution[:, 0] = 1
    _told(api, plan, None, [other, told])
    _table(api, plan, None, "level-5", {"column": np.array([2, 2]), "row": np.array([0, 1])})
    _told(api, plan, "classes", [other, told])
    _table(api, plan, "classes", "attribution-5", {"attribution": attribution})
    cells = f"/v1/atlases/{plan.id}/layers/{ENCODED}/levels/0/cells"
    assert [(one["name"], one["attribution"]) for one in api.get(f"{cells}/2-1").json()["against"]] == [
        ("6", -4), ("3", -2), ("5", -1)]  # fmt: skip
    assert api.get(f"{cells}/2-0").json()["against"] == []


def _table(api: TestClient, plan: Plan, step: str | None, name: str, table: dict[str, NDArray[Any]]) -> None:
    """Add a table to what a chunk that makes cells has left."""
    store, (chunk,) = services(api).store, plan.find("cells", layer=LAYER, step=step)
    record = store.get_record("cells", chunk.key)
    store.delete_record("cells", chunk.key)
    record["blobs"][name] = store.put_blob(tables.pack(table))
    store.put_record("cells", chunk.key, record)
