from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest
from celery import Celery

from atlas_core.ledger import Worker
from atlas_core.redis_client import connect
from atlas_core.settings import Settings, celery_settings
from workers.parent import Keeper, ledger_of


@pytest.fixture
def settings(redis_server: str) -> Settings:
    with connect(redis_server) as client:
        client.flushall()
    return Settings(redis_url=redis_server, lease_seconds=0.5, beat_seconds=0.1)


@pytest.fixture
def keeper(settings: Settings) -> Keeper:
    app = Celery("test", set_as_current=False)
    app.config_from_object(celery_settings(settings))
    return Keeper(app, Worker("here", ("cpu", "gpu"), 2), settings)


def test_a_living_childs_lease_outlives_its_first_term(keeper: Keeper, settings: Settings) -> None:
    ledger = ledger_of(settings)
    ledger.lease("a", "token", "here", os.getpid())
    keeper.start()
    time.sleep(1)
    assert ledger.queue(["a"]) == []
    assert ledger.workers() == [Worker("here", ("cpu", "gpu"), 2)]
    keeper.stop()
    assert ledger.workers() == []
    assert ledger.states(["a"])[0].state == "waiting"


def test_a_dead_childs_chunk_is_given_back_at_the_next_beat(keeper: Keeper, settings: Settings) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        child.wait()
    ledger = ledger_of(settings)
    ledger.lease("a", "token", "here", child.pid)
    keeper.beat()
    found = ledger.states(["a"])[0]
    assert (found.state, found.attempts) == ("waiting", 1)
    assert ledger.leases_of("here") == {}


def test_one_sweep_is_asked_for_until_it_has_run(keeper: Keeper, settings: Settings) -> None:
    keeper.beat()
    keeper.beat()
    with connect(settings.redis_url) as client:
        assert client.llen("cpu") == 1
        ledger_of(settings).again("sweep")
        keeper.beat()
        assert client.llen("cpu") == 2
