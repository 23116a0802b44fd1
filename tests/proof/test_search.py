"""Search by concept over 20,000 samples of CIFAR-10: every answer against a look at all of them."""

from __future__ import annotations

import io
import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from numpy.typing import NDArray
from PIL import Image

from atlas_core import registry, tables
from atlas_core.models.preprocessing import read_pixels, to_unit
from atlas_core.nearest import unit_rows
from atlas_core.resembling import Like, positions_of, resembling
from atlas_core.runtime import Runtime
from atlas_core.store import open_store
from service.main import create_app
from service.settings import ServiceSettings
from tests.paging import all_of
from tests.proof.conftest import Report, built

if TYPE_CHECKING:
    from atlas_core.plan import Plan

pytestmark = pytest.mark.proof
PAGE = 1000


@dataclass(frozen=True)
class Searched:
    """An atlas behind the API, and all that is known of its samples in the order in which they were collected."""

    plan: Plan
    runtime: Runtime
    api: TestClient
    samples: tables.Table
    layout: NDArray[np.float64]
    path: str

    def all(self, path: str, **parameters: Any) -> list[dict[str, Any]]:
        """Every sample of a list, page after page."""
        return all_of(lambda asked: self.api.get(path, params=asked).raise_for_status().json(), PAGE, **parameters)


@pytest.fixture(scope="module")
def searched(shared: Path, work: Path, cifar_request: dict[str, Any]) -> Iterator[Searched]:
    request = {**cifar_request, "recipe": "none", "levels": [10, 20]}
    folder = built(shared / "cifar10", "dataset-test.json", request, work / "searched").directory
    store = open_store(str(folder / ".store"))
    (job,) = store.get_documents("jobs")
    plan, runtime = registry.plan_of(store, job["id"]), Runtime(store)
    (layer,) = plan.spec.layers
    shards = [
        runtime.table(runtime.record(plan, chunk.key)["blobs"][f"layer {layer}"]) for chunk in plan.find("collect")
    ]
    names = ("image", "row", "column", "activations", "thumbnails")
    samples = tables.concatenate([{name: shard[name] for name in names} for shard in shards])
    layout = runtime.table(runtime.record(plan, plan.layout_of(layer).key)["blobs"]["layout"])["layout"]
    quoted = layer.replace("/", "%2F")
    with TestClient(create_app(ServiceSettings(store_url=str(folder / ".store")))) as api:
        path = f"/v1/atlases/{plan.id}/layers/{quoted}"
        yield Searched(plan, runtime, api, samples, layout.astype(np.float64), path)


def numbers(samples: list[dict[str, Any]]) -> list[int]:
    return [one["sample"] for one in samples]


def timed(call: Callable[..., Any], *arguments: Any, **options: Any) -> tuple[Any, float]:
    """An answer, and the seconds of a processor that it took, asking included."""
    began = time.process_time()
    return call(*arguments, **options), time.process_time() - began


def test_every_sample_is_in_one_cell_of_a_level(searched: Searched, report: Report) -> None:
    images = searched.runtime.dataset(searched.plan).listing.images
    for z, side in enumerate(searched.plan.spec.levels or ()):
        found, seconds = [], []
        for column, row in itertools.product(range(side), repeat=2):
            some, took = timed(searched.all, f"{searched.path}/levels/{z}/cells/{column}-{row}/samples")
            found += some
            seconds.append(took)
        assert sorted(numbers(found)) == list(range(len(searched.layout)))
        for one in found:
            number = one["sample"]
            assert one["image"] == images[int(searched.samples["image"][number])]
            assert (one["row"], one["column"]) == (searched.samples["row"][number], searched.samples["column"][number])
        median, most = 1000 * np.median(seconds), 1000 * max(seconds)
        report(f"cells of side {side}", samples=len(found), median_cpu_ms=f"{median:.1f}", most_cpu_ms=f"{most:.1f}")


def test_rectangles_hold_what_a_look_at_every_sample_finds(searched: Searched, report: Report) -> None:
    rng = np.random.default_rng(0)
    x, y = searched.layout.T
    seconds = []
    for _ in range(60):
        ends = np.sort(np.round(rng.random((2, 2)), 6), axis=0)
        (x0, y0), (x1, y1) = ends
        box = f"{x0},{y0},{x1},{y1}"
        found, took = timed(searched.all, f"{searched.path}/samples", bbox=box)
        seconds.append(took / (1 + len(found) // PAGE))
        assert sorted(numbers(found)) == np.flatnonzero((x >= x0) & (x < x1) & (y >= y0) & (y < y1)).tolist()
    report("60 rectangles", median_cpu_ms_a_page=f"{1000 * np.median(seconds):.1f}")


def test_the_nearest_to_a_point_are_those_of_all_samples(searched: Searched, report: Report) -> None:
    rng = np.random.default_rng(1)
    seconds = []
    for x, y in np.round(rng.random((100, 2)), 6):
        answer, took = timed(searched.api.get, f"{searched.path}/samples", params={"near": f"{x},{y}"})
        seconds.append(took)
        far = np.hypot(*(searched.layout - (x, y)).T)
        assert numbers(answer.json()["items"]) == np.lexsort((np.arange(len(far)), far))[:100].tolist()
    report("the 100 nearest to 100 points", median_cpu_ms=f"{1000 * np.median(seconds):.1f}")


def test_the_most_like_an_image_are_those_of_all_samples(searched: Searched, report: Report) -> None:
    plan, runtime = searched.plan, searched.runtime
    (layer,) = plan.spec.layers
    unit = unit_rows(searched.samples["activations"]).astype(np.float64)
    dataset, model = runtime.dataset(plan), runtime.model(plan.model.card)
    grid = plan.model.layer(layer).shape[1:]
    seconds: dict[str, list[float]] = {"a position": [], "a whole image": []}
    for place in range(0, 1000, 100):
        data = dataset.read(dataset.listing.images[place])
        read, _ = model.activations(to_unit(read_pixels(data, plan.model.card.input)[None]), [layer], logits=False)
        for name, like in (("a position", Like(1000, 5, 9)), ("a whole image", Like(1000))):
            answer, took = timed(resembling, plan, runtime, data, layer, like)
            seconds[name].append(took)
            rows, columns = positions_of(grid, like)
            far = 1 - unit @ unit_rows(read[layer][0][:, rows, columns].T).astype(np.float64).T
            nearest = np.sort(far.min(axis=1))[:1000]
            np.testing.assert_allclose(answer["distance"], nearest, atol=2e-6)
            np.testing.assert_allclose(far.min(axis=1)[answer["sample"]], nearest, atol=2e-6)
    for name, all_seconds in seconds.items():
        report(f"the 1,000 most like {name}", median_cpu_ms=f"{1000 * np.median(all_seconds):.0f}")


def test_every_crop_is_its_samples_own(searched: Searched, report: Report) -> None:
    seconds = []
    for number in range(0, len(searched.layout), 97):
        answer, took = timed(searched.api.get, f"{searched.path}/samples/{number}/crop")
        seconds.append(took)
        picture = np.asarray(Image.open(io.BytesIO(answer.content)).convert("RGB"))
        assert (picture == searched.samples["thumbnails"][number]).all()
    report("crops", checked=len(seconds), median_cpu_ms=f"{1000 * np.median(seconds):.1f}")
