"""A Redis that never hangs, and whose being down is one of our errors."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import redis
from redis.backoff import ExponentialBackoff
from redis.retry import Retry

from atlas_core.errors import DependencyError

if TYPE_CHECKING:
    from collections.abc import Iterator


def connect(url: str, *, decode: bool = True) -> redis.Redis:
    """A client of a Redis that never hangs: every wait is bounded. It gives text, or bytes where not to decode."""
    retry = Retry(ExponentialBackoff(cap=0.2, base=0.05), 2)
    return redis.Redis.from_url(url, decode_responses=decode, socket_connect_timeout=3, socket_timeout=10, retry=retry)


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
