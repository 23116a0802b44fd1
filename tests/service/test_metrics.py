"""What /metrics of a live service tells, by the numbers of its own atlas."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
from prometheus_client.parser import text_string_to_metric_families

from atlas_core.meters import FAMILIES
from service.main import create_app
from service.settings import ServiceSettings
from tests.service.serving import serving
from tests.service.stack import OwnRedis
from tests.service.told import told, until

if TYPE_CHECKING:
    from tests.service.conftest import Live


def test_counts_are_those_of_the_atlas_that_was_made(live: Live) -> None:
    total = sum(stage["total"] for stage in live.atlas["progress"].values())
    values = until(live.service.url, lambda values: values["atlas_cache_total", "chunks", "miss"] >= total)
    rendered = live.atlas["progress"]["render"]["total"]
    assert values["atlas_chunk_seconds_count", "render"] >= rendered
    assert values["atlas_chunk_seconds_bucket", "+Inf", "render"] == values["atlas_chunk_seconds_count", "render"]
    assert values["atlas_chunk_seconds_sum", "collect"] > 0
    cells = sum(level["cells"] for layer in live.atlas["manifest"]["layers"].values() for level in layer["levels"])
    assert values["atlas_icons_total", "fast"] >= cells
    assert values["atlas_jobs_submitted_total", "atlas"] >= values["atlas_jobs_ended_total", "atlas", "succeeded"] >= 1
    assert values["atlas_queue_wait_seconds_count", "gpu"] >= rendered


def test_every_process_tells_the_same_of_all(live: Live, cards: Path) -> None:
    image = cards / "pictures" / "dots" / "00.png"
    before = told(live.service.url)
    live.client.project(live.atlas["id"], image)
    live.client.project(live.atlas["id"], image)

    def counted(name: str, *labels: str) -> float:
        return values.get((name, *labels), 0) - before.get((name, *labels), 0)

    route = "/v1/atlases/{atlas}/projections"
    requests = ("atlas_http_requests_total", route, "200", "POST")
    values = until(live.service.url, lambda values: values.get(requests, 0) >= before.get(requests, 0) + 2)
    assert counted("atlas_cache_total", "hit", "projections") >= 1
    assert counted("atlas_http_request_seconds_count", route, "POST") >= 2
    assert values["atlas_projection_seconds_count",] >= 1
    assert not any(live.atlas["id"] in route for name, *labels in values if "http" in name for route in labels)


def test_gauges_of_a_service_at_rest(live: Live) -> None:
    values = until(live.service.url, lambda values: all(
        values["atlas_queue_work", queue] == 0 for queue in ("interactive", "cpu", "gpu")))  # fmt: skip
    for queue in ("interactive", "cpu", "gpu"):
        assert values["atlas_queue_depth", queue] == values["atlas_queue_age_seconds", queue] == 0
        assert values["atlas_worker_processes", queue] >= 1
    assert values["atlas_running_chunks", "render"] == 0
    assert values["atlas_dependency_up", "redis"] == values["atlas_dependency_up", "store"] == 1


def test_without_redis_it_says_so(tmp_path: Path) -> None:
    with OwnRedis(tmp_path) as server:
        app = create_app(ServiceSettings(store_url=str(tmp_path / "store"), redis_url=server.url))
        with serving(app) as url:
            assert told(url)["atlas_dependency_up", "redis"] == 1
            server.stop()
            values = told(url)
            assert values["atlas_dependency_up", "redis"] == 0
            assert values["atlas_dependency_up", "store"] == 1
            assert {name for name, *_ in values} == {"atlas_dependency_up"}
            server.start()
            text = httpx.get(f"{url}/metrics").text
            assert {family.name for family in text_string_to_metric_families(text)} >= {
                name.removesuffix("_total") for name in FAMILIES
            }


def test_whatever_dashboard_and_alerts_ask_for_is_told(live: Live) -> None:
    helm = Path(__file__).parents[2] / "helm"
    text = "".join(path.read_text() for part in ("alerts/*.yaml", "dashboards/*.json") for path in helm.glob(part))
    asked = {re.sub("_(bucket|count|sum)$", "", name) for name in re.findall(r"\batlas_\w+", text)}
    told = set(re.findall(r"^# TYPE (atlas_\w+)", httpx.get(f"{live.service.url}/metrics").text, re.MULTILINE))
    assert len(asked) > 20
    assert asked <= told


def test_a_tile_of_its_digest_is_answered_and_counted_each_time(live: Live) -> None:
    tile = live.client.json("GET", live.level)["tiles"][0]
    before = told(live.service.url)
    first, second = (httpx.get(live.service.url + tile["url"], timeout=30) for _ in range(2))
    assert first.status_code == second.status_code == 200
    assert first.content == second.content
    assert hashlib.sha256(first.content).hexdigest() == tile["digest"]
    assert {first.headers["etag"], second.headers["etag"]} == {f'"{tile["digest"]}"'}
    route = "/v1/atlases/{atlas}/layers/{layer:path}/levels/{z}/tiles/{x}/{y}"
    counted = ("atlas_http_requests_total", route, "200", "GET")
    until(live.service.url, lambda values: values.get(counted, 0) >= before.get(counted, 0) + 2)
