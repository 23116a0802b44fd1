"""docs/http.md, /openapi.json and the live service say the same, operation by operation."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx
import pytest
from jsonschema import Draft202012Validator

from tests.service.test_drift import dataset_of
from tests.service.test_projections import until

if TYPE_CHECKING:
    from tests.service.conftest import Live

TABLE = Path(__file__).resolve().parents[2] / "docs" / "http.md"
METHODS = "HEAD|GET|PUT|POST|DELETE"
OF_A_LEVEL = {"layer": "features.4", "z": "0"}


@pytest.fixture(scope="module")
def openapi(live: Live) -> dict[str, Any]:
    """/openapi.json."""
    return live.client.json("GET", "/openapi.json")


@pytest.fixture(scope="module")
def described(openapi: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Operations of /openapi.json, such as `GET /v1/models`."""
    return {f"{method.upper()} {path}": operation for path, methods in openapi["paths"].items()
            for method, operation in methods.items()}  # fmt: skip


def documented(known: set[str]) -> Iterator[str]:
    """Operations of the first table of docs/http.md; `…` stands for what only one known path has before the rest."""
    rows = TABLE.read_text().split("| method and path | what |\n| --- | --- |\n")[1].split("\n\n")[0].splitlines()
    for row in rows:
        methods: list[str] = []
        for part in row.split("|")[1].split("·"):
            found = re.fullmatch(rf"\s*((?:(?:{METHODS})(?:, )?)*)\s*(\S.*?)\s*", part)
            assert found, row
            methods = re.findall(METHODS, found[1]) or methods
            for path in found[2].split(", "):
                for method in methods:
                    yield _whole(method, path, known)


def _whole(method: str, path: str, known: set[str]) -> str:
    if not path.startswith("…"):
        return f"{method} {path}"
    ends = [operation for operation in known if operation.startswith(method) and operation.endswith(path[1:])]
    assert len(ends) == 1, f"{path} in docs/http.md could be {ends}"
    return ends[0]


def test_the_table_and_the_description_name_the_same_operations(described: dict[str, dict[str, Any]]) -> None:
    table = list(documented(set(described)))
    assert sorted(table) == sorted(set(table))
    assert set(table) == set(described)


class Caller:
    """Asks the live service, and holds each answer against what /openapi.json says of it."""

    def __init__(self, url: str, described: dict[str, dict[str, Any]], components: dict[str, Any]) -> None:
        self._http = httpx.Client(base_url=url, timeout=60)
        self._described, self._components = described, components
        self.called: set[str] = set()

    def __call__(
        self, operation: str, status: int, *, params: Any = None, headers: dict[str, str] | None = None,
        content: bytes | None = None, body: Any = None, **names: str,
    ) -> httpx.Response:  # fmt: skip
        method, path = operation.split(" ")
        for name, value in names.items():
            path = path.replace("{" + name + "}", quote(value, safe=""))
        answer = self._http.request(method, path, params=params, headers=headers, content=content, json=body)
        assert answer.status_code == status, (operation, answer.text)
        assert re.fullmatch("[0-9a-f]{32}", answer.headers["x-request-id"])
        self._check_kind(operation, answer)
        self.called.add(operation)
        return answer

    def _check_kind(self, operation: str, answer: httpx.Response) -> None:
        responses = self._described[operation]["responses"]
        assert str(answer.status_code) in responses, f"{operation} may answer {answer.status_code} by no description"
        if answer.content:
            kinds = responses[str(answer.status_code)].get("content", {})
            kind = answer.headers["content-type"].partition(";")[0]
            assert kind in kinds, operation
            if kind in ("application/json", "application/problem+json"):
                schema = kinds[kind].get("schema", {})
                Draft202012Validator({**schema, "components": self._components}).validate(answer.json())

    def close(self) -> None:
        self._http.close()


