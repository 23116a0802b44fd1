"""Who asks, over the wire."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from atlas_core.cards import Card
from service.access.principal import Scope


class SessionRequest(Card):
    """The key that a browser's session is to stand for."""

    key: Annotated[str, Field(min_length=1, max_length=200)]


class Session(BaseModel):
    """Who asks: a name for people, in whose name, and what it may do; `open` where no key is asked for."""

    access: Literal["keys", "open"]
    name: str
    owner: str
    scopes: list[Scope]
