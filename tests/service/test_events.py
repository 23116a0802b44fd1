"""Events of jobs: of a real one, from its first chunk to its manifest, and what becomes of their readers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import httpx
import pytest
import redis

from atlas_client.calls import jobs
from atlas_client.cli import run
from atlas_client.client import Client
from atlas_client.errors import JobError
from atlas_client.events import Event, follow, parse_events
from atlas_core import registry
from atlas_core.advance import end_job
from atlas_core.events import Event as Told, stream_of
from atlas_core.redis_client import connect
from service import event_stream
from service.event_stream import EventStreamResponse, EventStreams
from service.main import create_app
from service.settings import ServiceSettings
from tests.service.serving import serving
from tests.service.streams import JSON, SECONDS, ended, read, read_pages
from tests.service.test_main import assert_problem, request_of

if TYPE_CHECKING:
    from fastapi import FastAPI

    from tests.service.conftest import Followed, Live


def test_a_job_tells_what_happens_from_its_first_state_to_its_last(followed: Followed) -> None:
    states = [event.data for event in followed.whole if event.type == "state"]
    assert [state["state"] for state in states] == ["queued", "running", "succeeded"]
    last = {name: states[-1][name] for name in ("digest", "started", "finished")}
    assert last == {name: followed.job[name] for name in last}
    ids = [tuple(map(int, str(event.id).split("-"))) for event in followed.whole]
    assert ids == sorted(set(ids))


def test_progress_grows_to_what_the_job_says(followed: Followed) -> None:
    told: dict[str, list[dict[str, Any]]] = {}
    for event in followed.whole:
        if event.type == "progress":
            told.setdefault(event.data["stage"], []).append(event.data)
    assert {stage: (every[-1]["done"], every[-1]["fraction"]) for stage, every in told.items()} == {
        stage: (counts["total"], 1.0) for stage, counts in followed.job["progress"].items()
    }
    for every in told.values():
        assert [one["done"] for one in every] == sorted(one["done"] for one in every)


def test_every_tile_and_level_is_told_once(followed: Followed) -> None:
    tiles = [tuple(event.data.get(name) for name in ("layer", "side", "z", "x", "y"))
             for event in followed.whole if event.type == "tile"]  # fmt: skip
    assert sorted(tiles, key=str) == sorted(
        [(layer, side, z, *place) for layer in followed.job["spec"]["layers"]
         for z, side in enumerate(followed.job["spec"]["levels"]) for place in ((0, 0), (None, None))], key=str
    )  # fmt: skip


def test_a_stream_that_is_cut_again_and_again_loses_and_doubles_nothing(followed: Followed) -> None:
    assert followed.pieces == followed.whole


def test_what_was_told_can_be_had_again_from_anywhere_and_as_pages(followed: Followed) -> None:
    assert read(followed.url) == followed.whole
    assert read(followed.url, followed.whole[3].id) == followed.whole[4:]
    assert read(f"{followed.url}?last_event_id={followed.whole[3].id}") == followed.whole[4:]
    assert read(followed.url.replace("/atlases/", "/jobs/")) == followed.whole
    assert read_pages(followed.url, 3) == followed.whole
    known = httpx.get(followed.url, headers={"last-event-id": str(followed.whole[-1].id)})
    assert (known.status_code, known.content) == (204, b"")


def test_where_the_stream_is_gone_the_state_is_told_anew(live: Live, followed: Followed) -> None:
    with redis.Redis.from_url(live.service.redis_url) as client:
        name = stream_of(followed.job["id"])
        kept = client.dump(name)
        client.delete(name)
        try:
            anew = read(followed.url)
            assert read(followed.url, followed.whole[3].id) == anew
            assert httpx.get(followed.url, headers={"last-event-id": str(anew[-1].id)}).status_code == 204
            assert read_pages(followed.url, 3) == anew
        finally:
            client.restore(name, 0, kept)
    assert {event.id for event in anew[:-1]} == {None}
    assert anew[-1].data == followed.whole[-1].data
    told = {event.data["stage"]: event.data for event in anew if event.type == "progress"}
    assert told == {stage: {"stage": stage, **counts} for stage, counts in followed.job["progress"].items()}
    tiles = [sorted((event.data for event in every if event.type == "tile"), key=str)
             for every in (anew, followed.whole)]  # fmt: skip
    assert tiles[0] == tiles[1] != []


def test_the_command_prints_events(live: Live, followed: Followed, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["status", followed.job["id"], "--events", "--url", live.service.url]
    assert run([*arguments, "--json"]) == 0
    assert [Event(**json.loads(line)) for line in capsys.readouterr().out.splitlines()] == followed.whole
    assert run(arguments) == 0
    assert "state    state=queued attempt=1" in capsys.readouterr().out


def test_a_running_job_says_how_long_it_will_take_and_an_ended_one_does_not(live: Live) -> None:
    told = [document["eta_seconds"] for document in live.seen if document["state"] == "running"]
    assert any(seconds is not None and seconds > 0 for seconds in told)
    assert live.atlas["eta_seconds"] is None


# Readers, without workers: a job that stays as the test wants it


@dataclass(frozen=True)
class Waiting:
    """A service with few streams, and a job that nobody works on."""

    app: FastAPI
    url: str
    job: str

    @property
    def events(self) -> str:
        return f"{self.url}/v1/jobs/{self.job}/events"

    @property
    def services(self) -> Any:
        return self.app.state.services


@pytest.fixture
def waiting(redis_server: str, tmp_path: Path) -> Iterator[Waiting]:
    with connect(redis_server) as client:
        client.flushall()
    app = create_app(ServiceSettings(store_url=str(tmp_path / "store"), redis_url=redis_server, event_streams=1,
                                     event_beat_seconds=0.1))  # fmt: skip
    with serving(app) as url, httpx.Client(base_url=url) as http:
        api: Any = http
        api.app = app
        yield Waiting(app, url, http.post("/v1/atlases", json=request_of(api)).json()["id"])


@dataclass
class Reader:
    """An open stream."""

    answer: httpx.Response
    lines: Iterator[str]

    def until(self, wanted: Callable[[Event], bool]) -> list[Event]:
        """Events up to the first that is wanted, that included."""
        found: list[Event] = []
        for event in parse_events(self.lines):
            if isinstance(event, Event):
                found.append(event)
                if wanted(event):
                    return found
        return found


@pytest.fixture
def reader(waiting: Waiting) -> Iterator[Reader]:
    with httpx.stream("GET", waiting.events, timeout=SECONDS) as answer:
        yield Reader(answer, answer.iter_lines())


def test_a_silent_stream_says_that_it_lives(reader: Reader) -> None:
    assert reader.answer.headers["cache-control"] == "no-store"
    assert reader.answer.headers["x-request-id"]
    lines = [next(reader.lines) for _ in range(7)]
    assert lines[0] == "retry: 3000"
    assert [line.partition(":")[0] for line in lines[2:5]] == ["id", "event", "data"]
    assert lines[6] == ": still here"


def test_more_streams_than_may_be_open_are_refused_and_a_vanished_reader_makes_room(
    waiting: Waiting, reader: Reader
) -> None:
    refused = httpx.get(waiting.events)
    assert "1 event streams" in assert_problem(refused, 429, "too-many")["detail"]
    assert refused.headers["retry-after"] == "3"
    assert len(httpx.get(waiting.events, headers=JSON).json()["items"]) == 1
    reader.answer.close()
    with Client(waiting.url) as client:
        assert next(client.events(waiting.job)).data["state"] == "queued"


def test_a_reader_that_takes_nothing_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_stream, "SEND_SECONDS", 0.05)
    streams = EventStreams("redis://127.0.0.1:1/0", most=1, beat_seconds=1)

    async def events() -> Any:
        yield Told("1-0", "state", {"state": "queued"})
        await anyio.sleep_forever()

    async def stuck(_: Any = None) -> Any:
        await anyio.sleep_forever()

    async def main() -> None:
        response = EventStreamResponse(streams, events())
        await response({"type": "http"}, stuck, stuck)
        streams.check_place()

    anyio.run(main)


def test_a_job_that_ended_without_an_event_is_told_to_have(waiting: Waiting, reader: Reader) -> None:
    finished = registry.now()
    registry.update(waiting.services.store, "jobs", waiting.job, state="succeeded", finished=finished)
    *_, last = reader.until(ended)
    assert last.data["state"] == "succeeded"
    assert httpx.get(waiting.events, headers={"last-event-id": str(last.id)}).status_code == 204


def test_a_reader_whose_next_event_is_gone_is_told_the_state_anew(waiting: Waiting, reader: Reader) -> None:
    here = waiting.services
    (first,) = reader.until(lambda event: True)
    job, plan = here.artifacts.job(waiting.job), here.artifacts.plan(waiting.job)
    here.ledger.events.begin({**job, "attempt": 2}, plan)  # drops what was told, as a flush does
    told = reader.until(lambda event: event.type == "state")
    assert [event.type for event in told] == ["progress"] * len(plan.totals) + ["state"]
    assert int(str(told[-1].id).split("-")[0]) >= int(str(first.id).split("-")[0])


def test_a_reader_that_fell_behind_what_is_kept_is_told_the_state_anew(
    waiting: Waiting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("atlas_core.events.KEPT", 10)
    here = waiting.services
    (first,) = read(waiting.events, most=1)
    for attempt in range(300):
        here.ledger.events.state({**here.artifacts.job(waiting.job), "state": "running", "attempt": attempt})
    (oldest,) = here.ledger._redis.xrange(stream_of(waiting.job), count=1)
    assert oldest[0] != first.id
    for after in (None, first.id):
        page = httpx.get(waiting.events, params={"last_event_id": after} if after else {}, headers=JSON).json()
        *told, state = page["items"]
        assert {event["type"] for event in told} == {"progress"}
        assert (state["type"], state["data"]["attempt"], page["more"]) == ("state", 1, False)
        assert page["last_event_id"] == state["id"]


def test_a_job_that_fails_says_why_before_it_says_so(waiting: Waiting) -> None:
    here, error = waiting.services, {"type": "invalid-dataset", "detail": "7 of 9 broken", "chunk": "collect 0123"}
    here.ledger.events.error(waiting.job, {"type": "internal", "detail": "once", "chunk": "0123"})
    end_job(waiting.job, here.store, here.ledger, state="failed", error=error)
    told = read(waiting.events)
    assert [event.type for event in told] == ["state", "error", "error", "state"]
    assert [event.data["final"] for event in told[1:3]] == [False, True]
    assert told[2].data == {**error, "final": True}
    assert (told[3].data["state"], told[3].data["error"]) == ("failed", error)


def test_waiting_for_a_job_ends_with_its_last_event(waiting: Waiting, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []

    def noted(*arguments: Any, **options: Any) -> Iterator[Event]:
        for event in follow(*arguments, **options):
            told.append(event.data["state"])
            if len(told) == 1:
                end_job(waiting.job, waiting.services.store, waiting.services.ledger, state="cancelled")
            yield event

    monkeypatch.setattr(jobs, "follow", noted)
    with Client(waiting.url) as client, pytest.raises(JobError, match="was cancelled"):
        client.wait(waiting.job)
    assert told == ["queued", "cancelled"]


def test_a_cancelled_and_dropped_job_ends_its_stream(waiting: Waiting, reader: Reader) -> None:
    end_job(waiting.job, waiting.services.store, waiting.services.ledger, state="cancelled")
    assert [event.data["state"] for event in reader.until(ended)] == ["queued", "cancelled"]
    assert httpx.delete(f"{waiting.url}/v1/atlases/{waiting.job}").status_code == 204
    assert_problem(httpx.get(waiting.events), 404, "not-found")


def test_a_job_dropped_without_an_event_ends_its_stream(waiting: Waiting, reader: Reader) -> None:
    registry.update(waiting.services.store, "jobs", waiting.job, deleted=True)
    assert [event.data["state"] for event in reader.until(ended)] == ["queued"]


def test_ids_that_are_none_are_refused(waiting: Waiting) -> None:
    answer = httpx.get(waiting.events, headers={"last-event-id": "yesterday"})
    assert assert_problem(answer, 422, "invalid-request")["errors"][0]["parameter"] == "Last-Event-ID"
    assert_problem(httpx.get(f"{waiting.events}?page_size=0", headers=JSON), 422, "invalid-request")


def test_without_redis_there_are_no_events(waiting: Waiting, tmp_path: Path, free_port: int) -> None:
    settings = ServiceSettings(store_url=str(tmp_path / "store"), redis_url=f"redis://127.0.0.1:{free_port}/0")
    with serving(create_app(settings)) as url:

        def ask(headers: dict[str, str]) -> httpx.Response:
            return httpx.get(f"{url}/v1/jobs/{waiting.job}/events", headers=headers, timeout=SECONDS)

        with ThreadPoolExecutor(2) as clients:  # each waits until Redis is given up
            for answer in clients.map(ask, ({}, JSON)):
                assert_problem(answer, 503, "dependency-down")
