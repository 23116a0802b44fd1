"""Readers of a job's events: patient, cut again and again, and by pages."""

from __future__ import annotations

import httpx

from atlas_client.events import Event, parse_events

SECONDS = 60
JSON = {"accept": "application/json"}


def read(url: str, after: str | None = None, most: int | None = None) -> list[Event]:
    """Events of one connection, all until it ends or so many; then it is cut."""
    headers = {"last-event-id": after} if after else {}
    found: list[Event] = []
    with httpx.stream("GET", url, headers=headers, timeout=SECONDS) as answer:
        if answer.status_code == 204:
            return []
        assert answer.headers["content-type"].startswith("text/event-stream")
        for event in parse_events(answer.iter_lines()):
            if isinstance(event, Event):
                found.append(event)
            if len(found) == most:
                break
    return found


def read_in_pieces(url: str) -> list[Event]:
    """The same by connections that are cut after two events each and taken up by the last id."""
    found: list[Event] = []
    while not found or not ended(found[-1]):
        found += read(url, found[-1].id if found else None, most=2)
    return found


def read_pages(url: str, size: int) -> list[Event]:
    """The same as JSON, page by page, of what there is."""
    found: list[Event] = []
    more, after = True, None
    while more:
        parameters = {"page_size": size, **({"last_event_id": after} if after else {})}
        page = httpx.get(url, params=parameters, headers=JSON).json()
        found += [Event(**event) for event in page["items"]]
        more, after = page["more"], page["last_event_id"]
    return found


def ended(event: Event) -> bool:
    return event.type == "state" and event.data["state"] in ("succeeded", "failed", "cancelled")
