from __future__ import annotations

import asyncio
import ssl
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from atlas_core.errors import DependencyError, InputError
from atlas_core.ledger import Ledger, Worker
from atlas_core.redis_client import address_of, broker_settings, connect, connect_async
from atlas_core.settings import Settings
from tests.redises import PASSWORD, QUOTED, redises


@pytest.mark.parametrize(
    ("url", "broker"),
    [
        ("redis://broker:6379/2", {"broker_url": "redis://broker:6379/2", "broker_transport_options": {}}),
        ("redis://[::1]", {"broker_url": "redis://[::1]:6379/0", "broker_transport_options": {}}),
        (
            "rediss://atlas:p%2Fw%3A@broker:6390/0?ssl_ca_certs=/ca.pem",
            {
                "broker_url": "rediss://atlas:p%2Fw%3A@broker:6390/0",
                "broker_transport_options": {},
                "broker_use_ssl": {"ssl_cert_reqs": ssl.CERT_REQUIRED, "ssl_ca_certs": "/ca.pem"},
            },
        ),
        (
            "redis+sentinel://:pw@one,two:26380/mymaster/3?sentinel_password=other",
            {
                "broker_url": "sentinel://:pw@one:26379/3;sentinel://:pw@two:26380/3",
                "broker_transport_options": {
                    "master_name": "mymaster",
                    "sentinel_kwargs": {"socket_connect_timeout": 3, "socket_timeout": 10, "password": "other"},
                },
            },
        ),
        (
            "unix:///run/redis.sock?db=1",
            {"broker_url": "redis+socket:///run/redis.sock?virtual_host=1", "broker_transport_options": {}},
        ),
    ],
    ids=["plain", "ipv6", "tls-and-user", "sentinels", "socket"],
)
def test_celery_is_told_of_the_same_redis(url: str, broker: dict[str, Any]) -> None:
    assert broker_settings(url) == broker


def test_tls_goes_to_the_sentinels_too() -> None:
    address = address_of("rediss+sentinel://atlas:pw@one:26379/main?ssl_ca_certs=/ca.pem&sentinel_username=watch")
    assert address.options == {"username": "atlas", "password": "pw", "db": 0, "ssl": True, "ssl_ca_certs": "/ca.pem"}
    assert (address.sentinels, address.master) == ((("one", 26379),), "main")
    assert address.sentinel_options == {"username": "watch", "ssl": True, "ssl_ca_certs": "/ca.pem"}


@pytest.mark.parametrize(
    "url",
    ["http://secret@broker", "redis+sentinel://secret@one:26379", "redis+sentinel://secret@/main",
     "redis://secret@one:port", "redis+sentinel://secret@one:26379/main/0/1"],
)  # fmt: skip
def test_a_wrong_url_is_refused_without_being_told(url: str) -> None:
    with pytest.raises(InputError, match="ATLAS_REDIS_URL") as caught:
        address_of(url)
    assert "secret" not in str(caught.value)


def test_a_setting_that_is_no_redis_is_refused_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATLAS_REDIS_URL", "amqp://user:secret@broker")
    with pytest.raises(ValidationError, match="redis_url") as caught:
        Settings()
    assert "secret" not in str(caught.value)


def test_tls_and_a_user_of_the_access_list(tmp_path: Path) -> None:
    with redises(tmp_path) as servers:
        port, _ = servers.start()
        url = servers.url(port)
        with connect(url) as client:
            ledger = Ledger(client)
            ledger.beat(Worker("w", ("cpu",), 1), 10)
            assert ledger.workers() == [Worker("w", ("cpu",), 1)]
        for wrong in (url.replace("rediss", "redis"), url.partition("?")[0], url.replace("atlas:", "other:")):
            with connect(wrong) as client, pytest.raises(DependencyError, match="cannot be reached"):
                Ledger(client).ping()

        async def beside() -> bytes | str | None:
            async with connect_async(url) as client:
                await client.set("name", "atlas")
                found: bytes | str | None = await client.get("name")
            await asyncio.sleep(0.2)  # in which TLS says goodbye
            return found

        with ThreadPoolExecutor(1) as pool:  # a browser's tests leave a loop running in the main thread
            assert pool.submit(asyncio.run, beside()).result() == b"atlas"


def test_a_client_that_is_closed_leaves_its_sentinels_too(tmp_path: Path) -> None:
    with redises(tmp_path) as servers, ThreadPoolExecutor(1) as pool:
        main, _ = servers.start()
        port, _ = servers.start(f"sentinel monitor main 127.0.0.1 {main} 1", "sentinel auth-user main atlas",
                                f'sentinel auth-pass main "{PASSWORD}"', sentinel=True)  # fmt: skip
        url = (f"rediss+sentinel://atlas:{QUOTED}@127.0.0.1:{port}/main/0?ssl_ca_certs={servers.authority}"
               f"&sentinel_username=atlas&sentinel_password={QUOTED}")  # fmt: skip
        with connect(servers.url(port)) as watching:

            def others() -> int:
                return len(watching.client_list()) - 1

            async def beside() -> tuple[int, int]:
                async with connect_async(url) as client:
                    assert await client.ping()
                    during = others()
                deadline = time.monotonic() + 5  # in which TLS says goodbye
                while others() and time.monotonic() < deadline:
                    await asyncio.sleep(0.02)
                return during, others()

            assert pool.submit(asyncio.run, beside()).result() == (1, 0)
