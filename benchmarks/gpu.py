"""Icons a second on a GPU, and what bounds them: `python benchmarks/gpu.py [--icons 6400 25600]`.

Networks with random weights, which serve for speed; nothing is read and nothing is fetched. Rendering alone, from
targets and seeds in memory to icons in memory; then what an atlas needs besides: measuring and encoding.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torchvision
from torch.profiler import ProfilerActivity, profile

from atlas_core.cards import InputCard, LayerInfo, ModelCard
from atlas_core.featurevis.recipes import RECIPES, canvas_size
from atlas_core.featurevis.render import Renderer
from atlas_core.fidelity import measure
from atlas_core.mapping import TILE_SIDE
from atlas_core.memory import Batches
from atlas_core.models.traced import trace_model
from atlas_core.pyramid import compose_tile
from atlas_core.whitening import Moments, whitening

if TYPE_CHECKING:
    from atlas_core.models.base import LoadedModel

NETWORKS = {"squeezenet1_0": "features.10", "googlenet": "inception4c"}
INPUT = InputCard(channels=3, height=224, width=224, mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225])
WARM = 64
TOP = 8


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--icons", type=int, nargs="+", default=[6400, 25600])
    parser.add_argument("--networks", nargs="+", choices=list(NETWORKS), default=list(NETWORKS))
    parser.add_argument("--recipes", nargs="+", default=["fast", "vivid"])
    parser.add_argument("--precisions", nargs="+", default=["bf16", "tf32", "float32"])
    parser.add_argument("--device", default="cuda")
    options = parser.parse_args()
    name = torch.cuda.get_device_name() if options.device.startswith("cuda") else "CPU"
    print(f"{name}, torch {torch.__version__}\n")
    print("| network, layer | recipe | canvas | precision | batch | first, s | icons | s | icons a second |\n"
          "| --- | --- | --- | --- | --- | --- | --- | --- | --- |")  # fmt: skip
    kept = []
    for architecture in options.networks:
        layer_name = NETWORKS[architecture]
        model = random_model(architecture, torch.device(options.device))
        layer = model.layer(layer_name)
        targets, white = activations_of_noise(model, layer)
        for recipe in options.recipes:
            for precision in options.precisions:
                canvas = canvas_size(RECIPES[recipe], layer, INPUT)
                renderer = Renderer(model.trunk(layer_name), RECIPES[recipe], white, canvas, input=INPUT, layer=layer,
                                    device=options.device, precision=precision)  # fmt: skip
                sizes = options.icons if precision == options.precisions[0] else options.icons[:1]
                print_rows(f"{architecture} {layer_name}", renderer, precision, targets, sizes)
                if precision == options.precisions[0]:
                    kept.append((architecture, recipe, renderer, targets, white, layer))
    for entry in kept:
        print_besides(*entry)


def random_model(architecture: str, device: torch.device) -> LoadedModel:
    """A network with random weights, on the device."""
    torch.manual_seed(0)
    arguments = {"init_weights": False, "aux_logits": False} if architecture == "googlenet" else {}
    module = torchvision.models.get_model(architecture, weights=None, **arguments)
    card = ModelCard(name=architecture, format="torchvision", architecture=architecture, weights="sha256:" + "0" * 64,
                     input=INPUT)  # fmt: skip
    model = trace_model(module.eval(), card)
    if device.type != "cpu":
        model.move(device)
    return model


def activations_of_noise(model: LoadedModel, layer: LayerInfo) -> tuple[np.ndarray[Any, Any], Any]:
    """A layer's activations on smooth noise, one an image, and their whitening."""
    generator = np.random.default_rng(0)
    coarse = generator.random((WARM, 3, 14, 14), dtype=np.float32)
    pixels = np.kron(coarse, np.ones((16, 16), np.float32))
    found = model.activations(pixels, [layer.name], logits=False)[0][layer.name]
    rows = found.transpose(0, 2, 3, 1).reshape(-1, found.shape[1])
    moments = Moments(rows.shape[1])
    moments.add(rows)
    return rows[:: max(1, len(rows) // 4096)].astype(np.float32), whitening(moments)


def inputs(renderer: Renderer, targets: np.ndarray[Any, Any], count: int) -> tuple[Any, Any, list[int]]:
    """Targets, seeds and keys of so many icons."""
    chosen = targets[np.arange(count) % len(targets)]
    noise = np.random.default_rng(1).normal(size=(256, 20, 20, 3)).astype(np.float32)
    return chosen, noise[np.arange(count) % 256] if renderer.recipe.seeded else None, list(range(count))


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds of a work that ends on the CPU, and what it gives."""
    began = time.perf_counter()
    value = work()
    return time.perf_counter() - began, value


def print_rows(name: str, renderer: Renderer, precision: str, targets: np.ndarray[Any, Any], sizes: list[int]) -> None:
    """Measure one renderer: its first batch, which loads libraries and captures, then each number of icons."""
    batch = renderer.batches().size
    first, _ = timed(lambda: renderer(*inputs(renderer, targets, batch)))
    for count in sizes:
        given = inputs(renderer, targets, count)
        seconds, _ = timed(partial(renderer, *given))
        row = name, renderer.recipe.name, renderer.canvas, precision, batch, f"{first:.2f}", f"{count:,}"
        print(f"| {' | '.join(map(str, row))} | {seconds:.2f} | {count / seconds:,.0f} |", flush=True)


def print_besides(
    architecture: str, recipe: str, renderer: Renderer, targets: np.ndarray[Any, Any], white: Any, layer: LayerInfo
) -> None:
    """What an atlas needs besides, and where the time of a batch goes."""
    count = min(1600, 2 * renderer.batches().size)
    given = inputs(renderer, targets, count)
    icons = renderer(*given)
    measured, _ = timed(lambda: measure(
        renderer.trunk, icons, given[0], targets[:400], np.arange(count) % 400, white, renderer.canvas, input=INPUT,
        layer=layer, device=renderer.device, batches=Batches(256, "icon")))  # fmt: skip
    places = np.stack(np.divmod(np.arange(TILE_SIDE**2), TILE_SIDE), axis=1).astype(np.int32)
    tiles = [icons[first : first + TILE_SIDE**2] for first in range(0, count - TILE_SIDE**2 + 1, TILE_SIDE**2)]
    with ThreadPoolExecutor() as pool:
        encoded, _ = timed(lambda: list(pool.map(lambda tile: compose_tile(tile, places, TILE_SIDE, TILE_SIDE), tiles)))
    print(f"\n{architecture}, {recipe}: besides, {count / measured:,.0f} icons a second are measured (float32), "
          f"{len(tiles) * TILE_SIDE**2 / encoded:,.0f} encoded by a thread a core.")  # fmt: skip
    if renderer.device.type != "cuda":
        return
    with profile(activities=[ProfilerActivity.CUDA, ProfilerActivity.CPU]) as profiler:
        renderer(*inputs(renderer, targets, renderer.batches().size))
    events = [
        event for event in profiler.key_averages() if event.self_device_time_total and not event.key.startswith("cuda")
    ]
    total = sum(event.self_device_time_total for event in events)
    print(f"One batch of {renderer.batches().size}: {total / 1e3:.0f} ms on the device; of that")
    for event in sorted(events, key=lambda event: -event.self_device_time_total)[:TOP]:
        print(f"  {event.self_device_time_total / total:5.1%}  {event.count:6}  {event.key[:100]}")
    replayed = replace(renderer.recipe, steps=0)
    bare = Renderer(renderer.trunk, replayed, white, renderer.canvas, input=INPUT, layer=layer, device=renderer.device)
    bare(*inputs(bare, targets, 256))
    seconds, _ = timed(lambda: bare(*inputs(bare, targets, count)))
    print(f"Without any step (noise, starts, transfer): {count / seconds:,.0f} icons a second.")


if __name__ == "__main__":
    main()
