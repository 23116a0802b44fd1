"""Where work comes from: the request that asked for it and its trace, from the API through queues to workers' logs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType

REQUEST, TRACEPARENT = "request", "traceparent"
CARRIED = (REQUEST, TRACEPARENT)
"""What travels with a message, as its headers."""

_about: ContextVar[Mapping[str, str]] = ContextVar("about", default=MappingProxyType({}))


@contextmanager
def about(**what: str | None) -> Iterator[None]:
    """Say what is done in this block: `request`, `traceparent`, `job`, `chunk`; added to what is said around it."""
    token = _about.set({**_about.get(), **{name: value for name, value in what.items() if value}})
    try:
        yield
    finally:
        _about.reset(token)


def said() -> Mapping[str, str]:
    """All that is said here."""
    return _about.get()


def carried(said: Mapping[str, object] | None = None) -> dict[str, str]:
    """What of it, or of a message's headers, travels with a message."""
    found = _about.get() if said is None else said
    return {name: str(found[name]) for name in CARRIED if found.get(name)}
