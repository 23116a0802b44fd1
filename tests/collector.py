"""An OpenTelemetry collector that keeps what it is sent: OTLP over HTTP, in a thread of the test."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from tests.listening import listening


@dataclass(frozen=True)
class Span:
    """A span as it was sent; ids in hex, times in seconds since 1970."""

    service: str
    name: str
    trace: str
    id: str
    parent: str
    start: float
    end: float
    attributes: dict[str, Any]


@dataclass
class Collector:
    """Where it listens, and what it was sent so far."""

    url: str = ""
    spans: list[Span] = field(default_factory=list)

    def take(self, data: bytes) -> None:
        request = ExportTraceServiceRequest.FromString(data)
        for of_service in request.resource_spans:
            service = {one.key: one.value.string_value for one in of_service.resource.attributes}["service.name"]
            for scope in of_service.scope_spans:
                self.spans += [_span(service, one) for one in scope.spans]


def _span(service: str, one: Any) -> Span:
    attributes = {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in one.attributes}
    ids = (one.trace_id.hex(), one.span_id.hex(), one.parent_span_id.hex())
    return Span(service, one.name, *ids, one.start_time_unix_nano / 1e9, one.end_time_unix_nano / 1e9, attributes)


@contextmanager
def collecting() -> Iterator[Collector]:
    """Run a collector until the block ends."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            data = self.rfile.read(int(self.headers["Content-Length"]))
            collector.take(gzip.decompress(data) if self.headers.get("Content-Encoding") == "gzip" else data)
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.end_headers()
            self.wfile.write(ExportTraceServiceResponse().SerializeToString())

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    collector.url = f"http://127.0.0.1:{server.server_address[1]}"
    with listening(server):
        yield collector
