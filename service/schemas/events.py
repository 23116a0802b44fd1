"""What happens to a job, over the wire."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel


class EventItem(BaseModel):
    """What happened to a job; the data of each type stands in docs/http.md. No id: in the middle of a retold state."""

    id: str | None
    type: Literal["state", "progress", "tile", "error"]
    data: dict[str, Any]


class EventPage(BaseModel):
    """Some of a job's events in order; ask for what came after with `last_event_id`."""

    items: list[EventItem]
    last_event_id: str | None
    more: bool
