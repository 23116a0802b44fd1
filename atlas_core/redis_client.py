"""A Redis that never hangs, and whose being down is one of our errors: one server, with TLS, or found by Sentinels."""

from __future__ import annotations

import ssl
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote, unquote, urlsplit

import redis
import redis.asyncio
import redis.asyncio.sentinel
import redis.sentinel
from redis.backoff import ExponentialBackoff
from redis.connection import parse_url
from redis.retry import Retry

from atlas_core.errors import DependencyError, InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

SENTINEL = "+sentinel"
SENTINEL_PORT = 26379
REDIS_URL = rf"^(rediss?(\{SENTINEL})?|unix)://.+"
CONNECT_SECONDS = 3
WAITS = {"socket_connect_timeout": CONNECT_SECONDS, "socket_timeout": 10}


class Address(NamedTuple):
    """Where a Redis is.

    Attributes:
        options: How redis-py connects to it: host, port, db, username, password, ssl…
        sentinels: Host and port of each Sentinel that knows the server; none where the options name it.
        master: What the Sentinels call it.
        sentinel_options: How redis-py connects to these.
    """

    options: dict[str, Any]
    sentinels: tuple[tuple[str, int], ...] = ()
    master: str = ""
    sentinel_options: dict[str, Any] = {}  # noqa: RUF012  a tuple's default


def address_of(url: str) -> Address:
    """Read the URL of a Redis.

    Args:
        url: `redis://user:password@host:port/db`, `rediss://…` with TLS, `unix://…`, or by its Sentinels
            `redis+sentinel://user:password@host:port,host:port/MASTER/db` and `rediss+sentinel://…`; options of
            redis-py, such as `ssl_ca_certs`, behind a `?`. Those of Sentinels are `sentinel_username` and
            `sentinel_password`.

    Raises:
        InputError: It is no such URL. The text holds nothing of it, for it may hold a password.
    """
    scheme, _, rest = url.partition("://")
    try:
        if scheme.endswith(SENTINEL):
            return _by_sentinels(scheme.removesuffix(SENTINEL), rest)
        options: dict[str, Any] = dict(parse_url(url))  # type: ignore[no-untyped-call]
        if options.pop("connection_class", None) is redis.SSLConnection:
            options["ssl"] = True
        return Address(options)
    except ValueError as error:
        raise InputError("the URL of a Redis is redis://host:port/db, rediss://… with TLS, unix://… or "
                         "redis+sentinel://host:port,host:port/MASTER/db; check ATLAS_REDIS_URL and ATLAS_CACHE_URL"
                         ) from error  # fmt: skip


def _by_sentinels(scheme: str, rest: str) -> Address:
    parts = urlsplit(f"//{rest}")
    names = parts.path.strip("/").split("/")
    if not names[0] or len(names) > 2:
        raise ValueError("no master")
    credentials, _, hosts = parts.netloc.rpartition("@")
    plain = f"{credentials}@" if credentials else ""
    # The options of a server are read by redis-py as if one of the Sentinels were it.
    options = address_of(
        f"{scheme}://{plain}host/{''.join(names[1:]) or 0}{'?' * bool(parts.query)}{parts.query}"
    ).options
    sentinel_options = {name.removeprefix("sentinel_"): options.pop(name)
                        for name in ("sentinel_username", "sentinel_password") if name in options}  # fmt: skip
    sentinel_options |= {name: value for name, value in options.items() if name.startswith("ssl")}
    del options["host"]
    return Address(options, tuple(map(_host_and_port, hosts.split(","))), unquote(names[0]), sentinel_options)


def _host_and_port(text: str) -> tuple[str, int]:
    parts = urlsplit(f"//{text}")
    if parts.hostname is None:
        raise ValueError("no host")
    return parts.hostname, parts.port or SENTINEL_PORT


class _Pool(redis.asyncio.sentinel.SentinelConnectionPool):
    """Closes the connections to its Sentinels with its own, which redis-py leaves open."""

    async def aclose(self) -> None:
        await super().aclose()
        for sentinel in self.sentinel_manager.sentinels:
            await sentinel.aclose()


def connect(url: str, *, decode: bool = True, **options: Any) -> redis.Redis:
    """A client of a Redis that never hangs: every wait is bounded. It gives text, or bytes where not to decode."""
    address = address_of(url)
    retry = Retry(ExponentialBackoff(cap=0.2, base=0.05), 2)
    options = {"decode_responses": decode, "retry": retry, **WAITS, **address.options, **options}
    client: redis.Redis = _client(redis, redis.sentinel, address, options, redis.sentinel.SentinelConnectionPool)
    return client


def connect_async(url: str, **options: Any) -> redis.asyncio.Redis:
    """The same for an event loop; it gives bytes unless told to decode, and does not try again."""
    address = address_of(url)
    options = {**WAITS, **address.options, **options}
    client: redis.asyncio.Redis = _client(redis.asyncio, redis.asyncio.sentinel, address, options, _Pool)
    return client


def _client(library: Any, sentinel: Any, address: Address, options: dict[str, Any], pool: type[Any]) -> Any:
    """A client of one of redis-py's two libraries, for threads and for an event loop."""
    if address.sentinels:
        found = sentinel.Sentinel(address.sentinels, sentinel_kwargs={**WAITS, **address.sentinel_options})
        return found.master_for(address.master, connection_pool_class=pool, **options)
    if "path" in options:
        options["unix_socket_path"] = options.pop("path")
    return library.Redis(**options)


def broker_settings(url: str) -> dict[str, Any]:
    """How Celery reaches the same Redis: `broker_url`, `broker_use_ssl` and what Sentinels need of the transport."""
    address = address_of(url)
    options = address.options
    if "path" in options:
        return {"broker_url": f"redis+socket://{options['path']}?virtual_host={options.get('db', 0)}",
                "broker_transport_options": {}}  # fmt: skip
    user, password = (quote(options.get(name) or "", safe="") for name in ("username", "password"))
    credentials = f"{user}:{password}@" if user or password else ""
    hosts = address.sentinels or ((options.get("host", "localhost"), options.get("port", 6379)),)
    scheme = "sentinel" if address.sentinels else "rediss" if options.get("ssl") else "redis"
    places = (f"{scheme}://{credentials}{_in_brackets(host)}:{port}/{options.get('db', 0)}" for host, port in hosts)
    transport: dict[str, Any] = {}
    if address.sentinels:
        transport = {"master_name": address.master, "sentinel_kwargs": {**WAITS, **address.sentinel_options}}
    settings = {"broker_url": ";".join(places), "broker_transport_options": transport}
    if options.get("ssl"):
        secured = {name: value for name, value in options.items() if name.startswith("ssl_")}
        settings["broker_use_ssl"] = {"ssl_cert_reqs": ssl.CERT_REQUIRED, **secured}
    return settings


def _in_brackets(host: str) -> str:
    return f"[{host}]" if ":" in host else host


@contextmanager
def reaching_redis() -> Iterator[None]:
    """Turn a Redis that is down into our error.

    Raises:
        DependencyError: It cannot be reached.
    """
    try:
        yield
    except redis.RedisError as error:
        raise DependencyError(
            f"Redis cannot be reached ({type(error).__name__}); try again in a few seconds"
        ) from error
