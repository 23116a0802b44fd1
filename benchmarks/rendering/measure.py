"""Render the same cells by every recipe, and measure the icons as they are served."""

from __future__ import annotations

import dataclasses
import hashlib
import sys
import time
from collections.abc import Callable, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch

from atlas_core import tables
from atlas_core.featurevis.recipes import RECIPES, Recipe, canvas_size
from atlas_core.featurevis.render import Renderer
from atlas_core.fidelity import low_contrast, measure
from atlas_core.memory import Batches
from benchmarks.rendering import lucent_peer
from benchmarks.rendering.notebook import LEARNING_RATES, STEPS, TRIES, Gain, Moves, own_canvas, render_notebook
from benchmarks.rendering.prepared import Cells, Prepared
from benchmarks.rendering.runs import (
    Run,
    chosen_cells,
    multiply_adds,
    notebook_run,
    peak_memory,
    recipe_run,
)
from benchmarks.rendering.served import decode, encode

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atlas_core.cards import LayerInfo

Icons = int | Literal["read"] | None
NOTEBOOKS: tuple[tuple[Moves, Gain, tuple[float, ...]], ...] = (
    ("affine", "formula", LEARNING_RATES), ("affine", "code", LEARNING_RATES), ("crops", "code", LEARNING_RATES[:1]),
)  # fmt: skip
"""Canvas, objective and learning rates of the notebook's variants; the last is its code to the letter."""


@dataclasses.dataclass(frozen=True)
class Bounds:
    """How much to do.

    Args:
        icons: Cells; None for all, "read" for those of the blind reading.
        batch: Icons at once.
        seconds: No run is started later.
        lucent: Folder of lucent's environment, None to leave it out.
        lucent_seconds: For lucent, a layer.
        only: Beginnings of the runs' names, none for all.
        layers: Names of layers, none for all.
    """

    icons: Icons
    batch: int
    seconds: float = float("inf")
    lucent: Path | None = None
    lucent_seconds: float = 300
    only: tuple[str, ...] = ()
    layers: tuple[str, ...] = ()


def folder_of(file: Path, folder: Path, device: str, icons: Icons) -> Path:
    """Where the runs on these cells, on this device and of so many icons are kept."""
    digest = hashlib.sha256(file.read_bytes()).hexdigest()[:8]
    return folder / "runs" / f"{file.stem}-{digest}" / f"{device.partition(':')[0]}-{icons or 'all'}"


def reading(file: Path, folder: Path, place: int) -> tables.Table:
    """What `prepare` keeps in the folder for the blind reading of a layer."""
    table = tables.unpack((folder / f"{file.stem}-reading.safetensors").read_bytes())
    return {name.removeprefix(f"{place}/"): array for name, array in table.items() if name.startswith(f"{place}/")}


def measure_file(file: Path, folder: Path, device: str, bounds: Bounds) -> None:
    """Do the runs of a file that are not there yet."""
    prepared, began = Prepared.read(file), time.monotonic()
    for place, layer in enumerate(prepared.layers):
        if bounds.layers and layer.name not in bounds.layers:
            continue
        count = len(prepared.cells[place])
        own = reading(file, folder, place)["cell"] if bounds.icons == "read" else chosen_cells(count, bounds.icons)
        bench = Bench(file, prepared, place, device, bounds, own)
        out = folder_of(file, folder, device, bounds.icons) / str(place)
        for name, work in bench.runs(out):
            wanted = not bounds.only or name.startswith(bounds.only)
            path = out / f"{name}.safetensors"
            if path.exists() or not wanted or time.monotonic() - began > bounds.seconds:
                continue
            start = time.monotonic()
            work().write(path)
            print(f"{layer.name} {name} {time.monotonic() - start:.1f} s", file=sys.stderr, flush=True)