@pytest.fixture
def call(live: Live, openapi: dict[str, Any], described: dict[str, dict[str, Any]]) -> Iterator[Caller]:
    caller = Caller(live.service.url, described, openapi["components"])
    yield caller
    caller.close()


def test_every_operation_answers_as_described(
    live: Live, cards: Path, described: dict[str, dict[str, Any]], call: Caller, tmp_path: Path
) -> None:
    _blobs(call)
    _models_and_datasets(call, live)
    _atlases(call, live)
    _levels(call, live)
    _icons(call, live)
    _classes(call, live)
    _versions(call, live)
    _drift(call, live, dataset_of(live, tmp_path, (1,), noise=50))
    _patches(call, live)
    _audits(call, live)
    _aliases(call, live)
    _webhooks(call)
    image = (cards / "pictures" / "waves" / "02.png").read_bytes()
    call("POST /v1/atlases/{atlas}/projections", 200, atlas=live.atlas["id"], content=image,
         headers={"content-type": "image/png"})  # fmt: skip
    _batches(call, live, image)
    call("GET /v1/session", 200)
    assert call("POST /v1/session", 200, body={"key": "none is asked for"}).json()["access"] == "open"
    call("DELETE /v1/session", 204)
    for path in ("/healthz", "/readyz", "/metrics", "/"):
        call(f"GET {path}", 200)
    assert call.called == set(described)


def _blobs(call: Caller) -> None:
    data = b"a blob of the table's test"
    sha256 = hashlib.sha256(data).hexdigest()
    call("HEAD /v1/blobs/{sha256}", 404, sha256=sha256)
    call("PUT /v1/blobs/{sha256}", 201, sha256=sha256, content=data)
    call("HEAD /v1/blobs/{sha256}", 200, sha256=sha256)
    # A folder signs nothing; tests/service/test_uploads.py does this with a store that does.
    call("POST /v1/blobs/{sha256}/uploads", 409, sha256="1" * 64)
    call("POST /v1/blobs/{sha256}/uploads/{token}", 404, sha256="1" * 64, token="2" * 32)


def _models_and_datasets(call: Caller, live: Live) -> None:
    for kind, field, changes in (
        ("model", "models", {"labels": ["a", "b", "c"]}),
        ("dataset", "datasets", {"prefix": "no"}),
    ):
        one = f"/v1/{field}/{{{kind}}}"
        value = call(f"GET {one}", 200, **{kind: live.spec[kind]}).json()
        card = {**getattr(live.client, kind)(live.spec[kind])["card"], **changes}
        added = call(f"POST /v1/{field}", 202, body={"card": card}).json()
        assert added["id"] != value["id"]
        page = call(f"GET /v1/{field}", 200, params={"page_size": 1}).json()
        rest = call(f"GET /v1/{field}", 200, params={"page_token": page["next_page_token"]}).json()
        assert {added["id"], value["id"]} <= {each["id"] for each in page["items"] + rest["items"]}
        call(f"DELETE {one}", 204, **{kind: added["id"]})
        call(f"DELETE {one}", 409, **{kind: value["id"]})


