"""Is it alive, and is it ready?"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from atlas_core.errors import DependencyError
from atlas_core.ledger import processes_by_queue
from service.dependencies import ServicesDep
from service.schemas.health import Health, Readiness

router = APIRouter(tags=["health"])


@router.get("/healthz", response_model=Health)
async def healthz() -> Any:
    """The process answers."""
    return {"status": "ok"}


@router.get("/readyz", response_model=Readiness)
def readyz(services: ServicesDep) -> Any:
    """Redis and the store answer, and every queue of ATLAS_READY_QUEUES has a worker with a fresh heartbeat."""
    services.store.ping()
    services.ledger.ping()
    processes = processes_by_queue(services.ledger.workers())
    missing = [queue for queue in services.settings.ready_queues if not processes[queue]]
    if missing:
        raise DependencyError(f"no worker takes from the queue {', '.join(missing)}; start one, or wait for it")
    return {"status": "ready", "redis": True, "store": True, "workers": dict(processes)}
