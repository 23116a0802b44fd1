"""Requests that leave the deployment, to addresses that users name: only where the operator allows, and bounded.

A user who can have the service call any address can reach what only the service can: the cloud's metadata, databases,
its own Redis. So the host must be on the operator's list; its name is resolved once, every address is checked, and the
connection goes to an address that was checked and not to the name, which may have been given another one meanwhile.
Redirects are not followed, and of the answer only the status and `Retry-After` are read.
"""

from __future__ import annotations

import http.client
import ipaddress
import os
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

from atlas_core.errors import AtlasError, InputError

Address = IPv4Address | IPv6Address
PORTS = {"https": 443, "http": 80}
MOST_CHARACTERS = 2000
NAT64 = IPv6Network("64:ff9b::/96")


class UndeliveredError(AtlasError):
    """A request that got no answer."""

    slug = "undelivered"


@dataclass(frozen=True)
class Allowed:
    """Where requests may go.

    Attributes:
        hosts: Names or addresses, `*.` in front for all below a name; `:port` behind where another port than the
            scheme's own is meant, `:*` for any.
        networks: In CIDR notation, beyond the public addresses.
        http: Whether also without TLS to others than this machine.
    """

    hosts: tuple[str, ...] = ()
    networks: tuple[IPv4Network | IPv6Network, ...] = field(default=())
    http: bool = False


class Answer(NamedTuple):
    """What is read of an answer: its status, and the seconds of its `Retry-After`, None without one."""

    status: int
    retry_after: float | None


@dataclass(frozen=True)
class Target:
    """A URL that may be called, in its parts."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """Host and, where it is not the scheme's own, port, as the `Host` header says them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"


def target_of(url: str, allowed: Allowed) -> Target:
    """Take a URL apart and check that the operator allows its host.

    Raises:
        InputError: It is no URL, or none that may be called; says what the operator can do.
    """
    parts, port = _parts(url)
    host = (parts.hostname or "").rstrip(".")
    port = PORTS[parts.scheme] if port is None else port
    if not any(_matches(entry, host, port, PORTS[parts.scheme]) for entry in allowed.hosts):
        raise InputError(
            f"this service may not call {host}:{port}; have the operator add it to ATLAS_WEBHOOK_HOSTS", pointer="/url"
        )
    if parts.scheme == "http" and not allowed.http and not _loopback(host):
        raise InputError(
            "the URL must begin with https://; without TLS only this machine is called, unless the operator sets "
            "ATLAS_WEBHOOK_HTTP", pointer="/url",
        )  # fmt: skip
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(parts.scheme, host, port, path)


def _parts(url: str) -> tuple[SplitResult, int | None]:
    if len(url) > MOST_CHARACTERS or not all("!" <= character <= "~" for character in url) or "\\" in url:
        raise InputError(f"the URL must be at most {MOST_CHARACTERS:,} visible ASCII characters", pointer="/url")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise InputError("this is no URL; write it as https://host/path", pointer="/url") from None
    if parts.scheme not in PORTS or not parts.hostname or port == 0:
        raise InputError("this is no URL that can be called; write it as https://host/path", pointer="/url")
    if "@" in parts.netloc or parts.fragment:
        raise InputError("the URL may hold neither a user nor a fragment; use the signature instead", pointer="/url")
    return parts, port


def _matches(entry: str, host: str, port: int, usual: int) -> bool:
    name, colon, wanted = entry.strip().lower().rpartition(":")
    if not colon or (":" in name and not name.endswith("]")):  # no port behind it, or an IPv6 address without brackets
        name, wanted = entry.strip().lower(), str(usual)
    if wanted not in ("*", str(port)):
        return False
    name = name.strip("[]").rstrip(".")
    return host.endswith(name[1:]) if name.startswith("*.") else host == name


