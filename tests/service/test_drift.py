"""Drift through the service: asked for over HTTP, made by a real worker, kept in series, told to Prometheus."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
import pytest
from PIL import Image

from atlas_client.cli import run
from atlas_client.concepts import histogram
from atlas_client.errors import ConflictError, InvalidError, NotFoundError
from tests.service.conftest import CLASSES, _picture
from tests.service.told import until

if TYPE_CHECKING:
    from tests.service.conftest import Live

LAYER = "features.4"


def dataset_of(live: Live, folder: Path, kinds: Sequence[int], noise: float = 0.0) -> str:
    """Register 45 new pictures of some classes, with noise over them; returns the dataset's id."""
    random = np.random.default_rng(11)
    for number in range(45):
        kind = kinds[number % len(kinds)]
        place = folder / "pictures" / CLASSES[kind] / f"{number:02d}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.asarray(_picture(kind, random), np.float64) + random.normal(0, noise, (64, 64, 3))
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(place)
    card = {
        "name": folder.name.rstrip("0123456789"),
        "source": "pictures",
        "classes": [CLASSES[kind] for kind in sorted(set(kinds))],
    }
    (folder / "dataset.json").write_text(json.dumps(card))
    dataset = str(live.client.add_dataset(folder / "dataset.json")["id"])
    live.client.wait_ready("datasets", dataset)
    return dataset


@pytest.fixture(scope="module")
def alike(live: Live, tmp_path_factory: pytest.TempPathFactory) -> str:
    return dataset_of(live, tmp_path_factory.mktemp("alike"), (0, 1, 2))


@pytest.fixture(scope="module")
def noisy(live: Live, tmp_path_factory: pytest.TempPathFactory) -> str:
    return dataset_of(live, tmp_path_factory.mktemp("noisy"), (1,), noise=60)


@pytest.fixture(scope="module")
def made(live: Live, noisy: str) -> dict[str, Any]:
    """The comparison with the noisy dataset."""
    return live.client.made_drift(live.client.drift(live.atlas["id"], noisy))


def test_drift_is_found_told_and_shown(live: Live, noisy: str, made: dict[str, Any]) -> None:
    found = made["description"]
    assert (made["kind"], made["state"], made["atlas"]) == ("drift", "succeeded", live.atlas["id"])
    assert made["request"]["dataset"] == noisy
    assert (found["verdict"], found["p"]) == ("drift", 0.001)
    assert made["digest"] == found["digest"]
    assert made["summary"]["layers"][LAYER]["cells_moved"] == len(found["layers"][LAYER]["cells"]["moved"])
    for patch in found["layers"][LAYER]["cells"]["moved"][0]["exemplars"]:
        with Image.open(io.BytesIO(live.client.picture(patch["url"]))) as picture:
            assert picture.format == "PNG"
            assert min(picture.size) > 4
    assert live.client.drift(live.atlas["id"], noisy)["id"] == made["id"]
    assert {"publish", "collect"} == set(made["progress"])


def test_a_series_is_listed_in_time_and_its_newest_told_to_prometheus(live: Live, alike: str, noisy: str) -> None:
    atlas = live.atlas["id"]
    jobs = [live.client.drift(atlas, dataset, series="nightly", detect=1.0) for dataset in (alike, noisy)]
    for job in jobs:
        live.client.made_drift(job)
    listed = live.client.all_drift(atlas, "nightly")
    assert [one["id"] for one in listed] == [job["id"] for job in jobs]
    assert [one["summary"]["verdict"] for one in listed] == ["no drift", "drift"]
    assert live.client.all_drift(atlas, "weekly") == []
    assert len(live.client.all_drift(atlas)) >= 2
    told = httpx.get(f"{live.service.url}/metrics")
    assert told.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    found = ("atlas_drift_found", *sorted([atlas, "nightly"]))
    values = until(live.service.url, lambda values: values.get(found) == 1)
    assert values["atlas_drift_p", *sorted([atlas, "nightly", LAYER])] == 0.001
    assert values["atlas_drift_images", *sorted([atlas, "nightly", "dataset"])] == 45
    ended = ("atlas_jobs_ended_total", "drift", "succeeded")
    values = until(live.service.url, lambda values: values.get(ended, 0) >= 2)
    assert values["atlas_worker_processes", "interactive"] >= 1


def test_a_command_prints_draws_and_gates(
    live: Live, alike: str, noisy: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = ["drift", live.atlas["id"], "--url", live.service.url]
    out = tmp_path / "concepts.png"
    assert run([*base, noisy, "--picture", str(out)]) == 0  # without a gate whatever was found
    said = capsys.readouterr().out
    assert "Drift: p 0.001, alpha 0.05; 45 images of noisy against 60 of patterns" in said
    assert "% of its own do (1% expected)" in said
    with Image.open(out) as picture:
        assert picture.width > 1000
    assert run([*base, noisy, "--gate", "--alpha", "0.05", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["description"]["verdict"] == "drift"
    assert run([*base, alike, "--gate", "--alpha", "0.01", "--detect", "1", "--markdown"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("**No drift: p ")
    assert "| layer | MMD² | p | q |" in said
    assert run([*base, alike, "--gate", "--alpha", "0.01", "--detect", "0.0001"]) == 3
    assert "Inconclusive" in capsys.readouterr().out
    assert run([*base, "none", "--gate", "--alpha", "0.01"]) == 4
    assert "no dataset 'none'" in capsys.readouterr().err


def test_the_histogram_shows_icons_of_a_layer(live: Live, made: dict[str, Any]) -> None:
    with Image.open(io.BytesIO(histogram(live.client, made, LAYER))) as picture:
        colours = picture.convert("RGB").getcolors(1 << 20)
    assert colours is not None
    assert len(colours) > 500  # icons, not bars alone


def test_what_cannot_be_compared_is_refused(live: Live, alike: str) -> None:
    atlas = live.atlas["id"]
    with pytest.raises(InvalidError, match="no layer 'none'"):
        live.client.drift(atlas, alike, layers=["none"])
    with pytest.raises(InvalidError, match="p is never under"):
        live.client.drift(atlas, alike, alpha=0.0001)
    with pytest.raises(InvalidError, match="no dataset 'none'"):
        live.client.drift(atlas, "none")
    other = live.client.submit({**live.spec, "seed": 1234})["id"]
    with pytest.raises(ConflictError, match="compare with it once it has succeeded"):
        live.client.drift(other, alike)
    live.client.request("DELETE", f"/v1/atlases/{other}")
    with pytest.raises(NotFoundError, match="is no drift"):
        live.client.json("GET", f"/v1/atlases/{atlas}/drift/{atlas}")


def test_a_dataset_that_was_compared_is_in_use_until_the_comparison_is_dropped(live: Live, tmp_path: Path) -> None:
    dataset = dataset_of(live, tmp_path, (0,), noise=5)
    job = live.client.drift(live.atlas["id"], dataset)
    live.client.made_drift(job)
    with pytest.raises(ConflictError, match="is used by drift"):
        live.client.request("DELETE", f"/v1/datasets/{dataset}")
    live.client.request("DELETE", job["links"]["self"])
    live.client.request("DELETE", f"/v1/datasets/{dataset}")
    assert job["id"] not in [one["id"] for one in live.client.all_drift(live.atlas["id"])]
