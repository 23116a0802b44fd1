"""Settings of the API process, from the environment (`ATLAS_…`)."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from atlas_core.settings import Settings
from service.access.tokens import OidcRule

URL = r"^https://[^/\s]+|^http://(127\.0\.0\.1|localhost)(:\d+)?(/|$)"
"""What is fetched from another machine comes by TLS."""


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
    access: Literal["keys", "open"] = Field(default="keys", description="`keys`, or `open` to all, on loopback alone")
    key_cache_seconds: float = Field(default=10, ge=0, le=300, description="after which a revoked key is refused")
    session_hours: float = Field(default=12, gt=0, le=24 * 30, description="life of a browser's session")
    requests_per_minute: int = Field(default=6000, ge=0, description="of a key or token; 0 for any")
    jobs_per_day: int = Field(default=0, ge=0, description="new jobs of a key or token; 0 for any")
    upload_bytes_per_day: int = Field(default=0, ge=0, description="uploads of a key or token; 0 for any")
    stored_bytes: int = Field(default=0, ge=0, description="that what a key's owner owns may take; 0 for any")
    metrics_public: bool = Field(default=False, description="whether /metrics asks for no key")
    audit_reads: bool = Field(default=False, description="whether the audit log also names what was only read")
    oidc_issuer: str | None = Field(default=None, pattern=URL, description="issuer whose tokens are taken for keys")
    oidc_audience: str | None = Field(default=None, min_length=1, description="whom its tokens must be for")
    oidc_rules: list[OidcRule] = Field(default_factory=list, description="whose tokens may do what, as JSON")
    oidc_keys_url: str | None = Field(
        default=None, pattern=URL, description="of the issuer's signing keys, where not on its own host"
    )
    oidc_leeway_seconds: float = Field(default=60, ge=0, le=600, description="that the issuer's clock may differ")

    @model_validator(mode="after")
    def _issuer_is_whole(self) -> Self:
        if self.oidc_issuer and not (self.oidc_audience and self.oidc_rules):
            raise ValueError("ATLAS_OIDC_ISSUER takes ATLAS_OIDC_AUDIENCE, and ATLAS_OIDC_RULES: who may do what")
        return self
