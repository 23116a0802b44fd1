"""A proxy before an HTTP server that fails a share of the requests, as the seed says: 503s, resets, lost answers."""

from __future__ import annotations

import http.client
import random
import socket
import struct
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from tests.listening import listening

FAULTS = ("unavailable", "reset", "lost answer", "cut answer")
HOP = {"connection", "transfer-encoding", "keep-alive"}


class FaultyProxy:
    """Where the proxy listens, and what came and was done so far.

    Args:
        target: URL of the server behind it.
        share: Of the requests that fail, 0 to 1; may be changed at any time.
        seed: Which of them, and how.
    """

    def __init__(self, target: str, share: float, seed: int) -> None:
        self.target = urlsplit(target).netloc
        self.share = share
        self.counts: Counter[str] = Counter()
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.busiest = 0
        self._random = random.Random(seed)
        self._lock = threading.Lock()
        self._busy = 0
        self.url = ""

    @contextmanager
    def noting(self, path: str, headers: Mapping[str, str]) -> Iterator[None]:
        """Note a request, and how many there are at a time."""
        with self._lock:
            self.requests.append((path, {name.lower(): value for name, value in headers.items()}))
            self._busy += 1
            self.busiest = max(self.busiest, self._busy)
        try:
            yield
        finally:
            with self._lock:
                self._busy -= 1

    def fault(self) -> str | None:
        """How the next request fails, None where it does not."""
        with self._lock:
            kind = self._random.choice(FAULTS) if self._random.random() < self.share else None
            self.counts[kind or "served"] += 1
            return kind

    @property
    def failed(self) -> int:
        """Requests that were failed."""
        return sum(self.counts[kind] for kind in FAULTS)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    proxy: FaultyProxy

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except (ConnectionError, TimeoutError):
            self.close_connection = True

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def _serve(self) -> None:
        with self.proxy.noting(self.path, self.headers):  # type: ignore[arg-type]
            self._served()

    def _served(self) -> None:
        body = self._body()
        fault = self.proxy.fault()
        if fault == "unavailable":
            self.send_response(503)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if fault == "reset":
            self._reset()
            return
        connection = http.client.HTTPConnection(self.proxy.target, timeout=60)
        try:
            connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() not in HOP:
                    connection.putheader(name, value)
            if body is not None and "content-length" not in self.headers:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            answer = connection.getresponse()
            data = answer.read()
            if fault == "lost answer":
                self._reset()
                return
            self._pass_on(answer, data, cut=fault == "cut answer")
        finally:
            connection.close()

    def _body(self) -> bytes | None:
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            pieces = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                pieces.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(pieces)
        length = self.headers.get("Content-Length")
        return None if length is None else self.rfile.read(int(length))

    def _pass_on(self, answer: http.client.HTTPResponse, data: bytes, *, cut: bool) -> None:
        self.send_response_only(answer.status, answer.reason)
        for name, value in answer.getheaders():
            if name.lower() not in HOP | {"content-length"}:
                self.send_header(name, value)
        length = answer.getheader("Content-Length") if self.command == "HEAD" else str(len(data))
        if length is not None and answer.status != 204:
            self.send_header("Content-Length", length)
        self.end_headers()
        if cut and data:
            self.wfile.write(data[: len(data) // 2])
            self.wfile.flush()
            self._reset()
        else:
            self.wfile.write(data)

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _serve  # noqa: N815


class _Server(ThreadingHTTPServer):
    request_queue_size = 128

    def shutdown_request(self, request: Any) -> None:
        request.close()  # without the goodbye that would turn a reset into an end


@contextmanager
def faulty_proxy(target: str, share: float = 0.2, seed: int = 0) -> Iterator[FaultyProxy]:
    """Run a proxy in threads of this process until the block ends."""
    proxy = FaultyProxy(target, share, seed)
    handler = type("Handler", (_Handler,), {"proxy": proxy})
    server = _Server(("127.0.0.1", 0), handler)
    proxy.url = f"http://127.0.0.1:{server.server_address[1]}"
    with listening(server):
        yield proxy
