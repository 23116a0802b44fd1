"""Events of a job: a stream that can be taken up again, or pages of the same."""

from __future__ import annotations

from typing import Annotated, Any

import anyio.to_thread
from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import JSONResponse

from atlas_core.events import Event, state_data, tile_data
from service.artifacts import MAP
from service.dependencies import Services, ServicesDep
from service.event_stream import EventStreamResponse
from service.names import AtlasId, JobId
from service.progress import progress_of, standing
from service.schemas.events import EventPage

router = APIRouter(prefix="/v1")
EVENT_ID = "^[0-9]{1,16}(-[0-9]{1,16})?$"

LastHeader = Annotated[str | None, Header(alias="Last-Event-ID", pattern=EVENT_ID)]
LastParameter = Annotated[str | None, Query(alias="last_event_id", pattern=EVENT_ID, description="as the header")]
Size = Annotated[int, Query(ge=1, le=1000, description="events of a page")]
EACH = {
    "description": "each event; its data are JSON",
    "type": "object",
    "properties": {
        "id": {"type": "string"},
        "event": {"enum": ["state", "progress", "tile", "error"]},
        "data": {"type": "string", "contentMediaType": "application/json"},
    },
    "required": ["event", "data"],
}
FORMS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Events until the job has ended; as JSON a page of those there are",
        "model": EventPage,
        "content": {"text/event-stream": {"schema": EACH}},
    },
    204: {"description": "The job has ended and there are no events after that one"},
}


class JobTeller:
    """Tells of a job from the store.

    Args:
        services: The store and the ledger.
        name: The job.
        kind: What it must be of; None for whatever it is.
    """

    def __init__(self, services: Services, name: str, kind: str | None = None) -> None:
        """Nothing is read yet."""
        self._services = services
        self.name, self._kind = name, kind

    def state(self) -> Event:
        """The job's state."""
        return Event(None, "state", state_data(self._services.artifacts.job(self.name, self._kind)))

    def anew(self) -> list[Event]:
        """Which tiles and levels can be read, how far each stage is, and the state."""
        here = self._services
        job, plan = here.artifacts.job(self.name, self._kind), here.artifacts.plan(self.name, self._kind)
        now = standing(job, plan, here.store, here.ledger)
        done = [chunk for chunk in plan.chunks if now.states[chunk.key] == "done"]
        replaced = {key for chunk in done if chunk.stage == "render" for key in chunk.inputs}
        tiles = [tile_data(plan, chunk) for chunk in done if chunk.key not in replaced]
        progress = progress_of(plan, now).items()
        return [
            *(Event(None, "tile", tile) for tile in tiles if tile is not None),
            *(Event(None, "progress", {"stage": stage, **counts}) for stage, counts in progress),
            Event(None, "state", state_data(job)),
        ]


@router.get("/atlases/{atlas}/events", response_class=Response, responses=FORMS, tags=["atlases"])
async def atlas_events(
    atlas: AtlasId,
    request: Request,
    services: ServicesDep,
    last_event_id: LastHeader = None,
    parameter: LastParameter = None,
    page_size: Size = 100,
) -> Response:
    """What happens to an atlas as server-sent events; with `Accept: application/json` a page of them."""
    teller = JobTeller(services, atlas, MAP)
    return await _events(teller, services, request, last_event_id or parameter, page_size)


@router.get("/jobs/{job}/events", response_class=Response, responses=FORMS, tags=["jobs"])
async def job_events(
    job: JobId,
    request: Request,
    services: ServicesDep,
    last_event_id: LastHeader = None,
    parameter: LastParameter = None,
    page_size: Size = 100,
) -> Response:
    """The same of any job."""
    return await _events(JobTeller(services, job), services, request, last_event_id or parameter, page_size)


async def _events(teller: JobTeller, services: Services, request: Request, after: str | None, size: int) -> Response:
    streams, name = services.event_streams, teller.name
    state = await anyio.to_thread.run_sync(teller.state)
    accepted = request.headers.get("accept", "")
    if "application/json" in accepted and "text/event-stream" not in accepted:
        events, more = await streams.page(name, after, size, teller)
        last = next((event.id for event in reversed(events) if event.id), after)
        page = {"items": [event._asdict() for event in events], "last_event_id": last, "more": more}
        return JSONResponse(page, headers={"Cache-Control": "no-store"})
    if after is not None and await streams.over(name, after, state):
        return Response(status_code=204)
    streams.check_place()
    told, cursor = await streams.begin(name, after, teller)
    return EventStreamResponse(streams, streams.follow(name, told, cursor, teller))
