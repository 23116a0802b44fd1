"""A receiver of webhooks on this machine: answers as it is told, and keeps what came."""

from __future__ import annotations

import base64
import hashlib
import hmac
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

from tests.listening import listening

SECONDS = 60.0


class Message(NamedTuple):
    """A request that came, and the status that it was answered with."""

    path: str
    headers: dict[str, str]
    body: bytes
    status: int

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    def is_signed_with(self, secret: str) -> bool:
        """Whether the signature is valid, by the text of Standard Webhooks and none of our code."""
        key = base64.b64decode(secret.split("_", 1)[1])
        signed = b".".join([self.id.encode(), self.headers["webhook-timestamp"].encode(), self.body])
        expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        signatures = [part.split(",", 1) for part in self.headers["webhook-signature"].split(" ")]
        fresh = abs(time.time() - int(self.headers["webhook-timestamp"])) < 300
        return fresh and any(kind == "v1" and hmac.compare_digest(text, expected) for kind, text in signatures)


@dataclass
class Receiver:
    """What a receiver answers, the last of several statuses again and again, and what it was sent."""

    url: str
    statuses: list[int] = field(default_factory=lambda: [204])
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    messages: list[Message] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def take(self, path: str, headers: dict[str, str], body: bytes) -> int:
        with self.changed:
            status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
            self.messages.append(Message(path, headers, body, status))
            self.changed.notify_all()
        return status

    def wait(self, count: int) -> list[Message]:
        """The messages once there are so many."""
        with self.changed:
            came = self.changed.wait_for(lambda: len(self.messages) >= count, SECONDS)
            assert came, f"{len(self.messages)} of {count} messages came within {SECONDS:.0f} s"
            return list(self.messages)


class _Handler(BaseHTTPRequestHandler):
    receiver: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        headers = {name.lower(): text for name, text in self.headers.items()}
        status = self.receiver.take(self.path, headers, body)
        time.sleep(self.receiver.seconds)
        self.send_response(status)
        for name, text in self.receiver.headers.items():
            self.send_header(name, text)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def receiving(*statuses: int, tls: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    """A receiver that answers with these statuses, the last of them again and again; over TLS where that is given."""
    handler = type("Handler", (_Handler,), {})
    http, scheme = ThreadingHTTPServer(("127.0.0.1", 0), handler), "http"
    if tls is not None:
        scheme = "https"
        http.socket = tls.wrap_socket(http.socket, server_side=True, do_handshake_on_connect=False)
    receiver = Receiver(f"{scheme}://127.0.0.1:{http.server_address[1]}/hook", list(statuses) or [204])
    handler.receiver = receiver  # type: ignore[attr-defined]
    with listening(http):
        yield receiver
