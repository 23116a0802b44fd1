"""The API, small and free of torch.

`uvicorn service.main:create_app --factory --http service.connections:Connection`
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.middleware.gzip import DEFAULT_EXCLUDED_CONTENT_TYPES, GZipMiddleware

from atlas_core import logs, tracing
from atlas_core.scratch import clear_scratch
from service import errors
from service.access import scopes
from service.access.admission import Admission
from service.bodies import Bodies
from service.dependencies import Services
from service.hot_tiles import HotTiles
from service.routers import (
    aliases,
    atlases,
    audits,
    batched,
    blobs,
    classes,
    comparisons,
    drift,
    events,
    flows,
    health,
    icons,
    images,
    jobs,
    levels,
    metrics,
    patches,
    placenames,
    points,
    projections,
    registered,
    samples,
    selections,
    session,
    thumbnails,
    tours,
    versions,
    viewer,
    webhooks,
)
from service.schemas.problems import Problem
from service.settings import ServiceSettings

BARE = (
    *DEFAULT_EXCLUDED_CONTENT_TYPES,
    "application/octet-stream",
    "application/vnd.apache.parquet",
    "application/x-ndjson",
)
"""Kinds that are sent as they are: they are dense already, or told piece by piece."""
ROUTERS = (
    health,
    metrics,
    session,
    blobs,
    registered,
    aliases,
    atlases,
    thumbnails,
    jobs,
    events,
    webhooks,
    projections,
    batched,
    icons,
    drift,
    comparisons,
    versions,
    selections,
    classes,
    patches,
    audits,
    tours,
    viewer,
    # These take the rest of a path as a layer's name, so the others stand before them.
    points,
    flows,
    samples,
    images,
    placenames,
    levels,
)
PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: errors.described(text)
    for status, text in {
        400: "It cannot be read, or is addressed to another",
        401: "Nobody that is known: a key, token or session is missing, unknown or has ended",
        403: "Somebody that is known, who may not do this",
        404: "Nothing of that name here, or somebody else's",
        408: "It came too slowly",
        409: "Not in a state for this",
        412: "Changed since by somebody else",
        413: "Too large",
        415: "Of a kind that is not taken",
        422: "It cannot work as asked",
        429: "Too many at a time, or more than a key may ask; try again",
        431: "Its URL and headers are too long",
        503: "Redis, the store or the workers are down, or too much is under way; try again",
        504: "Nobody answered in time",
    }.items()
}


def create_app(settings: ServiceSettings | None = None) -> FastAPI:
    """Make the application.

    Args:
        settings: From the environment by default.
    """
    if settings is None:  # a process of its own, which logs and traces as the environment says
        settings = ServiceSettings()
        logs.configure(settings)
        tracing.enable(settings, "api")
    services = Services(settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await run_in_threadpool(clear_scratch)
        yield
        await services.close()
        tracing.disable()

    app = FastAPI(
        title="Activation atlases",
        version=version("activation-atlas"),
        lifespan=lifespan,
        responses=PROBLEMS,
        docs_url="/docs",
        redoc_url=None,
    )
    app.state.services = services
    app.add_middleware(GZipMiddleware, minimum_size=1000, compresslevel=4, exclude_content_types=BARE)
    app.add_middleware(Bodies, settings=settings)
    app.add_middleware(HotTiles)  # before what looks at bodies and compresses: it does neither
    app.add_middleware(Admission, access=services.access)  # outside: who is refused sends no body
    errors.install(app, settings.trusted_hosts, services.meters)
    for module in ROUTERS:
        app.include_router(module.router)
    webhooks.describe_events(app)
    _describe_problems(app)
    return app


def _describe_problems(app: FastAPI) -> None:
    """Put into /openapi.json the problem's schema, to which every response refers, and what each operation takes."""
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        schema = plain()
        schemas = schema.setdefault("components", {}).setdefault("schemas", {})
        described = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas.update(described.pop("$defs", {}))
        schemas["Problem"] = described
        access: ServiceSettings = app.state.services.settings
        scopes.describe(schema, is_open=access.access == "open", metrics_public=access.metrics_public)
        return schema

    app.openapi = openapi  # type: ignore[method-assign]