def _atlases(call: Caller, live: Live) -> None:
    atlas, job = {"atlas": live.atlas["id"]}, {"job": live.atlas["id"]}
    call("POST /v1/atlases", 202, body=live.spec)
    call("POST /v1/atlases", 200, body={**live.spec, "dry_run": True})
    other = call("POST /v1/atlases", 202, body={**live.spec, "seed": 99}).json()["id"]
    call("POST /v1/jobs/{job}/cancel", 202, job=other)
    call("DELETE /v1/atlases/{atlas}", 204, atlas=other)
    call("GET /v1/atlases/{atlas}", 404, atlas=other)
    assert len(call("GET /v1/atlases", 200, params={"page_size": 1}).json()["items"]) == 1
    call("GET /v1/atlases/{atlas}", 200, **atlas)
    call("GET /v1/atlases/{atlas}/manifest", 200, **atlas)
    tour = call("GET /v1/atlases/{atlas}/tour", 200, **atlas)
    matched, body = {"if-match": tour.headers["etag"]}, {"stops": [{"caption": "here", "view": "x=.5"}]}
    call("PUT /v1/atlases/{atlas}/tour", 200, headers=matched, body=body, **atlas)
    call("PUT /v1/atlases/{atlas}/tour", 412, headers=matched, body={"stops": []}, **atlas)
    assert call("POST /v1/atlases/{atlas}/cancel", 202, **atlas).json()["state"] == "succeeded"
    done = call("GET /v1/jobs/{job}", 200, **job).json()
    assert done["state"] == "succeeded"
    jobs = call("GET /v1/jobs", 200, params={"state": "succeeded"}).json()["items"]
    assert done["id"] in [each["id"] for each in jobs]
    version = done["links"]["thumbnail"].partition("?v=")[2]
    _picture(call, "GET /v1/atlases/{atlas}/thumbnail", version, **atlas)
    for name, names in (("atlases/{atlas}", atlas), ("jobs/{job}", job)):
        events = call(f"GET /v1/{name}/events", 200, **names)
        last = re.findall("^id: (.+)$", events.text, re.MULTILINE)[-1]
        call(f"GET /v1/{name}/events", 204, headers={"last-event-id": last}, **names)
        page = call(f"GET /v1/{name}/events", 200, headers={"accept": "application/json"}, **names).json()
        assert page["last_event_id"] == last


def _icons(call: Caller, live: Live) -> None:
    base = "/v1/atlases/{atlas}/icons"
    atlas = {"atlas": live.atlas["id"]}
    job = call(f"POST {base}", 202, body={"kind": "channels", "channels": [4]}, **atlas).json()
    live.client.made_icons(job)
    names = {**atlas, "icons": job["id"]}
    assert job["id"] in [one["id"] for one in call(f"GET {base}", 200, **atlas).json()["items"]]
    made = call(f"GET {base}/{{icons}}", 200, **names).json()["description"]
    for path, sha256 in (("pictures/{n}", made["pictures"][0]["sha256"]), ("sheet", made["sheet"]["sha256"])):
        _picture(call, f"GET {base}/{{icons}}/{path}", sha256, n="0", **names)
    call(f"GET {base}/{{icons}}/pictures/{{n}}", 404, n="1", **names)
    call(f"DELETE {base}/{{icons}}", 204, **names)
    call(f"GET {base}/{{icons}}", 404, **names)


def _classes(call: Caller, live: Live) -> None:
    atlas, place = {"atlas": live.atlas["id"]}, {"atlas": live.atlas["id"], **OF_A_LEVEL}
    heatmap = "GET /v1/atlases/{atlas}/layers/{layer}/levels/{z}/heatmap"
    heat = call(heatmap, 200, params={"class": "waves"}, **place)
    call(heatmap, 304, params={"class": "waves"}, headers={"if-none-match": heat.headers["etag"]}, **place)
    assert len(call("GET /v1/atlases/{atlas}/confusions", 200, params={"page_size": 1}, **atlas).json()["items"]) == 1
    wanted = {"recipe": "none", "side": 2}
    base = "/v1/atlases/{atlas}/selections"
    job = call(f"POST {base}", 202, body={"kind": "region", "box": [0, 0, 1, 1], **wanted}, **atlas).json()
    live.client.made_selection(job)
    names = {**atlas, "selection": job["id"]}
    assert job["id"] in [one["id"] for one in call(f"GET {base}", 200, **atlas).json()["items"]]
    assert call(f"GET {base}/{{selection}}", 200, **names).json()["manifest"]["id"] == job["id"]
    call(f"DELETE {base}/{{selection}}", 204, **names)
    call(f"GET {base}/{{selection}}", 404, **names)
    body = {"kind": "classes", "classes": [0, 1], **atlas, **wanted}
    job = call("POST /v1/comparisons", 202, body=body).json()
    live.client.made_comparison(job)
    one = "/v1/comparisons/{comparison}"
    assert call(f"GET {one}", 200, comparison=job["id"]).json()["description"]["samples"] > 0
    assert job["id"] in [each["id"] for each in call("GET /v1/comparisons", 200, params=atlas).json()["items"]]
    call(f"DELETE {one}", 204, comparison=job["id"])
    call(f"GET {one}", 404, comparison=job["id"])


