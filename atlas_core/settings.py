"""Settings that the API and the workers share, from the environment (`ATLAS_…`)."""

from __future__ import annotations

import os
from ipaddress import IPv4Network, IPv6Network
from typing import Annotated, Any

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from atlas_core.devices import AUTO, PATTERN
from atlas_core.redis_client import CONNECT_SECONDS, REDIS_URL, broker_settings

# What Standard Webhooks recommends: 5 s, 5 min, 30 min, 2, 5, 10, 14, 20 and 24 hours.
RETRY_SECONDS = (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)


HOST = r"^(\*\.)?[A-Za-z0-9._-]+(:(\d{1,5}|\*))?$|^[0-9A-Fa-f:.]+$|^\[[0-9A-Fa-f:.]+\](:(\d{1,5}|\*))?$"


class Settings(BaseSettings):
    """Where things are, and how long they may take; every field is read from `ATLAS_` + its name."""

    model_config = SettingsConfigDict(env_prefix="ATLAS_", extra="ignore", frozen=True, hide_input_in_errors=True)

    store_url: str = Field(default=".atlas/store", description="folder or file:// URL of the store")
    redis_url: str = Field(
        default="redis://127.0.0.1:6379/0", pattern=REDIS_URL, description="broker and ledger; must not evict"
    )
    cache_url: str | None = Field(
        default=None, pattern=REDIS_URL,
        description="projections on their way, kept answers; may evict; redis_url if None",
    )  # fmt: skip
    lease_seconds: float = Field(default=15, gt=0, description="life of a lease that nobody renews")
    beat_seconds: float = Field(default=2, gt=0, description="between renewals, heartbeats and sweeps of a worker")
    max_attempts: int = Field(default=3, ge=1, description="attempts after which a chunk is parked")
    requeue_seconds: float = Field(default=60, gt=0, description="after which a queued message counts as lost")
    dataset_stores: dict[str, str] = Field(
        default_factory=dict, description="registered stores that datasets may lie in: URL by name, as JSON"
    )
    garbage_hours: float = Field(
        default=24, ge=0, description="age from which what nobody refers to is collected as garbage"
    )
    retain_days: float | None = Field(
        default=None, ge=0, description="after which what has ended and no alias names is dropped; never if unset"
    )
    retain_bytes: int | None = Field(
        default=None, ge=0, description="that all jobs may take together; what ended first is dropped first"
    )
    webhook_hosts: list[Annotated[str, Field(pattern=HOST)]] = Field(
        default_factory=list, description="that webhooks may go to, as JSON: `host`, `*.domain`, `host:port`, `host:*`"
    )
    webhook_networks: list[IPv4Network | IPv6Network] = Field(
        default_factory=list, description="private networks that these hosts may lie in, as JSON"
    )
    webhook_http: bool = Field(default=False, description="whether webhooks may go without TLS to other machines")
    webhook_seconds: float = Field(default=15, gt=0, le=25, description="that an attempt at a webhook may take")
    webhook_retry_seconds: list[Annotated[float, Field(ge=0)]] = Field(
        default=list(RETRY_SECONDS), max_length=50, description="pauses after a webhook's failed attempts, as JSON"
    )
    device: str = Field(
        default=AUTO,
        pattern=PATTERN,
        description="of collect, attribute and render: `cpu`, `cuda`, `cuda:N`; `auto` takes a GPU if there is one",
    )
    projection_threads: int = Field(
        default_factory=lambda: min(8, len(os.sched_getaffinity(0))), ge=1, le=64,
        description="images that a worker process projects side by side on a CPU",
        json_schema_extra={"told": "as many as cores, at most 8"},
    )  # fmt: skip
    projection_cache_seconds: float = Field(default=600, ge=0, description="that the answer to an image is kept; 0: no")
    projection_cache_bytes: int = Field(default=64 << 20, ge=0, description="that kept answers may take together")
    inspection_bytes: int = Field(default=12 << 30, ge=1 << 30, description="memory that looking at a model may take")
    inspection_seconds: int = Field(
        default=600, ge=1, description="of a processor that loading a model and finding its layers may take"
    )
    shutdown_seconds: float = Field(default=10, ge=0, description="that a stopping worker gives its running tasks")


def celery_settings(settings: Settings) -> dict[str, Any]:
    """What the API's producer and the workers tell Celery, the same for both.

    Our own leases recover lost work, so the visibility timeout is long; results are never read, so there are none.
    """
    broker = broker_settings(settings.redis_url)
    broker["broker_transport_options"] |= {
        "visibility_timeout": 3600, "unacked_restore_interval": 5, "unacked_restore_throttle": 1,
        "socket_connect_timeout": CONNECT_SECONDS,
    }  # fmt: skip
    return broker | {
        "broker_connection_timeout": 3,
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        "task_serializer": "json",
        "accept_content": ["json"],
        "task_ignore_result": True,
        "task_acks_late": True,
        "task_reject_on_worker_lost": True,
        "task_track_started": False,
        "worker_prefetch_multiplier": 1,
        "worker_soft_shutdown_timeout": settings.shutdown_seconds,
        "worker_enable_remote_control": True,
        "worker_hijack_root_logger": False,
        "worker_cancel_long_running_tasks_on_connection_loss": False,
    }  # fmt: skip
