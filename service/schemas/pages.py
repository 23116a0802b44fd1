"""A list over the wire, part by part."""

from __future__ import annotations

from typing import Generic, TypeVar

from pydantic import BaseModel

Item = TypeVar("Item")


class Page(BaseModel, Generic[Item]):
    """Part of a list; ask for the next part with `page_token`."""

    items: list[Item]
    next_page_token: str | None = None
