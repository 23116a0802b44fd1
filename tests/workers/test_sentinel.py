"""A real worker on a Redis that Sentinels name, with TLS and users: it goes on when another server takes over."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import redis
from celery import Celery
from kombu.exceptions import OperationalError

from atlas_core.errors import DependencyError
from atlas_core.ledger import Ledger
from atlas_core.redis_client import connect, connect_async
from atlas_core.run import die_with_parent
from atlas_core.settings import Settings, celery_settings
from atlas_core.sweep import SWEEP
from tests.redises import PASSWORD, QUOTED, Redises, redises

if TYPE_CHECKING:
    from collections.abc import Callable

SECONDS = 60


def _until(what: Callable[[], bool], log: Path) -> None:
    deadline = time.monotonic() + SECONDS
    while True:
        try:
            if what():
                return
        except (DependencyError, OperationalError, redis.RedisError):  # nobody is the master at the moment
            pass
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)


def _watched(servers: Redises, port: int) -> int:
    login = ["sentinel auth-user main atlas", f'sentinel auth-pass main "{PASSWORD}"']
    return servers.start(f"sentinel monitor main 127.0.0.1 {port} 1", *login,
                         "sentinel down-after-milliseconds main 1000", "sentinel failover-timeout main 2000",
                         sentinel=True)[0]  # fmt: skip


def test_a_worker_goes_on_when_sentinel_names_another_server(tmp_path: Path) -> None:
    login = ["masteruser atlas", f'masterauth "{PASSWORD}"']
    log = tmp_path / "worker.log"
    with redises(tmp_path) as servers, ExitStack() as stack:
        first, process = servers.start(*login)
        second, _ = servers.start(f"replicaof 127.0.0.1 {first}", *login)
        sentinel = _watched(servers, first)
        with connect(servers.url(second)) as client:
            _until(lambda: client.info("replication")["master_link_status"] == "up", log)
        with connect(servers.url(sentinel)) as client:
            _until(lambda: client.execute_command("SENTINEL", "CKQUORUM", "main").startswith("OK")
                   and client.sentinel_master("main")["num-slaves"] == 1, log)  # fmt: skip
        url = (f"rediss+sentinel://atlas:{QUOTED}@127.0.0.1:{sentinel}/main/0?ssl_ca_certs={servers.authority}"
               f"&sentinel_username=atlas&sentinel_password={QUOTED}")  # fmt: skip
        settings = Settings(redis_url=url, store_url=str(tmp_path / "store"))
        producer = Celery("test", set_as_current=False)
        producer.config_from_object(celery_settings(settings))
        environment = {**os.environ, "ATLAS_REDIS_URL": url, "ATLAS_STORE_URL": settings.store_url,
                       "ATLAS_BEAT_SECONDS": "0.2", "REMAP_SIGTERM": "SIGQUIT"}  # fmt: skip
        command = [sys.executable, "-P", "-m", "celery", "-A", "workers.app", "worker", "-Q", "cpu", "-c", "1"]
        with log.open("wb") as output, connect(url) as client:
            worker = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=output, stderr=output,
                                      preexec_fn=die_with_parent)  # fmt: skip
            stack.callback(worker.kill)
            ledger = Ledger(client)

            def sweeps() -> bool:
                """Whether the worker takes a sweep off its queue, which notes when."""
                producer.send_task(SWEEP, queue="cpu", retry=False)
                return bool(client.exists("atlas:once:swept"))

            _until(lambda: len(ledger.workers()) == 1, log)
            _until(sweeps, log)
            process.kill()
            process.wait()
            with connect(servers.url(second)) as other:
                _until(lambda: other.info("replication")["role"] == "master", log)
                other.delete("atlas:once:swept")
                _until(lambda: len(ledger.workers()) == 1 and sweeps(), log)

            async def beside() -> bool:
                async with connect_async(url) as here:
                    answered = bool(await here.ping())
                await asyncio.sleep(0.2)  # in which TLS says goodbye
                return answered

            with ThreadPoolExecutor(1) as threads:  # a browser's tests leave a loop running in the main thread
                assert threads.submit(asyncio.run, beside()).result()
            worker.terminate()
            assert worker.wait(SECONDS) == 0
        producer.close()
