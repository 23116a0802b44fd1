"""Who is let in: of every operation, over a real socket."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from service.access import keys
from service.access.scopes import SCHEMES, describe, scope_of
from service.main import create_app
from service.settings import ServiceSettings
from tests.service.access.conftest import in_a_loop
from tests.service.serving import serving
from tests.service.test_projections import until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.service.access.conftest import Secured

Asker = Callable[..., httpx.Client]
PUBLIC = {"GET /", "GET /healthz", "GET /readyz", "POST /v1/session", "DELETE /v1/session"}
ASKED = {"POST /v1/atlases/{atlas}/projections", "POST /v1/atlases/{atlas}/layers/{layer}/samples"}


@pytest.fixture(scope="module")
def described(secured: Secured) -> dict[str, Any]:
    found: dict[str, Any] = httpx.get(f"{secured.url}/openapi.json", timeout=60).json()
    return found


def operations(described: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {f"{method.upper()} {path}": operation for path, methods in described["paths"].items()
            for method, operation in methods.items()}  # fmt: skip


def called(client: httpx.Client, operation: str) -> httpx.Response:
    method, path = operation.split(" ")
    return client.request(method, re.sub(r"\{\w+\}", "0" * 64, path))


def test_every_operation_says_what_it_takes_and_takes_it(
    secured: Secured, described: dict[str, Any], asker: Asker
) -> None:
    all_of_them = operations(described)
    reader, scraper = asker("nobody-else", "read"), asker("nobody-else", "metrics")
    with secured.client() as anybody:
        for operation, told in all_of_them.items():
            scopes = {scope for scheme in told["security"] for named in scheme.values() for scope in named}
            method = operation.partition(" ")[0]
            if operation in PUBLIC:
                assert not told["security"]
                assert called(anybody, operation).status_code not in (401, 403), operation
                continue
            expected = ("metrics" if operation == "GET /metrics"
                        else "read" if method in ("GET", "HEAD") or operation in ASKED else "write")  # fmt: skip
            assert scopes == {expected}, operation
            assert {name for scheme in told["security"] for name in scheme} == set(SCHEMES)
            assert called(anybody, operation).status_code == 401, operation
            lacking = scraper if expected == "read" else reader
            assert called(lacking, operation).status_code == 403, operation


def test_no_route_is_public_but_those_that_are_meant(secured: Secured) -> None:
    app = create_app(secured.services.settings)
    routes = {route.path for module in app.routes for route in _below(module)}
    assert len(routes) > 60
    assert {route for route in routes if scope_of("GET", route) is None} == {
        "/", "/index.html", "/offline.html", "/assets/{name}", "/healthz", "/readyz", "/docs", "/docs/oauth2-redirect",
        "/openapi.json",
    }  # fmt: skip
    assert {route for route in routes if scope_of("POST", route) is None} >= {"/v1/session"}


def _below(route: Any) -> list[Any]:
    """The routes of what was included."""
    return list(route.original_router.routes) if hasattr(route, "original_router") else [route]


def test_what_is_made_up_is_refused_as_what_is_not_there(secured: Secured) -> None:
    with secured.client() as anybody:
        for path in ("/v1/models/../healthz", "/v1//models", "/v1/nothing", "/assets/../v1/models", "/healthz/x"):
            assert anybody.get(path).status_code in (401, 404), path
        assert anybody.get("/v1/models/%2e%2e%2fhealthz").status_code == 401


@pytest.mark.parametrize("header", ["Bearer", "Basic atlas_x", "atlas_x", "Bearer x", "Bearer atlas_", "Bearer \u00ff"])
def test_what_is_no_key_is_refused(secured: Secured, header: str) -> None:
    answer = httpx.get(f"{secured.url}/v1/models", headers=[(b"authorization", header.encode("latin-1"))])
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="atlas"'
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["request_id"] == answer.headers["x-request-id"]


def test_a_revoked_key_is_refused(secured: Secured) -> None:
    token, made = keys.create(secured.services.store, "x", "vision", ["read"], by="me")
    with secured.client(token) as client:
        assert client.get("/v1/models").status_code == 200
        keys.revoke(secured.services.store, made["id"], by="me")
        assert client.get("/v1/models").status_code == 401


def test_a_refused_body_is_not_read(secured: Secured) -> None:
    host, port = secured.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=5) as client:
        client.sendall(b"PUT /v1/blobs/" + b"0" * 64 + b" HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n")
        answer = client.recv(4096)
        assert answer.startswith(b"HTTP/1.1 401")
        assert b"connection: close" in answer.lower()


def test_too_many_requests_are_told_when_to_come_again(secured: Secured) -> None:
    token = secured.key("vision", "read", limits={"requests_per_minute": 6})
    with secured.client(token) as client:
        assert client.get("/v1/session").status_code == 200
        answer = client.get("/v1/session")
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "10")


def test_new_jobs_and_uploads_count_and_the_same_again_does_not(secured: Secured) -> None:
    token = secured.key("vision", "write", limits={"jobs_per_day": 1, "upload_bytes_per_day": 10})
    spec = {**secured.named, "layers": ["features.3"], "samples": 300, "levels": [5]}
    with secured.client(token) as client:
        assert client.post("/v1/atlases", json={**spec, "seed": 41}).status_code == 202
        assert client.post("/v1/atlases", json={**spec, "seed": 41}).status_code == 202
        assert client.post("/v1/atlases", json={**spec, "seed": 42, "dry_run": True}).status_code == 200
        refused = client.post("/v1/atlases", json={**spec, "seed": 42})
        assert refused.status_code == 429
        assert 0 < int(refused.headers["retry-after"]) <= 86_400
        assert client.put(f"/v1/blobs/{'1' * 64}", content=b"x" * 11).status_code == 429


def test_the_log_names_who_did_what_and_no_secret(secured: Secured, log: list[dict[str, Any]], asker: Asker) -> None:
    writer, reader = asker("vision", "write"), asker("vision", "read")
    body = {"id": secured.named["model"]}
    moved = writer.put("/v1/aliases/logged", json=body)
    assert reader.get("/v1/models").status_code == 200  # what is only read is not told
    refused = reader.delete("/v1/aliases/logged?token=secret")
    httpx.get(f"{secured.url}/v1/models", headers={"authorization": "Bearer atlas_guess_secret"})
    until(lambda: len(log) >= 3, 10)  # a line is written once its answer is sent
    told, denied, unknown = log
    assert told | {"when": "", "client": ""} == {
        "stream": "atlas.audit", "when": "", "who": told["who"], "name": "vision's", "owner": "vision",
        "action": "put_alias", "thing": "/v1/aliases/logged", "outcome": "done", "status": 200,
        "request_id": moved.headers["x-request-id"], "client": "",
    }  # fmt: skip
    assert told["who"].startswith("key:")
    assert (denied["outcome"], denied["status"], denied["request_id"]) == (
        "refused", 403, refused.headers["x-request-id"],
    )  # fmt: skip
    assert (unknown["who"], unknown["status"]) == ("nobody", 401)
    assert "secret" not in json.dumps(log)
    assert str(writer.headers["authorization"]).removeprefix("Bearer ") not in json.dumps(log)


def test_open_access_serves_this_machine_alone(redis_server: str, tmp_path: Path) -> None:
    app = create_app(ServiceSettings(store_url=str(tmp_path), redis_url=redis_server, access="open"))
    with serving(app) as url:
        assert httpx.get(f"{url}/v1/models").status_code == 200

    async def asked(address: str | None) -> int:
        server = None if address is None else (address, 80)
        status = 0

        async def send(message: Any) -> None:
            nonlocal status
            status = message.get("status", status)

        async def receive() -> Any:
            return {"type": "http.request", "body": b""}

        scope: dict[str, Any] = {
            "type": "http",
            "method": "GET",
            "path": "/healthz",
            "raw_path": b"/healthz",
            "query_string": b"",
            "headers": [],
            "server": server,
            "client": None,
            "scheme": "http",
            "root_path": "",
            "state": {},
        }
        await app(scope, receive, send)
        return status

    for address, status in (("127.0.0.1", 200), ("::1", 200), (None, 200), ("192.0.2.7", 403), ("2001:db8::1", 403)):
        assert in_a_loop(asked(address)) == status


def test_keys_are_asked_for_unless_somebody_says_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ATLAS_ACCESS")
    assert ServiceSettings().access == "keys"


def test_metrics_may_be_public(redis_server: str, tmp_path: Path) -> None:
    settings = ServiceSettings(store_url=str(tmp_path), redis_url=redis_server, access="keys", metrics_public=True)
    with serving(create_app(settings)) as url:
        assert httpx.get(f"{url}/metrics").status_code == 200

    described: dict[str, Any] = {"paths": {"/metrics": {"get": {}}, "/v1/models": {"get": {}}}}
    describe(described, is_open=True, metrics_public=True)
    assert described["paths"]["/metrics"]["get"]["security"] == []
    assert described["paths"]["/v1/models"]["get"]["security"] == [{"key": ["read"]}, {"session": ["read"]}, {}]
