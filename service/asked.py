"""What is asked of an atlas beyond itself, such as icons, drift, selections: jobs of their own, which go with it."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from fastapi import Request, Response

from atlas_core import registry
from atlas_core.advance import TERMINAL, clear_up
from atlas_core.aliases import lock_of
from atlas_core.errors import DependencyError, NotFoundError
from atlas_core.plan import Plan
from atlas_core.registry import Document
from service.dependencies import Paging, Services
from service.routers.atlases import RETRY_SECONDS, described, drop_all
from service.routers.levels import FOREVER, REVALIDATE, matches


class Made:
    """What a job of a kind has made.

    Args:
        services: What reads it.
        kind: Kind of the job.
        name: Its id.

    Raises:
        NotFoundError: There is none of this id and kind.
    """

    def __init__(self, services: Services, kind: str, name: str) -> None:
        """Find the job."""
        self.services = services
        self.job = services.artifacts.job(name, kind)

    @property
    def plan(self) -> Plan:
        """Its plan."""
        return self.services.artifacts.plan(self.job["id"], self.job["kind"])

    @property
    def record(self) -> Document | None:
        """What was made, None while it is not complete."""
        return self.services.artifacts.record(self.plan.chunks[-1])

    @property
    def description(self) -> Document | None:
        """What it says, None while it is not complete."""
        record = self.record if self.job["state"] == "succeeded" else None
        if record is None:
            return None
        found: Document = json.loads(self.services.store.get_blob(record["blobs"]["description"]))
        return found

    def drop(self) -> None:
        """Drop it; a job that still runs is cancelled."""
        with self.services.ledger.lock(
            lock_of("atlas", self.job["atlas"] or self.job["id"])
        ):  # not asked for meanwhile
            drop_all(self.services, self.job["id"])
        with suppress(DependencyError):  # then a later one finds it
            clear_up(self.services.ledger, self.services.enqueue)


class Asked(Made):
    """Something that was asked of an atlas.

    Args:
        services: What reads it.
        atlas: The atlas's id.
        kind: Kind of the job.
        name: Id of the job.

    Raises:
        NotFoundError: The atlas has none of this id and kind.
    """

    def __init__(self, services: Services, atlas: str, kind: str, name: str) -> None:
        """Find its job."""
        super().__init__(services, kind, name)
        if self.job["atlas"] != atlas:
            folder = registry.FOLDERS.get(kind, kind)
            raise NotFoundError(f"the atlas {atlas} has no {kind} {name!r}; list /v1/atlases/{atlas}/{folder}")


def ask(services: Services, plan: Plan, response: Response) -> Document:
    """Submit what a plan makes of its atlas, or of none, as the asker's; the same twice is the same job."""
    return ask_as_planned(services, plan.owned_by(services.principal.owner), response)


def ask_as_planned(services: Services, plan: Plan, response: Response) -> Document:
    """The same of a plan that is the asker's already."""
    with services.ledger.lock(lock_of("atlas", plan.atlas or plan.id)):
        if plan.atlas is not None:
            services.artifacts.job(plan.atlas)  # not dropped meanwhile
        job = services.submit(plan)
    response.headers["Location"] = registry.address_of(job)
    response.headers["Retry-After"] = "0" if job["state"] in TERMINAL else RETRY_SECONDS
    return described(services, job)


def page_of(services: Services, paging: Paging, jobs: list[Document]) -> dict[str, Any]:
    """Part of a list of jobs."""
    page = paging.page(jobs)
    return page | {"items": [described(services, job) for job in page["items"]]}


def summarised(services: Services, paging: Paging, jobs: list[Document]) -> dict[str, Any]:
    """Part of a list of jobs, each with its result in short."""
    page = page_of(services, paging, jobs)
    return page | {"items": [job | {"summary": summary_of(services, job)} for job in page["items"]]}


def summary_of(services: Services, job: Document) -> Document | None:
    """The result of a job in short, None while it is not made."""
    if job["state"] != "succeeded":
        return None
    record = services.artifacts.record(services.artifacts.plan(job["id"], job["kind"]).chunks[-1])
    found: Document | None = None if record is None else record["info"]["summary"]
    return found


def asked_of(services: Services, atlas: str, kind: str) -> list[Document]:
    """What was asked of an atlas, of a kind, in order.

    Raises:
        NotFoundError: There is no such atlas.
    """
    services.artifacts.job(atlas)
    return registry.asked_of(services.store, atlas, kind)


def picture(read: Callable[[], bytes], tag: str, request: Request, version: str | None) -> Response:
    """The answer with a PNG, read unless it is known already; immutable where it was asked for by its tag."""
    headers = {"ETag": f'"{tag}"', "Cache-Control": FOREVER if version == tag else REVALIDATE}
    if matches(request, f'"{tag}"'):
        return Response(status_code=304, headers=headers)
    return Response(read(), headers=headers, media_type="image/png")


def stored(made: Made, blob: str, request: Request, version: str | None) -> Response:
    """The answer with a PNG that a job has stored, by its digest."""
    return picture(lambda: made.services.store.get_blob(blob), blob, request, version)
