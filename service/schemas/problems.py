"""An error over the wire."""

from __future__ import annotations

from pydantic import BaseModel


class ProblemPlace(BaseModel):
    """An offending place of a request."""

    detail: str
    pointer: str | None = None
    parameter: str | None = None


class Problem(BaseModel):
    """An error (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[ProblemPlace] = []
    request_id: str | None = None
