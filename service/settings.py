"""Settings of the API process, from the environment (`ATLAS_…`)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from atlas_core.settings import Settings


class ServiceSettings(Settings):
    """What only the API needs to know."""

    api_processes: int = Field(default=1, ge=1, le=64, description="of the embedded service, behind its one port")
    blob_limit_bytes: int = Field(default=4 << 30, ge=1, description="largest upload")
    image_limit_bytes: int = Field(default=20 << 20, ge=1, description="largest image to project")
    body_limit_bytes: int = Field(default=4 << 20, ge=1, description="largest body that is no upload and no image")
    body_seconds: float = Field(default=30, gt=0, description="that a body may keep the service waiting")
    head_seconds: float = Field(default=10, gt=0, description="within which a request's head must come")
    connections: int = Field(default=2000, ge=1, description="connections that an API process keeps open at a time")
    requests: int = Field(default=500, ge=1, description="requests that an API process has under way; 503 beyond")
    batch_limit_bytes: int = Field(default=1 << 30, ge=1, description="largest batch of images to project")
    projection_seconds: float = Field(default=30, gt=0, description="that a projection may take")
    projection_queue: int = Field(default=64, ge=1, description="projections that may wait for a worker; 429 beyond")
    ready_queues: tuple[Literal["interactive", "cpu", "gpu"], ...] = Field(
        default=("interactive", "cpu", "gpu"),
        description="that need a worker before the service counts as ready, as JSON",
    )
    trusted_hosts: list[str] = Field(
        default_factory=lambda: ["*"], description="names by which requests may address the service"
    )
    event_streams: int = Field(default=200, ge=1, description="event streams open at a time, a Redis connection each")
    event_beat_seconds: float = Field(default=15, gt=0, description="after which a silent event stream says it lives")
    dataset_roots: list[str] = Field(
        default_factory=list, description="folders below which a dataset may stay where it is, as file:// URI"
    )
