"""The sweep: what workers do every few seconds, so that nothing under way is forgotten."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from atlas_core import deliveries, registry
from atlas_core.advance import CPU, TERMINAL, advance, clear_up
from atlas_core.errors import DependencyError, NotFoundError, VersionError
from atlas_core.inspections import Inspected, inspect, inspection_key

if TYPE_CHECKING:
    from atlas_core.advance import Enqueue
    from atlas_core.ledger import Ledger
    from atlas_core.store import Store

log = logging.getLogger(__name__)
SWEEP = "workers.tasks.sweep"
DELIVER = "workers.tasks.deliver"
RESCAN_SECONDS = 30.0
GARBAGE_SECONDS = 86_400.0
"""Between two garbage collections that nobody asked for: of uploads given up, for one."""
FULL_SECONDS = 10.0
"""Between two looks of the sweep at every chunk of a job."""


def sweep(store: Store, ledger: Ledger, enqueue: Enqueue) -> None:
    """Move on everything under way, and deliver what is due; now and then look for what only the registry knows.

    One that cannot be moved on is logged and does not hold up the others.

    Raises:
        DependencyError: Redis or the store is down.
    """
    under_way = set(ledger.active())
    rescan = ledger.once("rescan", RESCAN_SECONDS)
    if rescan:
        with suppress(VersionError):  # the workers of that version look
            under_way.update(_unfinished(store))
    if ledger.once("garbage-round", GARBAGE_SECONDS):
        clear_up(ledger, enqueue)
    for name in sorted(under_way):
        try:
            _move_on(name, store, ledger, enqueue)
        except VersionError as error:
            log.info("%s is left to workers of another version: %s", name, error.detail)
        except DependencyError:
            raise
        except NotFoundError as error:
            log.warning("%s is no longer under way: %s", name, error.detail)
            ledger.forget(name)
        except Exception:
            log.exception("%s cannot be moved on", name)
    if rescan:
        deliveries.recover(store, ledger)
    for name in ledger.deadlines.take(deliveries.AGAIN_SECONDS):
        enqueue(DELIVER, [name], CPU)


def _move_on(name: str, store: Store, ledger: Ledger, enqueue: Enqueue) -> None:
    kind, slash, document = name.partition("/")
    if slash:
        inspect("models" if kind == "models" else "datasets", document, store, ledger, enqueue)
    else:
        advance(name, store, ledger, enqueue, full=ledger.once(f"full:{name}", FULL_SECONDS))


def _unfinished(store: Store) -> Sequence[str]:
    jobs = [job["id"] for job in registry.documents(store, "jobs") if job["state"] not in TERMINAL]
    kinds: tuple[Inspected, ...] = ("models", "datasets")
    inspecting = [
        inspection_key(kind, value["id"])
        for kind in kinds
        for value in registry.documents(store, kind)
        if value["state"] == "inspecting"
    ]
    return [*jobs, *inspecting]
