from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from atlas_core.errors import DependencyError
from atlas_core.meters import FAMILIES, LONG, Meters, Total
from atlas_core.redis_client import connect
from tests.service.stack import OwnRedis


@pytest.fixture
def pair(redis_server: str) -> Iterator[tuple[Meters, Meters]]:
    """Of two processes."""
    with connect(redis_server) as client:
        client.flushall()
        yield Meters(client), Meters(client)


def test_processes_count_together(pair: tuple[Meters, Meters]) -> None:
    first, second = pair
    first.count("atlas_icons_total", "vivid", by=40)
    second.count("atlas_icons_total", "vivid", by=2)
    second.count("atlas_icons_total", "fast")
    for meters in pair:
        meters.flush()
        meters.flush()  # nothing twice
    assert first.totals()["atlas_icons_total"] == [Total(("fast",), 1), Total(("vivid",), 42)]
    assert set(first.totals()) == set(FAMILIES)


def test_a_value_falls_into_the_first_bucket_that_is_not_below_it(pair: tuple[Meters, Meters]) -> None:
    meters, other = pair
    for seconds in (0.1, 0.2, 0.5, 601):
        meters.observe("atlas_chunk_seconds", seconds, "render")
    meters.close()
    (total,) = other.totals()["atlas_chunk_seconds"]
    assert LONG[:2] == (0.1, 0.5)
    assert total.labels == ("render",)
    assert total.buckets == (1, 2, *[0] * (len(LONG) - 2), 1)
    assert total.value == pytest.approx(601.8)


def test_threads_lose_nothing(pair: tuple[Meters, Meters]) -> None:
    meters, _ = pair

    def count() -> None:
        for _ in range(500):
            meters.count("atlas_icons_total", "fast")
            meters.flush()

    threads = [threading.Thread(target=count) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert meters.totals()["atlas_icons_total"] == [Total(("fast",), 1000)]


def test_what_is_counted_while_redis_is_down_is_handed_over_later(tmp_path: Path) -> None:
    with OwnRedis(tmp_path) as server, connect(server.url) as client:
        meters = Meters(client)
        server.stop()
        meters.count("atlas_icons_total", "fast", by=3)
        with pytest.raises(DependencyError):
            meters.flush()
        server.start()
        meters.flush()
        assert meters.totals()["atlas_icons_total"] == [Total(("fast",), 3)]


def test_what_a_dropped_atlas_counted_is_forgotten(pair: tuple[Meters, Meters]) -> None:
    meters, _ = pair
    for atlas in ("a" * 64, "b" * 64):
        meters.count("atlas_novelty_images_total", atlas, "rare")
    meters.flush()
    meters.forget("a" * 64)
    assert meters.totals()["atlas_novelty_images_total"] == [Total(("b" * 64, "rare"), 1)]
