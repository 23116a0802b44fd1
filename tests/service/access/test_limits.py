from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from atlas_core.redis_client import connect
from service.access.limits import Limits
from service.access.principal import Principal
from service.errors import TooManyError
from service.settings import ServiceSettings
from tests.service.access.conftest import in_a_loop

if TYPE_CHECKING:
    import redis

WHO, OTHER = (Principal.of(f"key:{name}", name, name, frozenset({"read"})) for name in ("a", "b"))
NOON = 86_400 * 20_000 + 43_200


class Clock:
    seconds = float(NOON)

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def client(redis_server: str) -> Iterator[redis.Redis]:
    with connect(redis_server.replace("/0", "/8")) as client:
        client.flushdb()
        yield client


def settings(redis_server: str, **changes: Any) -> ServiceSettings:
    return ServiceSettings(redis_url=redis_server.replace("/0", "/8"), **changes)


def test_requests_are_paced_by_key_and_saved_up_for_ten_seconds(redis_server: str, client: redis.Redis) -> None:
    async def ask() -> None:
        clock = Clock()
        limits = Limits(settings(redis_server, requests_per_minute=60), clock)
        for _ in range(10):
            await limits.pace(WHO)
        with pytest.raises(TooManyError, match="may ask 60 times a minute") as refused:
            await limits.pace(WHO)
        assert refused.value.retry_seconds == 1
        await limits.pace(OTHER)
        clock.seconds += 1
        await limits.pace(WHO)
        with pytest.raises(TooManyError):
            await limits.pace(WHO)
        client.flushdb()  # nothing is lost but the counts
        await limits.pace(WHO)
        await limits.close()

    in_a_loop(ask())


def test_a_key_may_have_limits_of_its_own_and_none(redis_server: str, client: redis.Redis) -> None:
    async def ask() -> None:
        limits = Limits(settings(redis_server, requests_per_minute=6), Clock())
        free = Principal.of("key:c", "c", "c", frozenset({"read"}), {"requests_per_minute": 0})
        for _ in range(20):
            await limits.pace(free)
        await limits.pace(WHO)
        with pytest.raises(TooManyError) as refused:
            await limits.pace(WHO)
        assert refused.value.retry_seconds == 10
        await limits.close()

    in_a_loop(ask())


def test_nobody_waits_for_a_redis_that_is_down(free_port: int) -> None:
    async def ask() -> None:
        limits = Limits(ServiceSettings(redis_url=f"redis://127.0.0.1:{free_port}/0", requests_per_minute=1))
        for _ in range(5):
            await limits.pace(WHO)
        await limits.close()

    in_a_loop(ask())


def test_what_is_used_a_day_is_given_again_at_midnight(redis_server: str, client: redis.Redis) -> None:
    clock = Clock()
    limits = Limits(settings(redis_server, jobs_per_day=2, upload_bytes_per_day=1000), clock)
    limits.use(client, WHO, "jobs_per_day")
    limits.use(client, WHO, "jobs_per_day")
    with pytest.raises(TooManyError, match="may use 2 jobs a day") as refused:
        limits.use(client, WHO, "jobs_per_day")
    assert refused.value.retry_seconds == 43_200
    limits.use(client, OTHER, "jobs_per_day")
    limits.use(client, WHO, "upload_bytes_per_day", 600)
    with pytest.raises(TooManyError, match="1,000 upload bytes a day"):
        limits.use(client, WHO, "upload_bytes_per_day", 401)
    limits.use(client, WHO, "upload_bytes_per_day", 400)  # what was refused is not counted
    clock.seconds += 43_200
    limits.use(client, WHO, "jobs_per_day")
