"""Logs and traces of the live service: one request, from the API through a queue to the chunks of its job."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

if TYPE_CHECKING:
    from tests.collector import Collector, Span
    from tests.service.conftest import Live

REQUEST = "ci-build-4711"


@pytest.fixture(scope="module")
def asked(live: Live) -> dict[str, Any]:
    """A job that a request with an id of its own asked for."""
    spec = {**live.spec, "seed": 11, "levels": [3], "recipe": "none"}
    answer = httpx.post(f"{live.service.url}/v1/atlases", json=spec, headers={"x-request-id": REQUEST})
    assert answer.headers["x-request-id"] == REQUEST
    return live.client.wait(answer.json()["id"])


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def lines(live: Live) -> list[dict[str, Any]]:
    """What all processes logged; each line is JSON."""
    return [json.loads(line) for log in Path(live.folder / "logs").glob("*.log") if log.stem != "redis"
            for line in log.read_text().splitlines() if line]  # fmt: skip


def test_every_line_is_json_and_names_its_request_and_job(live: Live, asked: dict[str, Any]) -> None:
    found = [line for line in lines(live) if line.get("request") == REQUEST]
    assert any(line["message"].startswith("POST /v1/atlases 202") for line in found)
    chunks = [line for line in found if line["logger"] == "workers.runtime"]
    total = sum(stage["total"] for stage in asked["progress"].values())
    assert {line["job"] for line in chunks} == {asked["id"]}
    assert len(chunks) >= total - asked["progress"]["collect"]["total"]
    assert all(line["level"] == "INFO" and line["chunk"] and line["timestamp"] for line in chunks)


def test_a_trace_leads_from_the_request_through_the_queue_to_each_chunk(
    collector: Collector, live: Live, asked: dict[str, Any]
) -> None:
    def request() -> list[Span]:
        chunks = [one for one in collector.spans if one.attributes.get("atlas.job") == asked["id"]]
        traces = {one.trace for one in chunks if one.name == "publish manifest"}
        return [one for one in collector.spans if one.name == "POST /v1/atlases" and one.trace in traces]

    until(lambda: bool(request()))
    (root,) = request()
    spans = [one for one in collector.spans if one.trace == root.trace]
    assert (root.service, root.parent) == ("atlas-api", "")
    assert root.attributes["http.response.status_code"] == 202
    below = [one for one in spans if one.parent == root.id]
    assert {one.service for one in below} == {"atlas-worker"}
    names = {one.name for one in below}
    assert {"cells", "publish level", "publish manifest", "wait in cpu"} <= names
    waits = [one for one in below if one.name.startswith("wait in")]
    assert all(one.start <= one.end for one in waits)
    assert {one.attributes["atlas.job"] for one in below if not one.name.startswith("wait in")} == {asked["id"]}


def test_a_callers_trace_goes_on(collector: Collector, live: Live, cards: Path) -> None:
    trace, parent = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
    image = (cards / "pictures" / "waves" / "05.png").read_bytes()
    headers = {"traceparent": f"00-{trace}-{parent}-01", "content-type": "image/png", "cache-control": "no-cache"}
    answer = httpx.post(f"{live.service.url}/v1/atlases/{live.atlas['id']}/projections", content=image,
                        headers=headers, timeout=60)  # fmt: skip
    assert answer.status_code == 200

    def found() -> dict[str, Span]:
        return {one.name: one for one in collector.spans if one.trace == trace}

    route = "POST /v1/atlases/{atlas}/projections"
    until(lambda: {route, "project"} <= found().keys())
    assert found()[route].parent == parent
    assert found()["project"].parent == found()[route].id
    assert found()["project"].service == "atlas-worker"


@pytest.mark.parametrize("forged", ["", "short", "x" * 65, "a b c d e f g h", 'id"}\\n{"level": "ERROR'])
def test_an_id_that_could_forge_a_line_is_not_taken(live: Live, forged: str) -> None:
    answer = httpx.get(f"{live.service.url}/healthz", headers={"x-request-id": forged})
    assert len(answer.headers["x-request-id"]) == 32
