from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from atlas_client.calls import jobs
from atlas_client.client import Client
from atlas_client.errors import NotFoundError, UnavailableError
from atlas_client.events import Event, parse_events

if TYPE_CHECKING:
    from tests.atlas_client.conftest import Answers

EVENTS = "GET /v1/atlases/a/events"
QUICKLY = b"retry: 1\n\n"


def event(name: str, state: str) -> bytes:
    return f'id: {name}\nevent: state\ndata: {{"state": "{state}"}}\n\n'.encode()


def test_lines_become_events() -> None:
    lines = ["retry: 2500", "", ": still here", "", "event: tile", 'data: {"a":', "data: 1}", "", "id: 5-0",
             "event:state", "data:{}", "", "id: 6-0", "", "data: {}"]  # fmt: skip
    assert list(parse_events(lines)) == [2.5, None, Event(None, "tile", {"a": 1}), Event("5-0", "state", {})]


def test_a_stream_that_breaks_off_is_taken_up_by_the_last_id(server: Answers) -> None:
    server.add(EVENTS, 200, QUICKLY + event("1-0", "queued") + event("2-0", "running") + b"id: 3-0\nevent: sta")
    server.add(EVENTS, 200, QUICKLY)
    server.add(EVENTS, 200, event("3-0", "succeeded") + event("4-0", "never read"))
    with Client(server.url) as client:
        told = list(client.events("a", patience=5))
    assert [(one.id, one.data["state"]) for one in told] == [
        ("1-0", "queued"), ("2-0", "running"), ("3-0", "succeeded")
    ]  # fmt: skip
    assert [headers.get("last-event-id") for _, _, _, headers in server.requests] == [None, "2-0", "2-0"]


def test_a_state_told_anew_is_asked_for_again_until_its_end_is_known(server: Answers) -> None:
    server.add(EVENTS, 200, QUICKLY + b'event: state\ndata: {"state": "running"}\n\n')
    server.add(EVENTS, 204)
    with Client(server.url) as client:
        assert [one.id for one in client.events("a", "9-0")] == [None]
    assert [headers["last-event-id"] for _, _, _, headers in server.requests] == ["9-0", "9-0"]


@pytest.mark.parametrize(("status", "body"), [(503, {"detail": "down"}), (429, {"detail": "full"}), (200, b"<html>")])
def test_a_service_without_a_stream_is_given_up_when_patience_ends(server: Answers, status: int, body: object) -> None:
    server.add(EVENTS, status, body)
    with Client(server.url) as client, pytest.raises(UnavailableError):
        next(client.events("a", patience=0))


def test_a_job_that_is_not_there(server: Answers) -> None:
    with Client(server.url) as client, pytest.raises(NotFoundError):
        next(client.events("a"))


def test_waiting_follows_events_and_looks_when_one_comes(server: Answers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "LOOK", 0)
    server.add("GET /v1/atlases/a", body={"id": "a", "state": "running"})
    server.add("GET /v1/atlases/a", body={"id": "a", "state": "running", "eta_seconds": 3})
    server.add("GET /v1/atlases/a", body={"id": "a", "state": "running", "eta_seconds": 2})
    server.add("GET /v1/atlases/a", body={"id": "a", "state": "succeeded"})
    server.add("GET /v1/atlases/a", body={"id": "a", "state": "succeeded"})
    server.add(EVENTS, 200, event("1-0", "running") + b": still here\n\n" + event("2-0", "succeeded"))
    seen: list[object] = []
    with Client(server.url) as client:
        client.wait("a", lambda document: seen.append(document.get("eta_seconds", document["state"])))
    assert seen == ["running", 3, 2, "succeeded"]
    assert [request for request in server.asked() if "events" in request] == [EVENTS]
