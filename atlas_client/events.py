"""Server-sent events of a job, read so that a broken connection does not show."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Any, NamedTuple

import httpx

from atlas_client.errors import UnavailableError
from atlas_client.problems import check, reaching

OUTAGE = 60.0  # seconds of an unreachable service that waiting sits out
SILENCE = 60.0  # seconds without as much as a sign of life, after which a connection counts as broken
RETRY = 3.0  # seconds before a broken connection is taken up again, unless the service says otherwise
TERMINAL = ("succeeded", "failed", "cancelled")


class Event(NamedTuple):
    """What happened: `type` is state, progress, tile or error; no id in the middle of a state that is told anew."""

    id: str | None
    type: str
    data: dict[str, Any]


def parse_events(lines: Iterable[str]) -> Iterator[Event | float | None]:
    """Events of a stream's lines, None for a sign of life, and the seconds before it is to be taken up again."""
    fields: dict[str, str] = {}
    for line in lines:
        if not line:
            if "data" in fields:
                yield Event(fields.get("id"), fields.get("event", "message"), json.loads(fields["data"]))
            fields = {}
            continue
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not name:
            yield None
        elif name == "retry" and value.isdigit():
            yield int(value) / 1000
        elif name == "data" and "data" in fields:
            fields["data"] += "\n" + value
        else:
            fields[name] = value


def follow(
    http: httpx.Client,
    url: str,
    path: str,
    last_event_id: str | None = None,
    patience: float = OUTAGE,
    on_beat: Callable[[], None] = lambda: None,
) -> Generator[Event, None, None]:
    """Events until the one that ends the job.

    Args:
        http: The client of the service.
        url: The service's, for messages.
        path: Of the stream.
        last_event_id: Of the last event that is known, None for all.
        patience: Seconds of a service that gives no stream after which to give up.
        on_beat: Called when the service says that it lives though nothing happens.

    Raises:
        RefusedError: The service refuses it.
        UnavailableError: It gives no stream for longer than that.
    """
    retry, reached = RETRY, time.monotonic()
    while True:
        headers = {"accept": "text/event-stream", **({"last-event-id": last_event_id} if last_event_id else {})}
        lives = False
        failure = UnavailableError(f"what answers at {url}{path} sends no events")
        try:
            with reaching(url), http.stream("GET", path, headers=headers, timeout=SILENCE) as response:
                if not _opened(response):
                    return
                for event in parse_events(response.iter_lines()):
                    lives = True
                    if not isinstance(event, Event):
                        if event is None:
                            on_beat()
                        else:
                            retry = event
                        continue
                    last_event_id = event.id or last_event_id
                    yield event
                    if event.type == "state" and event.data["state"] in TERMINAL:
                        return
        except UnavailableError as error:
            failure = error
        if lives:
            reached = time.monotonic()
        elif time.monotonic() - reached >= patience:
            raise failure
        time.sleep(retry)


def _opened(response: httpx.Response) -> bool:
    """Whether a stream follows; False where the job has ended and the last event is known."""
    return check(response).status_code != httpx.codes.NO_CONTENT
