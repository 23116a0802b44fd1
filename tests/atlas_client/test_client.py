from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from atlas_client import uploads
from atlas_client.calls import jobs
from atlas_client.client import Client
from atlas_client.errors import (
    BadInputError,
    ConflictError,
    InvalidError,
    JobError,
    NotFoundError,
    RefusedError,
    UnavailableError,
)

if TYPE_CHECKING:
    from tests.atlas_client.conftest import Answers


def test_upload_sends_what_the_service_lacks(server: Answers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "PIECE", 4)
    file = tmp_path / "weights"
    file.write_bytes(b"0123456789")
    digest = hashlib.sha256(b"0123456789").hexdigest()
    server.add(f"PUT /v1/blobs/{digest}", 201)
    seen: list[tuple[int, int]] = []
    with Client(server.url, on_upload=lambda sent, size: seen.append((sent, size))) as client:
        assert client.upload(file) == digest
    assert server.asked() == [f"HEAD /v1/blobs/{digest}", f"PUT /v1/blobs/{digest}"]
    _, _, body, headers = server.requests[1]
    assert body == b"0123456789"
    assert headers["content-length"] == "10"
    assert seen == [(4, 10), (8, 10), (10, 10)]


def test_upload_sends_nothing_twice(server: Answers, tmp_path: Path) -> None:
    file = tmp_path / "weights"
    file.write_bytes(b"0123456789")
    digest = hashlib.sha256(b"0123456789").hexdigest()
    server.add(f"HEAD /v1/blobs/{digest}")
    with Client(server.url) as client:
        client.upload(file)
    assert server.asked() == [f"HEAD /v1/blobs/{digest}"]


def test_lists_are_followed_to_their_last_page(server: Answers) -> None:
    server.add("GET /v1/models", body={"items": [{"id": "a"}], "next_page_token": "t 1"})
    server.add("GET /v1/models", body={"items": [{"id": "b"}], "next_page_token": None})
    with Client(server.url) as client:
        assert client.models() == [{"id": "a"}, {"id": "b"}]
    assert server.asked()[1] in ("GET /v1/models?page_token=t%201", "GET /v1/models?page_token=t+1")


@pytest.mark.parametrize(
    ("status", "kind", "exit_code"),
    [(400, RefusedError, 4), (404, NotFoundError, 4), (409, ConflictError, 4), (422, InvalidError, 4)],
)
def test_refusals_carry_the_problem(server: Answers, status: int, kind: type[RefusedError], exit_code: int) -> None:
    problem = {"type": "https://x/problems/unknown-layer", "detail": "no layer q", "errors": [{"pointer": "/layers"}]}
    server.add("POST /v1/atlases", status, problem)
    with Client(server.url) as client, pytest.raises(kind) as caught:
        client.submit({"model": "m"})
    assert (caught.value.detail, caught.value.slug, caught.value.status) == ("no layer q", "unknown-layer", status)
    assert caught.value.errors == ({"pointer": "/layers"},)
    assert caught.value.exit_code == exit_code


def test_a_dependency_down_says_when_to_try_again(server: Answers) -> None:
    server.add("GET /v1/atlases/a", 503, {"detail": "Redis is down"}, retry_after="5")
    with Client(server.url) as client, pytest.raises(UnavailableError, match="503: Redis is down") as caught:
        client.status("a")
    assert caught.value.retry_after == 5
    assert caught.value.exit_code == 2


def test_nothing_listens(free_port: int) -> None:
    with Client(f"http://127.0.0.1:{free_port}") as client, pytest.raises(UnavailableError, match="cannot reach"):
        client.status("a")


def test_another_kind_of_server(server: Answers) -> None:
    server.add("GET /v1/atlases/a", 200, b"<html>")
    with Client(server.url) as client, pytest.raises(UnavailableError, match="is no atlas service"):
        client.status("a")


def test_no_url() -> None:
    with pytest.raises(BadInputError, match="is no URL"):
        Client("localhost:8000")


def _states(server: Answers, *documents: dict[str, object]) -> None:
    for document in documents:
        server.add("GET /v1/atlases/a", 200, {"id": "a", **document})


@pytest.fixture
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "POLL_FIRST", 0.001)
    monkeypatch.setattr(jobs, "POLL_LAST", 0.001)


@pytest.mark.usefixtures("_quick")
def test_wait_sits_out_an_outage(server: Answers) -> None:
    _states(server, {"state": "running"})
    server.add("GET /v1/atlases/a", 503, {"detail": "Redis is down"})
    _states(server, {"state": "running"}, {"state": "succeeded"})
    seen = []
    with Client(server.url) as client:
        assert client.wait("a", lambda document: seen.append(document["state"]))["state"] == "succeeded"
    assert seen == ["running", "running", "succeeded"]


@pytest.mark.usefixtures("_quick")
@pytest.mark.parametrize(
    ("document", "kind", "says", "exit_code"),
    [
        ({"state": "cancelled"}, JobError, "was cancelled", 2),
        ({"state": "failed", "error": {"type": "internal", "detail": "out of memory"}}, JobError, "out of memory", 2),
        ({"state": "failed", "error": {"type": "invalid-dataset", "detail": "7 of 9 broken"}}, RefusedError, "7 of", 4),
    ],
)
def test_wait_for_what_does_not_succeed(
    server: Answers, document: dict[str, object], kind: type[JobError], says: str, exit_code: int
) -> None:
    _states(server, document)
    with Client(server.url) as client, pytest.raises(kind, match=says) as caught:
        client.wait("a")
    assert caught.value.exit_code == exit_code


@pytest.mark.usefixtures("_quick")
def test_a_refused_model_says_why(server: Answers) -> None:
    server.add("GET /v1/models/m", 200, {"id": "m", "name": "net", "state": "inspecting"})
    server.add("GET /v1/models/m", 200, {"id": "m", "name": "net", "state": "refused", "reasons": ["a pickle"]})
    with Client(server.url) as client, pytest.raises(BadInputError, match="'net' was refused: a pickle"):
        client.wait_ready("models", "m")


def test_cards_travel_resolved(server: Answers, tmp_path: Path) -> None:
    (tmp_path / "w").write_bytes(b"w")
    (tmp_path / "model.json").write_text(json.dumps({"name": "n", "weights": "w", "labels": ["a"]}))
    digest = hashlib.sha256(b"w").hexdigest()
    server.add(f"HEAD /v1/blobs/{digest}")
    server.add("POST /v1/models", 202, {"id": "m", "state": "inspecting"})
    with Client(server.url) as client:
        client.add_model(tmp_path / "model.json", "d1")
    assert json.loads(server.requests[1][2]) == {
        "card": {"name": "n", "weights": f"sha256:{digest}", "labels": ["a"]},
        "dataset": "d1",
    }


@pytest.mark.parametrize("ask", [Client.status, Client.model, Client.dataset, Client.cancel])
def test_ids_are_encoded(server: Answers, ask: Callable[[Client, str], object]) -> None:
    with Client(server.url) as client, pytest.raises(NotFoundError):
        ask(client, "pan/x@prod")
    assert "/pan%2Fx%40prod" in server.asked()[0]
