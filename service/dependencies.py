"""What the routes are given: the store, the ledger, who asks the workers, and the producer of tasks."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Annotated, Any

from celery import Celery
from fastapi import Depends, Query, Request
from kombu.exceptions import OperationalError

from atlas_core.advance import INTERACTIVE, PROJECT, Enqueue
from atlas_core.errors import DependencyError
from atlas_core.ledger import Ledger
from atlas_core.origin import carried
from atlas_core.redis_client import connect
from atlas_core.settings import celery_settings
from atlas_core.store import open_store
from atlas_core.workload import SENT, Workload
from service.artifacts import Artifacts
from service.asking import Asking
from service.event_stream import EventStreams
from service.idempotency import IdempotentAnswers
from service.placenames import PlaceNames
from service.settings import ServiceSettings
from service.thumbnails import Thumbnails


class Services:
    """Everything a request may need, made once a process.

    Args:
        settings: Where the store and Redis are; neither Redis nor the broker is spoken to yet.
    """

    def __init__(self, settings: ServiceSettings) -> None:
        """Open the store and prepare the clients."""
        self.settings = settings
        self.store = open_store(settings.store_url)
        self.artifacts = Artifacts(self.store, settings.dataset_stores)
        self.place_names = PlaceNames()
        self.thumbnails = Thumbnails(self.store, self.artifacts)
        self._redis = connect(settings.redis_url)
        self.ledger = Ledger(
            self._redis,
            lease_seconds=settings.lease_seconds,
            max_attempts=settings.max_attempts,
            requeue_seconds=settings.requeue_seconds,
        )
        self._cache = connect(settings.cache_url or settings.redis_url)
        self.workload = Workload(self._redis, self._cache)
        self.meters = self.ledger.meters
        self.event_streams = EventStreams(
            settings.redis_url, most=settings.event_streams, beat_seconds=settings.event_beat_seconds
        )
        self.idempotent = IdempotentAnswers(self._redis)
        self._celery = Celery("service", set_as_current=False)
        self._celery.config_from_object(celery_settings(settings))
        self.enqueue: Enqueue = _enqueue(self._celery)
        self.asking = Asking(
            settings.cache_url or settings.redis_url,
            lambda: self.enqueue(PROJECT, [], INTERACTIVE),
            seconds=settings.projection_seconds,
            most=settings.projection_queue,
            meters=self.meters,
        )

    async def close(self) -> None:
        """Let go of every connection."""
        await self.event_streams.close()
        await self.asking.close()
        self.artifacts.close()
        self._celery.close()
        self.meters.close()
        self._redis.close()
        self._cache.close()


def _enqueue(celery: Any) -> Callable[[str, list[str], str], None]:
    def enqueue(task: str, arguments: list[str], queue: str) -> None:
        try:
            celery.send_task(task, args=arguments, queue=queue, retry=False, headers={SENT: time.time(), **carried()})
        except OperationalError as error:
            raise DependencyError("the broker cannot be reached; try again in a few seconds") from error

    return enqueue


def _services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


class Paging:
    """Which part of a list is asked for.

    Args:
        page_size: Items at most.
        page_token: From the part before.
    """

    def __init__(
        self,
        page_size: Annotated[int, Query(ge=1, le=1000)] = 100,
        page_token: Annotated[str | None, Query(pattern="^[0-9]{1,12}$")] = None,
    ) -> None:
        """Take the parameters."""
        self.start = int(page_token or 0)
        self.size = page_size

    def page(self, items: list[Any]) -> dict[str, Any]:
        """The part of a list, and the token of the next."""
        stop = self.start + self.size
        return {"items": items[self.start : stop], "next_page_token": str(stop) if stop < len(items) else None}


ServicesDep = Annotated[Services, Depends(_services)]
PagingDep = Annotated[Paging, Depends()]
