"""What the routes are given: the store, the ledger, who asks the workers, and the producer of tasks."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Annotated, Any

from celery import Celery
from fastapi import Depends, Query, Request
from kombu.exceptions import OperationalError

from atlas_core.advance import INTERACTIVE, PROJECT, Enqueue, submit
from atlas_core.errors import DependencyError
from atlas_core.ledger import Ledger
from atlas_core.origin import carried
from atlas_core.owners import owners_of
from atlas_core.plan import Plan
from atlas_core.redis_client import connect
from atlas_core.registry import Document
from atlas_core.settings import celery_settings
from atlas_core.store import Store, open_store
from atlas_core.store.owned import OwnersStore
from atlas_core.workload import Workload, stamped
from service.access.admission import Access
from service.access.principal import OPEN, ForbiddenError, Principal
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
        self.principal = OPEN
        self.store: Store = open_store(settings.store_url)
        self.access = Access(settings, self.store)
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

    def seen_by(self, principal: Principal) -> Services:
        """The same, with a store in which what others own is not there.

        Args:
            principal: Who asks.
        """
        view = copy.copy(self)
        view.principal = principal
        view.store = OwnersStore(self.store, principal.owner, every=principal.sees_all)
        view.artifacts = self.artifacts.seen_in(view.store)
        return view

    def submit(self, plan: Plan, name: str | None = None) -> Document:
        """Set work going as a job of whoever asks, by whom the plan is owned; a new one counts for their limit.

        Raises:
            TooManyError: They asked for as many today as they may.
            QuotaError: What their owner has fills its quota.
            DependencyError: Redis or the store is down.
        """
        known = self.store.get_document("jobs", plan.id)
        if known is None or known.get("deleted") or known["state"] in ("failed", "cancelled"):
            self.access.quotas.hold(self.principal)
            self.use("jobs_per_day")
        return submit(plan, name, self.store.whole, self.ledger, self.enqueue, self.principal.owner)

    def use(self, limit: str, amount: int = 1) -> None:
        """Count what whoever asks uses of a limit a day; raises TooManyError beyond it."""
        self.access.limits.use(self._redis, self.principal, limit, amount)

    def upload(self, size: int) -> None:
        """Count bytes that whoever asks is about to have stored; raises TooManyError or QuotaError beyond a limit."""
        self.access.quotas.hold(self.principal, size)
        self.use("upload_bytes_per_day", size)

    def uploaded(self, sha256: str) -> None:
        """Note that whoever asks uploaded a blob, which has no owner until it is registered."""
        self.access.quotas.uploaded(self.principal, sha256)

    def check_own(self, document: Document, what: str) -> None:
        """Refuse to change or stop what is not the asker's own, though it may be read.

        Raises:
            ForbiddenError: It is everybody's.
        """
        if not self.principal.sees_all and self.principal.owner not in owners_of(document):
            raise ForbiddenError(f"{what} is everybody's; only a key with the scope `admin` may change or drop it")

    async def close(self) -> None:
        """Let go of every connection."""
        await self.access.close()
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
            celery.send_task(task, args=arguments, queue=queue, retry=False, headers=stamped(carried()))
        except OperationalError as error:
            raise DependencyError("the broker cannot be reached; try again in a few seconds") from error

    return enqueue


def _all(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


def _services(request: Request) -> Services:
    return _all(request).seen_by(request.state.principal)


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
AllServicesDep = Annotated[Services, Depends(_all)]
"""With what all own: only for numbers about all of them."""
PagingDep = Annotated[Paging, Depends()]
