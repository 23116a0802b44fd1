"""Requests with an `Idempotency-Key`: answered once, and the same again."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from fastapi.testclient import TestClient

from atlas_core import webhooks
from atlas_core.redis_client import connect
from service import idempotency
from service.main import create_app
from service.settings import ServiceSettings

if TYPE_CHECKING:
    from tests.service.conftest import Live

URL = "https://hooks.example.com/atlas"
BODY = {"url": URL}
KEY = {"Idempotency-Key": "one"}


@pytest.fixture
def settings(redis_server: str, tmp_path: Path) -> ServiceSettings:
    with connect(redis_server) as client:
        client.flushall()
    return ServiceSettings(
        store_url=str(tmp_path / "store"), redis_url=redis_server, webhook_hosts=["hooks.example.com"]
    )


@pytest.fixture
def api(settings: ServiceSettings) -> Iterator[TestClient]:
    with TestClient(create_app(settings), raise_server_exceptions=False) as client:
        yield client


def made(api: TestClient) -> list[str]:
    return [hook["id"] for hook in api.get("/v1/webhooks").json()["items"]]


def test_without_a_key_every_request_is_done(api: TestClient) -> None:
    assert len({api.post("/v1/webhooks", json=BODY).json()["id"] for _ in range(2)}) == 2


def test_the_same_request_again_gets_the_same_answer(api: TestClient, settings: ServiceSettings) -> None:
    first = api.post("/v1/webhooks", json=BODY, headers=KEY)
    with TestClient(create_app(settings)) as other:  # another process has nothing but Redis in common
        second = other.post("/v1/webhooks", json=BODY, headers=KEY)
    assert (first.status_code, second.status_code) == (201, 201)
    assert second.content == first.content
    for name in ("location", "content-type", "cache-control"):
        assert second.headers[name] == first.headers[name]
    assert (first.headers.get("idempotent-replayed"), second.headers["idempotent-replayed"]) == (None, "true")
    assert second.headers["x-request-id"] != first.headers["x-request-id"]
    assert made(api) == [first.json()["id"]]


def test_the_key_with_another_body_is_refused(api: TestClient) -> None:
    api.post("/v1/webhooks", json=BODY, headers=KEY)
    answer = api.post("/v1/webhooks", json={**BODY, "events": ["job.failed"]}, headers=KEY)
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/idempotency-key-reused")
    assert len(made(api)) == 1


def test_a_request_in_flight_is_a_conflict(api: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go_on, real = threading.Event(), threading.Event(), webhooks.add

    def slow(*arguments: Any) -> Any:
        begun.set()
        assert go_on.wait(20)
        return real(*arguments)

    monkeypatch.setattr(webhooks, "add", slow)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(api.post, "/v1/webhooks", json=BODY, headers=KEY)
        assert begun.wait(20)
        same = api.post("/v1/webhooks", json=BODY, headers=KEY)
        other = api.post("/v1/webhooks", json={**BODY, "events": ["job.failed"]}, headers=KEY)
        go_on.set()
    assert (same.status_code, same.json()["type"]) == (409, "/problems/in-flight")
    assert other.status_code == 422
    assert first.result().status_code == 201
    assert api.post("/v1/webhooks", json=BODY, headers=KEY).json() == first.result().json()


def test_what_was_refused_may_be_mended_under_the_same_key(api: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    for wrong in ({"url": "https://elsewhere.example/"}, {"url": 7}, {}):
        assert api.post("/v1/webhooks", json=wrong, headers=KEY).status_code == 422
    assert api.post("/v1/webhooks", content=b"{", headers=KEY).status_code == 422
    with monkeypatch.context() as patch:
        patch.setattr(webhooks, "add", lambda *_: 1 / 0)
        assert api.post("/v1/webhooks", json=BODY, headers=KEY).status_code == 500
    assert api.post("/v1/webhooks", json=BODY, headers=KEY).status_code == 201


@pytest.mark.parametrize("key", ["", "k" * 256])
def test_a_key_has_a_length(api: TestClient, key: str) -> None:
    answer = api.post("/v1/webhooks", json=BODY, headers={"Idempotency-Key": key})
    assert (answer.status_code, answer.json()["errors"][0]["parameter"]) == (422, "Idempotency-Key")


def test_a_key_belongs_to_one_path(api: TestClient) -> None:
    data = b"weights"
    sha256 = hashlib.sha256(data).hexdigest()
    api.put(f"/v1/blobs/{sha256}", content=data)
    shape = {"channels": 3, "height": 32, "width": 32, "mean": [0, 0, 0], "std": [1, 1, 1]}
    model = {"card": {"name": "m", "format": "onnx", "source": f"sha256:{sha256}", "input": shape}}
    dataset = {"card": {"name": "d", "source": f"sha256:{sha256}"}}
    for path, body in (("models", model), ("datasets", dataset), ("webhooks", BODY)):
        first, second = (api.post(f"/v1/{path}", json=body, headers=KEY) for _ in range(2))
        assert first.is_success
        assert (second.content, second.headers["idempotent-replayed"]) == (first.content, "true")


def test_answers_are_bounded_in_number_length_and_age(
    api: TestClient, redis_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idempotency, "MOST_KEYS", 2)
    ids = [api.post("/v1/webhooks", json=BODY, headers={"Idempotency-Key": key}).json()["id"] for key in "abc"]
    with connect(redis_server) as client:
        keys = list(client.scan_iter("atlas:idempotent:*"))
        assert len(keys) == 2
        assert all(86_000 < client.ttl(key) <= 86_400 for key in keys)
    assert api.post("/v1/webhooks", json=BODY, headers={"Idempotency-Key": "c"}).json()["id"] == ids[2]
    assert api.post("/v1/webhooks", json=BODY, headers={"Idempotency-Key": "a"}).json()["id"] not in ids
    monkeypatch.setattr(idempotency, "MOST_BYTES", 10)
    long = [api.post("/v1/webhooks", json=BODY, headers={"Idempotency-Key": "d"}).json()["id"] for _ in range(2)]
    assert len(set(long)) == 2


def test_redis_down_is_a_503_and_nothing_is_done(settings: ServiceSettings, free_port: int) -> None:
    down = settings.model_copy(update={"redis_url": f"redis://127.0.0.1:{free_port}/0"})
    with TestClient(create_app(down)) as api:
        assert api.post("/v1/webhooks", json=BODY, headers=KEY).status_code == 503
        assert made(api) == []


def test_the_key_is_described_where_it_is_honoured(api: TestClient) -> None:
    paths = api.get("/openapi.json").json()["paths"]
    honoured = {
        (method, path)
        for path, methods in paths.items()
        for method, operation in methods.items()
        if "Idempotency-Key" in [one["name"] for one in operation.get("parameters", ())]
    }
    kinds = ("models", "datasets", "atlases", "atlases/{atlas}/icons", "atlases/{atlas}/drift", "webhooks",
             "atlases/{atlas}/patches", "atlases/{atlas}/selections", "comparisons", "audits")  # fmt: skip
    assert honoured == {("post", f"/v1/{kind}") for kind in kinds}


def test_of_requests_at_once_to_two_processes_one_is_done(live: Live) -> None:
    body = {"url": "http://127.0.0.1:9/", "events": ["job.failed"]}

    def post(_: int) -> httpx.Response:
        return httpx.post(f"{live.service.url}/v1/webhooks", json=body, headers=KEY, timeout=30)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(post, range(8)))
    assert {answer.status_code for answer in answers} <= {201, 409}
    (only,) = {answer.json()["id"] for answer in answers if answer.status_code == 201}
    again = [post(number).json()["id"] for number in range(6)]
    assert set(again) == {only}
    found = [hook["id"] for hook in live.client.items("/v1/webhooks") if hook["url"] == body["url"]]
    assert found == [only]
    live.client.request("DELETE", f"/v1/webhooks/{only}")


def test_an_atlas_asked_for_again_under_its_key_has_the_first_answer(live: Live) -> None:
    url, key = f"{live.service.url}/v1/atlases", {"Idempotency-Key": "atlas"}
    first, second = (httpx.post(url, json=live.spec, headers=key, timeout=30) for _ in range(2))
    assert (second.status_code, second.json(), second.headers["location"]) == (
        202, first.json(), f"/v1/atlases/{live.atlas['id']}",
    )  # fmt: skip
    assert second.headers["idempotent-replayed"] == "true"
    other = httpx.post(url, json={**live.spec, "seed": 6}, headers=key, timeout=30)
    assert other.status_code == 422
