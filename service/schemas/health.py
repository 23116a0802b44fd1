"""Whether the service is alive and ready, over the wire."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel


class Health(BaseModel):
    """Liveness."""

    status: Literal["ok"]


class Readiness(BaseModel):
    """What the service depends on, and whether each can be used."""

    status: Literal["ready"]
    redis: bool
    store: bool
    workers: dict[str, int]
