"""Aliases over the wire."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from atlas_core.cards import Card


class AliasRequest(Card):
    """What an alias is to name: a model, dataset or atlas, by its id or by another alias."""

    id: Annotated[str, Field(min_length=1, max_length=200)]


class AliasMove(BaseModel):
    """A move of an alias; to no id where it was deleted."""

    version: int
    kind: Literal["model", "dataset", "atlas"]
    id: str | None
    moved: str


class AliasItem(BaseModel):
    """What a name stands for."""

    name: str
    kind: Literal["model", "dataset", "atlas"]
    id: str
    moved: str


class Alias(AliasItem):
    """What a name stands for, and what it stood for before: its newest 100 moves, the newest first."""

    version: int
    history: list[AliasMove]
