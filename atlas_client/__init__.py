"""The light client of the service, and the `atlas` command."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from atlas_client.atlas import Atlas
    from atlas_client.client import Client

__all__ = ["Atlas", "Client"]

# Loaded when first asked for: the `atlas` command imports this package and should start quickly.
_HOMES = {"Atlas": "atlas_client.atlas", "Client": "atlas_client.client"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