def _versions(call: Caller, live: Live) -> None:
    """Of a model and itself: no cell changed, so there is no patch to show."""
    body = {"kind": "models", "atlas": live.atlas["id"], "other": live.spec["model"]}
    job = call("POST /v1/comparisons", 202, body=body).json()
    live.client.made_comparison(job)
    one, name = "/v1/comparisons/{comparison}", {"comparison": job["id"]}
    layer = call(f"GET {one}", 200, **name).json()["description"]["layers"][0]
    _picture(call, f"GET {one}/pictures/{{n}}", layer["picture"]["sha256"], n="0", **name)
    for what in ("points", "twins", "coupled"):
        call(f"GET {one}/{what}/{{n}}", 200, n="0", **name)
    call(f"GET {one}/summary", 200, **name)
    call(f"GET {one}/exemplars/{{n}}", 404, n="0", **name)
    call(f"DELETE {one}", 204, **name)


def _picture(call: Caller, operation: str, version: str, **names: Any) -> None:
    """A picture by its version never changes, and is not sent to who has it."""
    answer = call(operation, 200, params={"v": version}, **names)
    assert "immutable" in answer.headers["cache-control"]
    call(operation, 304, headers={"if-none-match": answer.headers["etag"]}, **names)


def _drift(call: Caller, live: Live, dataset: str) -> None:
    base = "/v1/atlases/{atlas}/drift"
    atlas = {"atlas": live.atlas["id"]}
    job = call(f"POST {base}", 202, body={"dataset": dataset, "series": "rows"}, **atlas).json()
    live.client.made_drift(job)
    names = {**atlas, "drift": job["id"]}
    listed = call(f"GET {base}", 200, params={"page_size": 1, "series": "rows"}, **atlas).json()["items"]
    assert [one["summary"]["verdict"] for one in listed] == ["drift"]
    made = call(f"GET {base}/{{drift}}", 200, **names).json()["description"]
    patch = made["layers"][OF_A_LEVEL["layer"]]["cells"]["moved"][0]["exemplars"][0]
    version = patch["url"].partition("?v=")[2]
    _picture(call, f"GET {base}/{{drift}}/exemplars/{{n}}", version, n=str(patch["n"]), **names)
    call(f"GET {base}/{{drift}}/exemplars/{{n}}", 404, n="99999", **names)
    call(f"DELETE {base}/{{drift}}", 204, **names)
    call(f"GET {base}/{{drift}}", 404, **names)


def _patches(call: Caller, live: Live) -> None:
    base = "/v1/atlases/{atlas}/patches"
    atlas = {"atlas": live.atlas["id"]}
    cell = live.client.json("GET", f"{live.level}/cells")["items"][0]
    cells = [{"column": cell["column"], "row": cell["row"]}]
    for target in range(3):  # the untrained network takes everything for one of the three
        body = {"target": target, "patches": {"kind": "cells", "cells": cells}, "sizes": [0.4], "images": 10}
        job = call(f"POST {base}", 202, body=body, **atlas).json()
        made = live.client.made_patches(job)["description"]
        if made["patches"]:
            break
    names = {**atlas, "patches": job["id"]}
    assert job["id"] in [one["id"] for one in call(f"GET {base}", 200, **atlas).json()["items"]]
    described = call(f"GET {base}/{{patches}}", 200, **names).json()["description"]
    version = described["patches"][0]["url"].partition("?v=")[2]
    _picture(call, f"GET {base}/{{patches}}/pictures/{{n}}", version, n="0", **names)
    call(f"GET {base}/{{patches}}/pictures/{{n}}", 404, n="9", **names)
    call(f"GET {base}/{{patches}}/sheet", 200, **names)
    call(f"DELETE {base}/{{patches}}", 204, **names)
    call(f"GET {base}/{{patches}}", 404, **names)


