"""Bytes over a socket as no HTTP client would send them."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterable
from typing import Any, NamedTuple
from urllib.parse import urlsplit


class Raw(NamedTuple):
    """What came back until the service closed the connection; status 0 where it said nothing."""

    status: int
    problem: dict[str, Any]
    seconds: float


def send(url: str, pieces: Iterable[bytes], *, pause: float = 0.0, patience: float = 20.0) -> Raw:
    """Send pieces with pauses until they are all sent or the service has had enough, and read what it says.

    Args:
        url: Of the service.
        pieces: What to send.
        pause: Seconds after each.
        patience: That are waited for an answer.
    """
    parts = urlsplit(url)
    began = time.monotonic()
    with socket.create_connection((parts.hostname, parts.port), timeout=patience) as line:
        try:
            for piece in pieces:
                line.sendall(piece)
                if pause and _answered(line, pause):
                    break
        except (BrokenPipeError, ConnectionResetError):
            pass
        data = all_of(line)
    head, _, body = data.partition(b"\r\n\r\n")
    status = int(head.split()[1]) if head else 0
    return Raw(status, json.loads(body) if body.startswith(b"{") else {}, time.monotonic() - began)


def _answered(line: socket.socket, seconds: float) -> bool:
    patience = line.gettimeout()
    line.settimeout(seconds)
    try:
        line.recv(1, socket.MSG_PEEK)
    except TimeoutError:
        return False
    finally:
        line.settimeout(patience)
    return True


def all_of(line: socket.socket) -> bytes:
    """What comes until the service closes the connection."""
    data = b""
    try:
        while piece := line.recv(1 << 16):
            data += piece
    except ConnectionResetError:
        pass
    return data
