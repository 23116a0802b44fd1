"""Traces by OpenTelemetry, where they are asked for; else nothing happens, and nothing needs to be installed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from atlas_core import origin
from atlas_core.errors import DependencyError

if TYPE_CHECKING:
    from atlas_core.settings import Settings

STANDARD = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
"""OpenTelemetry's own names for where traces go."""
Kind = Literal["SERVER", "CONSUMER", "INTERNAL"]

_enabled: list[Any] = []
"""The provider, once there is one."""


def enable(settings: Settings, process: str) -> None:
    """Have this process send traces, where the settings or OpenTelemetry's own variables say where to.

    A process that forks calls it in its children: what sends is a thread.

    Args:
        settings: `traces_endpoint`.
        process: What it calls itself, `api` or `worker`.

    Raises:
        DependencyError: What sends traces is not installed.
    """
    if _enabled or not (settings.traces_endpoint or any(os.environ.get(name) for name in STANDARD)):
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        raise DependencyError(
            "traces are asked for, but what sends them is not installed; `pip install activation-atlas[telemetry]`, or "
            "unset ATLAS_TRACES_ENDPOINT"
        ) from None
    endpoint = settings.traces_endpoint and f"{settings.traces_endpoint.rstrip('/')}/v1/traces"
    provider = TracerProvider(resource=Resource.create({"service.name": f"atlas-{process}"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint)))
    _enabled.append(provider)


def disable() -> None:
    """Send what is left, and no more."""
    while _enabled:
        _enabled.pop().shutdown()


@contextmanager
def span(
    name: str, kind: Kind = "INTERNAL", *, parent: str | None = None, **attributes: str | int
) -> Iterator[Any | None]:
    """A span around the block, below its parent; what is sent from within belongs to it.

    Args:
        name: What is done.
        kind: Of the span.
        parent: W3C `traceparent`; by default what is said of where the work comes from.
        **attributes: More to tell.

    Yields:
        OpenTelemetry's span, None where there are no traces.
    """
    if not _enabled:
        yield None
        return
    from opentelemetry.trace import SpanKind
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    propagator = TraceContextTextMapPropagator()
    known = parent or origin.said().get(origin.TRACEPARENT)
    context = propagator.extract({origin.TRACEPARENT: known} if known else {})
    told = {f"atlas.{name}": value for name, value in attributes.items()}
    tracer = _enabled[0].get_tracer("atlas")
    with tracer.start_as_current_span(name, context=context, kind=SpanKind[kind], attributes=told) as made:
        here: dict[str, str] = {}
        propagator.inject(here)
        with origin.about(traceparent=here.get(origin.TRACEPARENT)):
            yield made


def waited(name: str, sent: float, **attributes: str) -> None:
    """A span of a wait that is over: it began at a time in seconds since 1970 and ends now."""
    if not _enabled:
        return
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    context = TraceContextTextMapPropagator().extract(origin.carried())
    told = {f"atlas.{name}": value for name, value in attributes.items()}
    tracer = _enabled[0].get_tracer("atlas")
    tracer.start_span(name, context=context, start_time=int(sent * 1e9), attributes=told).end()