def _audits(call: Caller, live: Live) -> None:
    body = {"model": live.spec["model"], "dataset": live.spec["dataset"], "seed": 9}
    job = call("POST /v1/audits", 202, body=body).json()
    live.client.made_audit(job)
    one = "/v1/audits/{audit}"
    assert call(f"GET {one}", 200, audit=job["id"]).json()["description"]["verdict"] == "inconclusive"  # 60 images
    for suffix in ("html", "json", "xml", "sarif", "md"):
        call(f"GET {one}", 200, audit=f"{job['id']}.{suffix}")
    assert call(f"GET {one}/told", 200, audit=job["id"]).json()["title"] == "tiny could not be judged"
    assert job["id"] in [each["id"] for each in call("GET /v1/audits", 200).json()["items"]]
    for part in ("evidence", "models"):
        call(f"GET {one}/{part}/{{name}}", 404, audit=job["id"], name="none")
    call("POST /v1/audits", 422, body={**body, "policy": "x = 1"})
    call(f"DELETE {one}", 204, audit=job["id"])
    call(f"GET {one}", 404, audit=job["id"])


def _batches(call: Caller, live: Live, image: bytes) -> None:
    base = "/v1/atlases/{atlas}/projections"
    atlas = {"atlas": live.atlas["id"]}
    line = json.dumps({"id": "a", "image": base64.b64encode(image).decode()}).encode()
    kind = {"content-type": "application/x-ndjson"}
    call(f"POST {base}", 200, content=line, headers=kind, **atlas)
    job = call(f"POST {base}", 202, content=line, headers=kind | {"prefer": "respond-async"}, **atlas).json()
    until(lambda: live.client.json("GET", job["links"]["job"])["state"] == "succeeded", 120)
    names = {**atlas, "batch": job["id"]}
    assert job["id"] in [one["id"] for one in call(f"GET {base}", 200, **atlas).json()["items"]]
    call(f"GET {base}/{{batch}}", 200, **names)
    assert json.loads(call(f"GET {base}/{{batch}}/results", 200, **names).content)["id"] == "a"
    call(f"DELETE {base}/{{batch}}", 204, **names)
    call(f"GET {base}/{{batch}}/results", 404, **names)