class Bench:
    """The runs of one layer.

    Args:
        file: The prepared file.
        prepared: What it holds.
        place: Of the layer.
        device: Where to compute.
        bounds: How much to do.
        own: The cells, shape (m,).
    """

    def __init__(
        self, file: Path, prepared: Prepared, place: int, device: str, bounds: Bounds, own: NDArray[np.int64]
    ) -> None:
        self.file, self.prepared, self.place, self.device, self.bounds = file, prepared, place, device, bounds
        self.layer: LayerInfo = prepared.layers[place]
        self.cells: Cells = prepared.cells[place]
        self.input = prepared.card.input
        self.own = own

    @cached_property
    def trunk(self) -> Any:
        """The network to the layer, on the device."""
        return self.prepared.model().trunk(self.layer.name).to(self.device)

    @cached_property
    def counted_trunk(self) -> Any:
        """The same on the CPU."""
        return self.prepared.model().trunk(self.layer.name)

    def runs(self, out: Path) -> list[tuple[str, Callable[[], Run]]]:
        """Names of all runs with what does them, cheapest first."""
        found: list[tuple[str, Callable[[], Run]]] = [("patch", self.patch)]
        for recipe in RECIPES.values():
            if recipe.seeded:
                start = dataclasses.replace(recipe, steps=0)
                found.append((recipe_run(start), partial(self.ours, start)))
            found.append((recipe_run(recipe), partial(self.ours, recipe)))
        if self.bounds.lucent is not None:
            found.append(("lucent", partial(self.lucent, self.bounds.lucent, out)))
        for moves, gain, rates in NOTEBOOKS:
            for attempt in range(TRIES):
                for rate in rates:
                    name = notebook_run(moves, gain, rate, attempt)
                    found.append((name, partial(self.notebook, moves, gain, rate, attempt)))
        return found

    def ours(self, recipe: Recipe) -> Run:
        """One of our recipes."""
        canvas = canvas_size(recipe, self.layer, self.input)

        def work(renderer: Renderer, which: NDArray[np.int64]) -> NDArray[np.uint8]:
            seeds = self.cells.seed[which].astype(np.float32) if recipe.seeded else None
            keys = [self.key(cell, recipe.name) for cell in which.tolist()]
            return renderer(self.cells.mean[which], seeds, keys)

        settings: dict[str, Any] = {"input": self.input, "layer": self.layer, "colours": self.cells.colours}
        renderer = Renderer(self.trunk, recipe, self.cells.whitening, canvas, device=self.device, **settings)
        if self.device.startswith("cuda"):
            work(renderer, self.own)  # a step is captured once for all tiles of an atlas
        icons, facts = self.timed(partial(work, renderer, self.own))
        one_step = dataclasses.replace(recipe, steps=min(1, recipe.steps))
        counted = Renderer(self.counted_trunk, one_step, self.cells.whitening, canvas, **settings)
        full = counted.batches().size  # a batch is always filled up
        counts = multiply_adds(partial(work, counted, self.own[:full]))
        facts["multiply_adds"] = counts * renderer.recipe.steps // max(1, counted.recipe.steps) // full
        return self.judged(icons, canvas, facts)

    def notebook(self, moves: Moves, gain: Gain, rate: float, attempt: int) -> Run:
        """One try of the article's notebook."""
        field = self.layer.receptive_field
        canvas = own_canvas(None if field is None else max(field.size)) if moves == "affine" else own_canvas(None)
        directions = self.cells.mean @ self.cells.inverse

        def work(
            which: NDArray[np.int64], trunk: Any, device: str, steps: int = STEPS
        ) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
            return render_notebook(
                trunk, directions[which], canvas, tuple(self.input.mean), moves=moves, gain=gain, seed=attempt,
                learning_rate=rate, steps=steps, batch=self.bounds.batch, device=device,
            )  # fmt: skip

        work(self.own, self.trunk, self.device, 1)  # what is loaded at the first step is not its time
        (icons, gains), facts = self.timed(partial(work, self.own, self.trunk, self.device))
        if attempt == 0:
            once = 1 if moves == "affine" else STEPS  # the sizes of crops differ from step to step
            counted = multiply_adds(partial(work, self.own[:1], self.counted_trunk, "cpu", once))
            facts["multiply_adds"] = counted * STEPS // once
        run = self.judged(icons, canvas, facts)
        run.columns["gain"] = gains
        return run

    def lucent(self, environment: Path, out: Path) -> Run:
        """lucent as shipped, on as many cells, spread evenly, as it gets to in its time."""
        kornia = lucent_peer.install(environment)
        order = np.random.default_rng(0).permutation(self.own).tolist()
        out.mkdir(parents=True, exist_ok=True)
        found = lucent_peer.run(self.file, self.place, order, self.bounds.lucent_seconds, self.device, environment,
                                out / "lucent.npz")  # fmt: skip
        taken = found["seconds"]
        whole = lucent_peer.whole_network(self.prepared, self.place)
        pixels = torch.rand(1, 3, lucent_peer.SIZE, lucent_peer.SIZE, requires_grad=True)
        counted = multiply_adds(lambda: whole(pixels).sum().backward())
        facts = {"seconds": [float(np.median(taken)) * len(taken)], "peak_mib": None, "kornia": kornia,
                 "device": self.device_name(), "multiply_adds": counted * lucent_peer.STEPS}  # fmt: skip
        return self.judged(found["icons"], lucent_peer.SIZE, facts, np.array(order[: len(taken)]).tolist())

    def patch(self) -> Run:
        """The nearest real patch, for which nothing is rendered."""
        size = int(self.cells.patch_size[0])
        patches = decode(self.cells.patches.tobytes(), len(self.cells), size)[self.own]
        return self.judged(patches, size, {"seconds": [], "multiply_adds": 0, "peak_mib": None, "device": self.device})

    def key(self, cell: int, recipe: str) -> int:
        """The number from which an icon's randomness comes."""
        name = f"{self.layer.name}/{cell}/{recipe}"
        return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") >> 1

    def device_name(self) -> str:
        """What the table calls the device."""
        return torch.cuda.get_device_name() if self.device.startswith("cuda") else "CPU, one thread"

    def timed(self, work: Callable[[], Any]) -> tuple[Any, dict[str, Any]]:
        """What some work gives, and its seconds with the peak of memory.

        On a CPU seconds of the processor, for its one thread may have to wait for other programs.
        """
        clock = time.process_time if self.device == "cpu" else time.perf_counter
        with peak_memory(self.device) as peak:
            began = clock()
            result = work()
            facts = {"seconds": [clock() - began], "peak_mib": round(peak(), 1), "device": self.device_name()}
        return result, facts

    def judged(
        self, icons: NDArray[np.uint8], canvas: int, facts: dict[str, Any], own: Sequence[int] | None = None
    ) -> Run:
        """Encode, decode and measure icons."""
        which = self.own if own is None else np.asarray(own)
        tile = encode(icons)
        served = decode(tile, len(icons), icons.shape[1])
        columns = measure(
            self.trunk, served, self.cells.mean[which], self.cells.mean, which, self.cells.whitening, canvas,
            input=self.input, layer=self.layer, device=self.device, batches=Batches(self.bounds.batch, "icon"),
        )  # fmt: skip
        columns["low_contrast"] = low_contrast(columns["contrast"], self.cells.exemplar_contrast[which])
        facts |= {"size": int(icons.shape[1]), "torch": torch.__version__}
        return Run({"cell": which, **columns}, tile, facts)
