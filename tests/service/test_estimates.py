"""What an atlas would take, before it is made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi.testclient import TestClient

from atlas_client.cli import run
from atlas_core.ledger import Worker
from atlas_core.plan import STAGES
from service.main import create_app
from service.settings import ServiceSettings
from tests.service.test_main import request_of, services

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.service.conftest import Followed, Live


def test_the_estimate_counts_what_was_then_done(followed: Followed) -> None:
    told = followed.estimate
    assert told["id"] == followed.job["id"]
    totals = {stage: counts["total"] for stage, counts in followed.job["progress"].items()}
    assert {stage: (counts["total"], counts["done"]) for stage, counts in told["stages"].items()} == {
        stage: (total, 0) for stage, total in totals.items()
    }
    assert told["chunks"] == sum(totals.values())


def test_the_estimate_of_bytes_is_within_a_factor_of_two_by_what_another_job_wrote(
    live: Live, followed: Followed
) -> None:
    from atlas_core.registry import plan_of
    from atlas_core.store import open_store

    store = open_store(str(live.folder / "store"))
    records = [store.get_record(chunk.stage, chunk.key) for chunk in plan_of(store, followed.job["id"]).chunks]
    written = sum(record["cost"]["bytes"] for record in records if record is not None)
    assert followed.estimate["rates"] == "measured"
    assert written / 2 < followed.estimate["bytes"] < written * 2
    assert followed.estimate["wall_seconds"] > 0


def test_nothing_is_left_to_do_of_an_atlas_that_is_made(live: Live, followed: Followed) -> None:
    told = live.client.dry_run(followed.job["spec"])
    assert (told["chunks"], told["bytes"], told["cpu_seconds"], told["wall_seconds"]) == (0, 0, 0, 0)
    assert all(counts["done"] == counts["total"] for counts in told["stages"].values())


def test_before_any_atlas_is_made_the_figures_are_assumed_and_nothing_is_written(
    redis_server: str, tmp_path: Path
) -> None:
    settings = ServiceSettings(store_url=str(tmp_path / "store"), redis_url=redis_server)
    with TestClient(create_app(settings)) as api:
        services(api).ledger.gone(Worker("w", ("cpu", "gpu"), 2))
        body = {**request_of(api), "dry_run": True}
        before = sorted(tmp_path.rglob("*"))
        answer = api.post("/v1/atlases", json=body)
        assert (answer.status_code, answer.json()["rates"]) == (200, "assumed")
        assert (answer.json()["wall_seconds"], answer.json()["chunks"] > 0) == (None, True)
        assert sorted(tmp_path.rglob("*")) == before
        services(api).ledger.beat(Worker("w", ("cpu", "gpu"), 2), 60)
        assert api.post("/v1/atlases", json=body).json()["wall_seconds"] > 0
        assert api.post("/v1/atlases", json={**body, "levels": [0]}).status_code == 422
        services(api).ledger.gone(Worker("w", ("cpu", "gpu"), 2))


def test_the_command_says_what_an_atlas_would_take(live: Live, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["submit", "--model", live.spec["model"], "--dataset", live.spec["dataset"], "--layer", "features.7",
                 "--samples", "300", "--levels", "4", "--dry-run", "--url", live.service.url]  # fmt: skip
    before = len(live.client.atlases())
    assert run(arguments) == 0
    *stages, last = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in stages] == list(STAGES)
    assert "done in about" in last
    assert len(live.client.atlases()) == before
