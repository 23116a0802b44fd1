"""The API by itself: what it loads, how it refuses, what it says when Redis or the store is down."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from atlas_core import registry
from atlas_core.build import plan
from atlas_core.cards import DatasetCard, ModelCard
from atlas_core.pyramid import compose_tile
from atlas_core.redis_client import connect
from atlas_core.spec import parse_spec
from service.main import create_app
from service.settings import ServiceSettings

LAYER = "/layer2/layer2.2/relu_1/Relu_output_0"
ENCODED = "%2Flayer2%2Flayer2.2%2Frelu_1%2FRelu_output_0"
INPUT = {"channels": 3, "height": 32, "width": 32, "mean": [0, 0, 0], "std": [1, 1, 1]}
SHA = "0" * 64


@pytest.fixture
def settings(redis_server: str, tmp_path: Path) -> ServiceSettings:
    with connect(redis_server) as client:
        client.flushall()
    return ServiceSettings(
        store_url=str(tmp_path / "store"), redis_url=redis_server, blob_limit_bytes=1000, projection_seconds=0.3
    )


@pytest.fixture
def api(settings: ServiceSettings) -> Iterator[TestClient]:
    with TestClient(create_app(settings), raise_server_exceptions=False) as client:
        yield client


def upload(api: TestClient, data: bytes) -> str:
    sha256 = hashlib.sha256(data).hexdigest()
    assert api.put(f"/v1/blobs/{sha256}", content=data).status_code in (200, 201)
    return sha256


def ready(api: TestClient) -> tuple[str, str]:
    """A model and a dataset as a worker leaves them: ready."""
    store = services(api).store
    weights = store.put_blob(b"weights")
    card = ModelCard(name="m", format="onnx", source=f"sha256:{weights}", input=INPUT)
    model = registry.add_model(store, card)["id"]
    layers = [{"name": LAYER, "shape": [8, 12, 12], "receptive_field": None}]
    registry.update(store, "models", model, state="ready", layers=layers, classes=None, convertible=True)
    dataset = registry.add_dataset(store, DatasetCard(name="d", source="sha256:" + SHA), "content")["id"]
    registry.update(store, "datasets", dataset, state="ready", images=64, listing=SHA, digest="d")
    return model, dataset


def services(api: TestClient) -> Any:
    app: Any = api.app
    return app.state.services


def request_of(api: TestClient, **changes: Any) -> dict[str, Any]:
    model, dataset = ready(api)
    return {"model": model, "dataset": dataset, "layers": [LAYER], "samples": 300, "levels": [5], **changes}


def indexed(api: TestClient) -> str:
    """An atlas that says it can place images."""
    atlas = str(api.post("/v1/atlases", json=request_of(api)).json()["id"])
    store = services(api).store
    for chunk in registry.plan_of(store, atlas).find("publish", step="index"):
        store.put_record("publish", chunk.key, {"blobs": {"index": SHA}, "info": {}})
    return atlas


def assert_problem(answer: Any, status: int, slug: str) -> dict[str, Any]:
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert (answer.status_code, body["status"], body["type"]) == (status, status, f"/problems/{slug}")
    assert body["detail"]
    assert body["request_id"] == answer.headers["x-request-id"]
    return body


def test_importing_the_service_loads_no_torch_and_is_quick() -> None:
    code = (
        "import sys, time; began = time.process_time(); import service.main; spent = time.process_time() - began;"
        "print([name for name in ('torch', 'umap', 'numba', 'onnxruntime', 'sklearn') if name in sys.modules], spent)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    loaded, spent = found.rsplit(" ", 1)
    assert loaded == "[]"
    assert float(spent) < 2


def test_only_trusted_names_reach_the_service(settings: ServiceSettings) -> None:
    local = settings.model_copy(update={"trusted_hosts": ["127.0.0.1", "localhost"]})
    with TestClient(create_app(local), base_url="http://localhost:8000") as api:
        assert api.get("/healthz").status_code == 200
        assert api.get("/healthz", headers={"host": "127.0.0.1"}).status_code == 200
        assert_problem(api.get("/healthz", headers={"host": "rebound.example:8000"}), 400, "untrusted-host")
    below = settings.model_copy(update={"trusted_hosts": ["*.example.com", "[::1]"]})
    with TestClient(create_app(below), base_url="http://maps.example.com") as api:
        assert api.get("/healthz").status_code == 200
        assert api.get("/healthz", headers={"host": "[::1]:8000"}).status_code == 200
        assert api.get("/healthz", headers={"host": "badexample.com"}).status_code == 400


def test_health_needs_nothing(api: TestClient) -> None:
    assert api.get("/healthz").json() == {"status": "ok"}


def test_not_ready_without_a_worker(api: TestClient) -> None:
    answer = api.get("/readyz")
    body = assert_problem(answer, 503, "dependency-down")
    assert "interactive, cpu, gpu" in body["detail"]
    assert answer.headers["retry-after"] == "3"


def test_every_response_has_an_id_of_its_own(api: TestClient) -> None:
    first, second = (api.get("/healthz").headers["x-request-id"] for _ in range(2))
    assert re.fullmatch("[0-9a-f]{32}", first)
    assert first != second


@pytest.mark.parametrize("path", ["/v1/nothing", "/nothing", "/v1/models/none", "/v1/datasets/x", "/v1/atlases/none",
                                  "/v1/jobs/none", "/v1/atlases/none/layers/a/levels/0/tiles/0/0"])  # fmt: skip
def test_what_is_not_there_is_a_problem(api: TestClient, path: str) -> None:
    assert_problem(api.get(path), 404, "not-found")


def test_a_wrong_method_is_a_problem(api: TestClient) -> None:
    assert_problem(api.delete("/v1/models"), 405, "method-not-allowed")
    assert_problem(api.get("/v1/atlases/x/cancel"), 405, "method-not-allowed")
    assert api.request("OPTIONS", "/v1/atlases").headers["allow"] == "GET, POST"
    assert api.request("OPTIONS", "/v1/atlases/x").headers["allow"] == "DELETE, GET"


def test_a_body_that_is_no_json_is_a_problem(api: TestClient) -> None:
    for content, status, slug in ((b"{", 422, "invalid-request"), (b"\xff", 400, "bad-request")):
        answer = api.post("/v1/atlases", content=content, headers={"content-type": "application/json"})
        assert_problem(answer, status, slug)


def test_a_wrong_field_is_pointed_at(api: TestClient) -> None:
    body = assert_problem(api.post("/v1/atlases", json=request_of(api, samples=3)), 422, "invalid-request")
    assert body["errors"][0]["pointer"] == "/samples"
    body = assert_problem(api.post("/v1/atlases", json=request_of(api, colour="red")), 422, "invalid-request")
    assert body["errors"][0]["pointer"] == "/colour"


def test_a_crash_shows_no_trace(api: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash() -> None:
        raise RuntimeError("secret of the host")

    monkeypatch.setattr(services(api).store, "ping", crash)
    answer = api.get("/readyz")
    assert_problem(answer, 500, "internal")
    assert "secret" not in answer.text


def test_a_blob_is_stored_under_its_digest(api: TestClient) -> None:
    sha256 = hashlib.sha256(b"bytes").hexdigest()
    assert api.head(f"/v1/blobs/{sha256}").status_code == 404
    first = api.put(f"/v1/blobs/{sha256}", content=b"bytes")
    assert (first.status_code, first.json()) == (201, {"sha256": sha256, "bytes": 5})
    assert api.put(f"/v1/blobs/{sha256}", content=b"bytes").status_code == 200
    head = api.head(f"/v1/blobs/{sha256}")
    assert (head.status_code, head.headers["content-length"]) == (200, "5")


def test_a_blob_that_does_not_match_is_refused(api: TestClient) -> None:
    assert_problem(api.put(f"/v1/blobs/{SHA}", content=b"bytes"), 422, "digest-mismatch")
    assert api.head(f"/v1/blobs/{SHA}").status_code == 404
    assert_problem(api.put("/v1/blobs/xyz", content=b"bytes"), 422, "invalid-request")


def test_a_blob_over_the_limit_is_refused_also_without_a_stated_length(api: TestClient) -> None:
    assert_problem(api.put(f"/v1/blobs/{SHA}", content=b"0" * 1001), 413, "too-large")
    pieces = (b"0" * 400 for _ in range(3))
    assert_problem(api.put(f"/v1/blobs/{SHA}", content=pieces), 413, "too-large")


def test_a_model_is_accepted_for_inspection(api: TestClient, redis_server: str) -> None:
    weights = upload(api, b"weights")
    card = {"name": "m", "format": "onnx", "source": f"sha256:{weights}", "input": INPUT}
    answer = api.post("/v1/models", json={"card": card})
    body = answer.json()
    assert (answer.status_code, body["state"]) == (202, "inspecting")
    assert answer.headers["location"] == f"/v1/models/{body['id']}"
    assert api.post("/v1/models", json={"card": {**card, "name": "other"}}).json()["id"] == body["id"]
    with connect(redis_server) as client:
        assert client.llen("interactive") == 1


@pytest.mark.parametrize(("source", "pointer"), [("weights.bin", "/card/source"), ("sha256:" + SHA, "/card/source")])
def test_a_model_whose_bytes_are_not_there_is_refused(api: TestClient, source: str, pointer: str) -> None:
    card = {"name": "m", "format": "onnx", "source": source, "input": INPUT}
    body = assert_problem(api.post("/v1/models", json={"card": card}), 422, "invalid-card")
    assert body["errors"][0]["pointer"] == pointer


def test_a_dataset_may_stay_only_where_the_operator_allows(api: TestClient, tmp_path: Path) -> None:
    card = {"name": "d", "source": tmp_path.as_uri()}
    body = assert_problem(api.post("/v1/datasets", json={"card": card}), 422, "invalid-card")
    assert "ATLAS_DATASET_ROOTS" in body["detail"]
    assert str(tmp_path) not in body["detail"]


def test_an_atlas_of_a_model_that_is_being_inspected_is_a_conflict(api: TestClient) -> None:
    body = request_of(api)
    registry.update(services(api).store, "models", body["model"], state="inspecting")
    assert_problem(api.post("/v1/atlases", json=body), 409, "conflict")


@pytest.mark.parametrize(
    ("changes", "slug"),
    [
        ({"layers": ["relu"]}, "unknown-layer"),
        ({"levels": [40]}, "invalid-spec"),
        ({"model": "nobody"}, "invalid-card"),
        ({"levels": [0]}, "invalid-request"),
    ],
)
def test_an_atlas_that_cannot_be_is_refused(api: TestClient, changes: dict[str, Any], slug: str) -> None:
    assert_problem(api.post("/v1/atlases", json=request_of(api, **changes)), 422, slug)


def test_an_atlas_is_accepted_and_the_same_again_is_the_same(api: TestClient, redis_server: str) -> None:
    body = request_of(api)
    first, second = (api.post("/v1/atlases", json=body) for _ in range(2))
    assert (first.status_code, first.json()["state"]) == (202, "queued")
    assert first.headers["location"] == f"/v1/atlases/{first.json()['id']}"
    assert int(first.headers["retry-after"]) > 0
    assert second.json()["id"] == first.json()["id"]
    with connect(redis_server) as client:
        assert client.llen("gpu") == 1


def test_a_dataset_shows_no_path_of_the_host(api: TestClient) -> None:
    card = DatasetCard(name="d", source="file:///home/me/secret/pictures")
    dataset = registry.add_dataset(services(api).store, card, "content")["id"]
    one, every = api.get(f"/v1/datasets/{dataset}"), api.get("/v1/datasets")
    assert one.json()["card"]["source"] == "file:pictures"
    assert every.json()["items"] == [one.json()]


def test_lists_come_in_pages(api: TestClient) -> None:
    body = request_of(api)
    ids = [api.post("/v1/atlases", json={**body, "seed": seed}).json()["id"] for seed in range(3)]
    first = api.get("/v1/atlases", params={"page_size": 2}).json()
    second = api.get("/v1/atlases", params={"page_size": 2, "page_token": first["next_page_token"]}).json()
    assert [job["id"] for job in (*first["items"], *second["items"])] == ids
    assert second["next_page_token"] is None


def test_a_layer_name_may_hold_slashes_and_tiles_are_readable_before_the_rest(api: TestClient) -> None:
    body = request_of(api)
    atlas = api.post("/v1/atlases", json=body).json()["id"]
    store = services(api).store
    level = f"/v1/atlases/{atlas}/layers/{ENCODED}/levels/0"
    assert api.get(level).json()["state"] == "waiting"
    assert_problem(api.get(f"{level}/tiles/0/0"), 404, "not-yet")
    wished = api.get(f"{level}/tiles/0/0", params={"wish": True})
    assert (wished.status_code, wished.content, wished.headers["retry-after"]) == (202, b"", "1")
    for samples in (f"{level}/cells/0-0/samples", f"/v1/atlases/{atlas}/layers/{ENCODED}/samples"):
        assert_problem(api.get(samples), 404, "not-yet")
        wished = api.get(samples, params={"wish": True})
        assert (wished.status_code, wished.json()["items"], wished.json()["total"]) == (202, [], 0)

    icon = np.full((1, 4, 4, 3), 200, np.uint8)
    tile = compose_tile(icon, np.array([[2, 1]], np.int32), 5, 5)
    (chunk,) = registry.plan_of(store, atlas).find("render", step=None)
    store.put_record("render", chunk.key, {"blobs": {"tile": store.put_blob(tile)}, "info": {"icons": 1, "size": 4}})

    shown = api.get(level).json()
    assert (shown["layer"], shown["side"], shown["state"]) == (LAYER, 5, "rendering")
    assert api.get(shown["tiles"][0]["url"]).content == tile
    assert f"/layers/{ENCODED}/levels/0/" in shown["tiles"][0]["url"]
    assert_problem(api.get(f"{level}/tiles/1/0"), 404, "not-found")
    assert_problem(api.get(f"{level.removesuffix('0')}7"), 404, "not-found")


def test_a_projection_on_an_atlas_that_is_not_ready_is_a_conflict(api: TestClient) -> None:
    atlas = api.post("/v1/atlases", json=request_of(api)).json()["id"]
    assert_problem(api.post(f"/v1/atlases/{atlas}/projections", content=b"x"), 409, "conflict")


def test_a_projection_that_nobody_answers_ends(api: TestClient) -> None:
    atlas = indexed(api)
    answer = api.post(f"/v1/atlases/{atlas}/projections", content=b"x", headers={"content-type": "image/png"})
    assert_problem(answer, 504, "timeout")
    unknown = api.post(f"/v1/atlases/{atlas}/projections", content=b"x", params={"layers": "other"})
    assert_problem(unknown, 422, "unknown-layer")


def test_redis_down_is_a_503_and_the_job_survives(settings: ServiceSettings, free_port: int) -> None:
    down = settings.model_copy(update={"redis_url": f"redis://127.0.0.1:{free_port}/0"})
    with TestClient(create_app(down)) as api:
        body = request_of(api)
        began = time.monotonic()
        answer = api.post("/v1/atlases", json=body)
        assert_problem(answer, 503, "dependency-down")
        assert answer.headers["retry-after"] == "3"
        assert time.monotonic() - began < 5
        planned = plan(parse_spec(body), registry.model_facts(services(api).store, body["model"]),
                       registry.dataset_facts(services(api).store, body["dataset"]))  # fmt: skip
        assert registry.document(services(api).store, "jobs", planned.id)["state"] == "queued"
        assert_problem(api.get("/readyz"), 503, "dependency-down")
        assert api.get("/v1/models").status_code == 200


def test_a_store_that_is_gone_is_a_503_without_host_paths(
    settings: ServiceSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ATLAS_STORE_RETRY_SECONDS", "0.5")
    with TestClient(create_app(settings)) as api:
        body = request_of(api)
        shutil.rmtree(settings.store_url)
        Path(settings.store_url).write_text("no folder")
        for answer in (api.get("/readyz"), api.post("/v1/atlases", json=body)):
            assert_problem(answer, 503, "dependency-down")
            assert str(Path(settings.store_url).parent) not in answer.text


def test_the_description_is_openapi_3_1_with_problems(api: TestClient) -> None:
    described = api.get("/openapi.json").json()
    assert described["openapi"].startswith("3.1")
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            if path.startswith("/v1"):
                content = operation["responses"]["422"]["content"]
                assert list(content) == ["application/problem+json"], (method, path)
    assert described["components"]["schemas"]["Problem"]["required"] == ["type", "title", "status", "detail"]
    assert "HTTPValidationError" not in json.dumps(described["paths"])


def test_what_an_atlas_uses_cannot_be_dropped_before_it(api: TestClient) -> None:
    request = request_of(api)
    atlas = api.post("/v1/atlases", json=request).json()["id"]
    for kind in ("models", "datasets"):
        place = f"/v1/{kind}/{request[kind[:-1]]}"
        assert atlas in assert_problem(api.delete(place), 409, "conflict")["detail"]
    assert api.delete(f"/v1/atlases/{atlas}").status_code == 204
    for kind in ("models", "datasets"):
        place = f"/v1/{kind}/{request[kind[:-1]]}"
        assert api.delete(place).status_code == 204
        assert_problem(api.get(place), 404, "not-found")
        assert_problem(api.delete(place), 404, "not-found")


def test_a_cap_a_class_is_refused_where_nothing_is_labelled(api: TestClient) -> None:
    request = request_of(api, images_per_class=4)
    body = assert_problem(api.post("/v1/atlases", json=request), 422, "invalid-spec")
    assert body["errors"][0]["pointer"] == "/images_per_class"
    assert "no labels" in body["detail"]


def test_strict_privacy_takes_no_recipe_that_starts_from_pictures(api: TestClient) -> None:
    request = request_of(api, privacy="strict")
    body = assert_problem(api.post("/v1/atlases", json={**request, "recipe": "vivid"}), 422, "invalid-spec")
    assert body["errors"][0]["pointer"] == "/recipe"
    assert api.post("/v1/atlases", json=request).json()["spec"]["recipe"] == "pure"
