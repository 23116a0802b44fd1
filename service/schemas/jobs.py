"""Jobs over the wire."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel

from atlas_core.audit.parties import AuditRequest
from atlas_core.batch import BatchRequest
from atlas_core.drift_plan import DriftRequest
from atlas_core.icons import IconsRequest
from atlas_core.spec import AtlasSpec


class Progress(BaseModel):
    """Chunks of a stage; `fraction` counts those that run by how far they are."""

    done: int
    running: int
    total: int
    fraction: float


class JobError(BaseModel):
    """Why a job failed, and in which chunk."""

    type: str
    detail: str
    chunk: str | None = None


class Job(BaseModel):
    """A job; an atlas's id is its job's id. What is asked of an atlas names it, has its spec, and says its request."""

    id: str
    kind: str
    atlas: str | None = None
    request: IconsRequest | DriftRequest | BatchRequest | AuditRequest | dict[str, Any] | None = None
    name: str | None
    state: Literal["queued", "running", "succeeded", "failed", "cancelled"]
    attempt: int
    spec: AtlasSpec
    progress: dict[str, Progress]
    eta_seconds: float | None = None
    error: JobError | None
    created: str
    started: str | None
    finished: str | None
    digest: str | None
    links: dict[str, str]
