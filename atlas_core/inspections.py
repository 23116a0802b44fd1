"""Inspections of models and datasets under way: of one step each, under the same leases as chunks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from atlas_core import registry
from atlas_core.advance import INTERACTIVE

if TYPE_CHECKING:
    from atlas_core.advance import Enqueue
    from atlas_core.ledger import Ledger
    from atlas_core.store import Store

Inspected = Literal["models", "datasets"]
INSPECT = {"models": "workers.tasks.inspect_model", "datasets": "workers.tasks.inspect_dataset"}


def inspection_key(kind: Inspected, name: str) -> str:
    """Key under which the ledger keeps an inspection, and its name among what is under way."""
    return f"{kind}/{name}"


def inspect(kind: Inspected, name: str, store: Store, ledger: Ledger, enqueue: Enqueue, *, anew: bool = False) -> None:
    """Enqueue the inspection of a model or dataset that has not been inspected yet.

    Args:
        kind: Which registry.
        name: The id.
        store: Holds the document.
        ledger: Guards the inspection like a chunk; one that lost its process too often is refused.
        enqueue: Puts a task on a queue.
        anew: The document was registered just now: forget earlier attempts.
    """
    key = inspection_key(kind, name)
    if registry.document(store, kind, name)["state"] != "inspecting":
        ledger.forget(key)
        return
    ledger.activate(key)
    state = ledger.states([key])[0].state
    if state == "done" or (anew and state == "failed"):  # done, yet inspecting: registered again while it ran
        ledger.reopen([key])
    found = ledger.states([key])[0]
    if found.state == "failed":
        reason = (found.error or {}).get("detail", "its inspection failed")
        registry.update(store, kind, name, state="refused", reasons=[reason])
        ledger.forget(key)
    elif ledger.queue([key]):
        enqueue(INSPECT[kind], [name], INTERACTIVE)