def _levels(call: Caller, live: Live) -> None:
    place = {"atlas": live.atlas["id"], **OF_A_LEVEL}
    level = "/v1/atlases/{atlas}/layers/{layer}/levels/{z}"
    call(f"GET {level}", 200, **place)
    cell = call(f"GET {level}/cells", 200, params={"page_size": 1}, **place).json()["items"][0]
    for form in ("text/csv", "application/vnd.apache.parquet"):
        table = call(f"GET {level}/cells", 200, headers={"accept": form}, **place)
        call(f"GET {level}/cells", 304, headers={"accept": form, "if-none-match": table.headers["etag"]}, **place)
    place |= {"column": str(cell["column"]), "row": str(cell["row"])}
    call(f"GET {level}/cells/{{column}}-{{row}}", 200, **place)
    call(f"GET {level}/cells/{{column}}-{{row}}/icon", 200, **place)
    call(f"GET {level}/cells/{{column}}-{{row}}/exemplars/{{n}}", 200, n="0", **place)
    call(f"GET {level}/poster", 200, **place)
    call(f"GET {level}/cells/{{column}}-{{row}}/samples", 200, **place)
    call(f"GET {level}/cells/{{column}}-{{row}}/flow", 200, params={"to": "features.4"}, **place)
    names = "GET /v1/atlases/{atlas}/layers/{layer}/names"
    tag = {"if-none-match": call(names, 200, **place).headers["etag"]}
    call(names, 304, headers=tag, **place)
    samples = "/v1/atlases/{atlas}/layers/{layer}/samples"
    page = call(f"GET {samples}", 200, params={"near": "0.5,0.5", "page_size": 1}, **place).json()
    call("GET /v1/atlases/{atlas}/layers/{layer}/images", 200, params={"wrong": True}, **place)
    image, kind = call(f"GET {level}/poster", 200, **place).content, {"content-type": "image/png"}
    call(f"POST {samples}", 200, content=image, headers=kind, **place)
    picture = {"n": str(page["items"][0]["sample"]), **place}
    points = samples.replace("/samples", "/points")
    told = call(f"GET {points}", 200, **place)
    call(f"GET {points}", 304, headers={"if-none-match": told.headers["etag"]}, **place)
    crop = call(f"GET {samples}/{{n}}/crop", 200, **picture)
    call(f"GET {samples}/{{n}}/crop", 304, headers={"if-none-match": crop.headers["etag"]}, **picture)
    tile = call(f"GET {level}/tiles/{{x}}/{{y}}", 200, x="0", y="0", **place)
    call(f"GET {level}/tiles/{{x}}/{{y}}", 304, x="0", y="0", headers={"if-none-match": tile.headers["etag"]}, **place)


def _aliases(call: Caller, live: Live) -> None:
    one = "/v1/aliases/{name}"
    call(f"PUT {one}", 200, name="rows@test", body={"id": live.atlas["id"]})
    assert call(f"GET {one}", 200, name="rows@test").json()["id"] == live.atlas["id"]
    assert len(call("GET /v1/aliases", 200, params={"page_size": 1}).json()["items"]) == 1
    call("DELETE /v1/atlases/{atlas}", 409, atlas="rows@test")
    call(f"DELETE {one}", 204, name="rows@test")


def _webhooks(call: Caller) -> None:
    one = "/v1/webhooks/{webhook}"
    hook = call("POST /v1/webhooks", 201, body={"url": "http://127.0.0.1:9/", "events": ["job.failed"]}).json()["id"]
    assert call("GET /v1/webhooks", 200, params={"page_size": 1}).json()["items"]
    assert call(f"GET {one}", 200, webhook=hook).json()["deliveries"] == []
    call(f"DELETE {one}", 204, webhook=hook)
    call(f"DELETE {one}", 404, webhook=hook)


def test_every_list_takes_page_size_and_page_token(described: dict[str, dict[str, Any]]) -> None:
    lists = {
        name: {parameter["name"] for parameter in operation.get("parameters", ())}
        for name, operation in described.items()
        if '"Page' in json.dumps(operation["responses"].get("200", {})) or name.endswith(("s", "/events"))
        if name.startswith("GET /v1")
        if not {"application/x-ndjson", "application/octet-stream"} & set(operation["responses"]["200"]["content"])
    }
    assert len(lists) >= 6
    for name, parameters in lists.items():
        token = "last_event_id" if name.endswith("/events") else "page_token"
        assert {"page_size", token} <= parameters, name


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/v2/models", 404), ("DELETE", "/v1/models", 405), ("GET", "/v1/atlases/none/cancel", 405),
     ("GET", "/v1/models/%2e%2e%2fsecrets", 404), ("POST", "/healthz", 405), ("GET", "/v1/models?page_size=0", 422),
     ("GET", "/v1/jobs/none", 404)],
)  # fmt: skip
def test_whatever_is_refused_is_a_problem(live: Live, method: str, path: str, status: int) -> None:
    answer = httpx.request(method, live.service.url + path)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
    assert answer.json()["detail"]
