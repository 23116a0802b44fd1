"""The renderer and a whole small atlas on a CUDA device; run where there is one: `pytest -m gpu`."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from atlas_core.featurevis.ascent import Precision
from atlas_core.featurevis.recipes import RECIPES
from atlas_core.featurevis.render import GPU_BATCH, Renderer
from atlas_core.runtime import Runtime
from atlas_core.stages import run_chunk
from atlas_core.store import open_store
from tests.atlas_core.conftest import TinyAtlas, planned
from tests.atlas_core.featurevis.test_render import (
    CANVAS,
    CARD,
    LAYER,
    Colours,
    activations,
    plain_whitening,
    seeds,
    targets,
)

pytestmark = pytest.mark.gpu
Pictures = NDArray[np.uint8]


class Network(Colours):
    """The same with its kernels on the device it is moved to, and channels enough for a GPU to make a difference."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(self.weight, requires_grad=False)


def renderer(recipe: str, device: str = "cuda", precision: Precision = "bf16") -> Renderer:
    return Renderer(
        Network().to(device), RECIPES[recipe], plain_whitening(), CANVAS, input=CARD, layer=LAYER, device=device,
        precision=precision,
    )  # fmt: skip


def icons(made: Renderer, chosen: list[int]) -> Pictures:
    everything = seeds(100) if made.recipe.seeded else None
    return made(targets(100)[chosen], None if everything is None else everything[chosen], chosen)


def cosine(pictures: Pictures, chosen: list[int]) -> NDArray[np.float32]:
    """Of what the network sees with the target."""
    seen, goals = activations(pictures), targets(100)[chosen]
    return np.asarray((seen * goals).sum(axis=1) / np.maximum(np.linalg.norm(seen, axis=1), 1e-6))


@pytest.mark.parametrize("recipe", list(RECIPES))
def test_a_gpu_makes_the_icons_of_a_cpu(recipe: str) -> None:
    chosen = list(range(24))
    here = icons(renderer(recipe, "cpu"), chosen)
    there = icons(renderer(recipe, precision="float32"), chosen)
    assert there.shape == here.shape
    assert np.abs(cosine(there, chosen) - cosine(here, chosen)).max() < 0.02
    assert np.abs(there.astype(int) - here).mean() < 4


@pytest.mark.parametrize("precision", ["bf16", "tf32"])
def test_less_precision_makes_as_good_icons(precision: Precision) -> None:
    chosen = list(range(64))
    exact, rough = (icons(renderer("vivid", precision=kind), chosen) for kind in ("float32", precision))
    assert cosine(rough, chosen).mean() > cosine(exact, chosen).mean() - 0.01


def test_a_captured_step_is_used_again_and_batches_do_not_matter() -> None:
    made = renderer("fast", precision="float32")
    together = icons(made, list(range(40)))
    again = icons(made, list(range(40)))
    alone = icons(made, [7])
    other = icons(made, list(range(50, 90)))
    assert np.abs(together.astype(int) - again).max() <= 2
    assert np.abs(alone[0].astype(int) - together[7]).max() <= 2
    assert np.abs(other.astype(int) - together).mean() > 4
    assert len(made._ascent._climbs) == 2  # of 64 and of 16


def test_a_batch_fits_the_free_memory() -> None:
    made = renderer("vivid")
    free, _ = torch.cuda.mem_get_info()
    assert made.batches().size == GPU_BATCH
    held = torch.empty(free - (150 << 20), dtype=torch.uint8, device="cuda")
    small = renderer("vivid")
    assert 1 <= small.batches().size < GPU_BATCH
    icons(small, list(range(60)))
    del held
    torch.cuda.empty_cache()


def test_memory_that_runs_out_halves_the_batch() -> None:
    made = renderer("fast")
    made.__dict__["_most"] = 64
    capture, tried = made._ascent.see, []

    def scarce(pictures: torch.Tensor) -> torch.Tensor:
        tried.append(len(pictures))
        if len(pictures) > 16:
            torch.empty(1 << 46, dtype=torch.uint8, device="cuda")
        seen: torch.Tensor = capture(pictures)
        return seen

    made._ascent.see = scarce
    batches = made.batches()
    pictures = made(targets(40), seeds(40), list(range(40)), batches=batches)
    assert batches.halved
    assert batches.size <= 16
    assert max(tried) == 64
    assert cosine(pictures, list(range(40))).min() > 0.5


def test_an_atlas_made_on_a_gpu_is_the_atlas(tiny_atlas: TinyAtlas, tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "store"))
    made = planned(store, tiny_atlas.model, tiny_atlas.dataset)
    runtime = Runtime(store, device="cuda")
    for chunk in made.chunks:
        run_chunk(made, chunk, runtime)

    def tables_of(stage: str, name: Callable[[str], bool], plan: object, where: Runtime) -> list[dict[str, NDArray]]:  # type: ignore[type-arg]
        chunks = [chunk for chunk in made.chunks if chunk.stage == stage]
        records = [where.record(made, chunk.key) for chunk in chunks]
        return [where.table(blob) for record in records for key, blob in record["blobs"].items() if name(key)]

    here = tables_of("collect", lambda key: key.startswith("layer "), made, tiny_atlas.runtime)
    there = tables_of("collect", lambda key: key.startswith("layer "), made, runtime)
    for one, other in zip(here, there, strict=True):
        assert np.array_equal(one["image"], other["image"])
        np.testing.assert_allclose(one["activations"].astype(np.float32), other["activations"].astype(np.float32),
                                   rtol=5e-3, atol=5e-3)  # fmt: skip
    here = tables_of("attribute", lambda key: key == "attributions", made, tiny_atlas.runtime)
    there = tables_of("attribute", lambda key: key == "attributions", made, runtime)
    for one, other in zip(here, there, strict=True):
        np.testing.assert_allclose(one["attributions"].astype(np.float32), other["attributions"].astype(np.float32),
                                   rtol=5e-2, atol=5e-3)  # fmt: skip
    rendered = tables_of("render", lambda key: key == "metrics", made, runtime)
    assert np.mean(np.concatenate([table["whitened_cosine"] for table in rendered])) > 0.2
