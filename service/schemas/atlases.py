"""Atlases over the wire, beyond their spec."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel

from atlas_core.cards import Name
from atlas_core.spec import AtlasSpec
from service.schemas.jobs import Job


class AtlasRequest(AtlasSpec):
    """An atlas to make, with a name for people; with `dry_run` only what it would take is answered."""

    name: Name | None = None
    dry_run: bool = False


class StageEstimate(BaseModel):
    """Chunks of a stage, in all and done already, and what the others would take."""

    total: int
    done: int
    bytes: int
    cpu_seconds: float


class DryRun(BaseModel):
    """What an atlas would take. `chunks`, `bytes` and seconds are of what is not done yet.

    `wall_seconds` is with the workers that live now and nothing else to do, null without any. `rates` says where the
    figures come from: `measured` by this deployment's finished jobs, `assumed` from a machine that the project
    measured because none has finished here, or `partly-measured` where some of the work is of a new kind.
    """

    id: str
    spec: AtlasSpec
    stages: dict[str, StageEstimate]
    chunks: int
    bytes: int
    cpu_seconds: float
    wall_seconds: float | None
    rates: Literal["measured", "partly-measured", "assumed"]


class Atlas(Job):
    """An atlas; its manifest once it is published."""

    manifest: dict[str, Any] | None = None