def _loopback(host: str) -> bool:
    literal = _literal(host)
    return host == "localhost" or (literal is not None and literal.is_loopback)


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def is_public(address: Address) -> bool:
    """Whether an address belongs to the public internet, also where it wraps another one."""
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if address in NAT64:
            inner = IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(inner)
        if address.teredo is not None or address.is_site_local:
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def addresses_of(target: Target, allowed: Allowed) -> list[Address]:
    """Addresses of a target that may be called, in the resolver's order.

    Raises:
        UndeliveredError: The name has none, or none that may be called.
    """
    try:
        found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise UndeliveredError(f"the name {target.host} has no address") from None
    every = [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
    open_to_us = [address for address in every if _may_call(target.host, address, allowed)]
    if not open_to_us:
        raise UndeliveredError(
            f"{target.host} has no public address; the operator can allow others by ATLAS_WEBHOOK_NETWORKS"
        )
    return open_to_us


def _may_call(host: str, address: Address, allowed: Allowed) -> bool:
    if is_public(address) or any(address in network for network in allowed.networks):
        return True
    # The host is on the operator's list, so this very address, or this machine, was named on purpose.
    return _literal(host) == address or (host == "localhost" and address.is_loopback)


class _Connection(http.client.HTTPConnection):
    """To an address that was checked, whatever the name resolves to by now."""

    def __init__(self, target: Target, addresses: Sequence[Address], seconds: float) -> None:
        super().__init__(target.host, target.port, timeout=seconds)
        self._target = target
        self._addresses = addresses
        self._seconds = seconds

    def connect(self) -> None:
        """Connect to the first of the addresses that answers."""
        deadline = time.monotonic() + self._seconds
        for address in self._addresses[:-1]:
            with suppress(OSError):
                self._reach(address, deadline)
                return
        self._reach(self._addresses[-1], deadline)

    def _reach(self, address: Address, deadline: float) -> None:
        self.sock = socket.create_connection((str(address), self.port), max(0.001, deadline - time.monotonic()))
        self.sock.settimeout(self._seconds)

    def secure(self) -> None:
        """Speak TLS from here on, where the URL says so."""
        if self._target.scheme == "https":
            context = ssl.create_default_context()
            self.sock = context.wrap_socket(self.sock, server_hostname=self._target.host)


def post(url: str, body: bytes, headers: Mapping[str, str], allowed: Allowed, seconds: float) -> Answer:
    """POST a body; of the answer only its status and `Retry-After` are read.

    Args:
        url: Where to.
        body: What.
        headers: Beside `Host` and `Content-Length`.
        allowed: Where requests may go; asked each time, so that what the operator withdraws counts at once.
        seconds: For the connection, and again for the request and its answer.

    Raises:
        InputError: The URL may not be called.
        UndeliveredError: Nobody answered in time, or not in HTTP.
    """
    target = target_of(url, allowed)
    connection = _Connection(target, addresses_of(target, allowed), seconds)
    try:
        connection.connect()
        with _ended_after(connection.sock, seconds) as over:
            try:
                connection.secure()
                connection.request("POST", target.path, body, {**headers, "Host": target.authority})
                return _answer(connection.getresponse())
            except (OSError, http.client.HTTPException):
                if over.is_set():
                    raise TimeoutError from None
                raise
    except TimeoutError:
        raise UndeliveredError(f"no answer within {seconds:g} s") from None
    except ssl.SSLError as error:
        raise UndeliveredError(f"no TLS connection: {error.reason or type(error).__name__}") from None
    except (OSError, http.client.HTTPException) as error:
        raise UndeliveredError(f"no answer in HTTP ({type(error).__name__})") from None
    finally:
        connection.close()


def _answer(response: http.client.HTTPResponse) -> Answer:
    after = response.headers.get("Retry-After", "").strip()
    return Answer(response.status, float(after) if after.isascii() and after.isdigit() else None)


@contextmanager
def _ended_after(connection: socket.socket, seconds: float) -> Iterator[threading.Event]:
    """End a connection after so many seconds, however the other side spreads its bytes over them."""
    over = threading.Event()
    # A descriptor of its own: TLS takes the first one over, and a closed one's number may be given to another.
    with socket.socket(fileno=os.dup(connection.fileno())) as same:

        def end() -> None:
            over.set()
            try:
                same.shutdown(socket.SHUT_RDWR)
            except OSError:
                return  # it has ended by itself

        timer = threading.Timer(seconds, end)
        timer.daemon = True
        timer.start()
        try:
            yield over
        finally:
            timer.cancel()
            timer.join()
