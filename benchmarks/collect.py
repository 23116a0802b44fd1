"""Cost of collection and of attribution, against what they cannot do without.

Side by side in one run, in rounds: a bare full forward pass over tensors decoded beforehand; collection of the same
images with decoding, positions, thumbnails and samples; and a plain torchvision DataLoader loop from the files. Goal:
collection reaches at least .85 of the bare pass. Then attribution, in forward passes of the head.

    python benchmarks/collect.py MODEL_CARD DATASET_CARD LAYER [LAYER ...] [--images 256] [--threads 1]
"""

from __future__ import annotations

import argparse
import io
import os
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset as TorchDataset
from torchvision import transforms

from atlas_core.activations import BATCH, collect_shard
from atlas_core.attribution import Places, ablation, attribute_shard, full_ablation
from atlas_core.cards import InputCard, resolve_dataset_card
from atlas_core.datasets.dataset import Dataset, open_dataset
from atlas_core.models.preprocessing import read_pixels, to_unit
from atlas_core.registration import load_card
from atlas_core.sampling import allocation

if TYPE_CHECKING:
    from atlas_core.models.base import LoadedModel

GOAL = 0.85
ABLATED = 128


class Files(TorchDataset[torch.Tensor]):
    """The usual dataset of a training script, on the same bytes."""

    def __init__(self, data: list[bytes], given: InputCard) -> None:
        steps: list[Any] = []
        if given.resize is not None:
            steps.append(transforms.Resize(given.resize))
        if given.crop is not None:
            steps.append(transforms.CenterCrop((given.height, given.width)))
        self.transform = transforms.Compose([*steps, transforms.ToTensor()])
        self.data = data

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int) -> torch.Tensor:
        pixels: torch.Tensor = self.transform(Image.open(io.BytesIO(self.data[index])).convert("RGB"))
        return pixels


class Cost(NamedTuple):
    """Seconds on the clock, and of all processors with child processes."""

    wall: float
    cpu: float


def cost(work: Callable[[], object]) -> Cost:
    wall, cpu = time.perf_counter(), sum(os.times()[:4])
    work()
    return Cost(time.perf_counter() - wall, sum(os.times()[:4]) - cpu)


def collection(model: LoadedModel, dataset: Dataset, layers: list[str], images: int, rounds: int) -> None:
    card = model.card.input
    names = dataset.listing.images[:images]
    counts = allocation(dataset.listing.images, 20_000, seed=0)[:images].tolist()
    decoded = [to_unit(np.stack([read_pixels(dataset.read(name), card) for name in names[start : start + BATCH]]))
               for start in range(0, images, BATCH)]  # fmt: skip
    loader = DataLoader(Files([dataset.read(name) for name in names], card), BATCH, num_workers=1)

    def bare() -> None:
        for batch in decoded:
            model.activations(batch, [], logits=True)

    def collect() -> None:
        collect_shard(model, dataset, range(images), [model.layer(name) for name in layers], counts, seed=0)

    def loop() -> None:
        for batch in loader:
            model.activations(batch.numpy(), [], logits=True)

    ways = {"bare forward pass": bare, "collection": collect, "DataLoader loop": loop}
    for way in ways.values():
        way()  # warm up
    taken = [{name: cost(way) for name, way in ways.items()} for _ in range(rounds)]
    print(f"| {images} images, {sum(counts)} points | ms an image | of the bare pass | CPU ms an image |")
    print("| --- | --- | --- | --- |")
    shares = {}
    for name in ways:
        wall, cpu = (
            statistics.median(values) / images * 1000 for values in zip(*(one[name] for one in taken), strict=False)
        )
        shares[name] = statistics.median(one["bare forward pass"].wall / one[name].wall for one in taken)
        print(f"| {name} | {wall:.2f} | {shares[name]:.2f} | {cpu:.2f} |")
    print(f"\nCollection reaches {shares['collection']:.2f} of the bare forward pass; the goal is {GOAL}.\n")


def fastest(work: Callable[[], object]) -> float:
    """CPU seconds of a variant: the least of three runs of ten batches each, after one batch to warm up.

    Ten, because the system counts CPU time in hundredths of a second.
    """
    work()
    return min(cost(lambda: [work() for _ in range(10)]).cpu for _ in range(3)) / (10 * BATCH)


def attribution(model: LoadedModel, dataset: Dataset, names: list[str]) -> None:
    print("| layer | method | head, CPU ms | in full, heads | ablation, heads | 20,000 samples, CPU s |")
    print("| --- | --- | --- | --- | --- | --- |")
    counts = allocation(dataset.listing.images, 20_000, seed=0)
    for name in names:
        layer, head = model.layer(name), model.head(name)
        used = -(-ABLATED // max(1, int(counts[0])))
        table = collect_shard(model, dataset, range(used), [layer], counts[:used].tolist(), seed=0).layers[name]
        pixels = to_unit(np.stack([read_pixels(dataset.read(dataset.listing.images[0]), model.card.input)]))
        with torch.no_grad():
            state = head.prepare(torch.from_numpy(pixels))
            variants = state.take(torch.zeros(BATCH, dtype=torch.long))
        generator = torch.Generator().manual_seed(0)
        row, column = (torch.randint(1, side - 1, (BATCH,), generator=generator) for side in layer.shape[1:])
        places = Places(torch.zeros(BATCH, dtype=torch.long), row, column)

        with torch.no_grad():
            one = fastest(partial(head, variants, variants.activations))
        full, local = (fastest(partial(way(head, state), places)) for way in (full_ablation, ablation))
        start = time.process_time()
        method = attribute_shard(model, dataset, table, layer).method
        stage = (time.process_time() - start) / len(table["image"]) * 20_000
        print(f"| `{name}` | {method} | {one * 1000:.2f} | {full / one:.2f} | {local / one:.2f} | {stage:.1f} |")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("layers", nargs="+")
    parser.add_argument("--images", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1, help="of the network; workers use one")
    if len(sys.argv) == 1:
        print(f"Needs a model, a dataset and layers; nothing measured.\n\n{__doc__}")
        return 0
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    model = load_card(arguments.model)
    with open_dataset(resolve_dataset_card(arguments.dataset), lambda sha256: io.BytesIO()) as dataset:
        images = min(arguments.images, len(dataset.listing.images))
        print(f"## {model.card.name}, {arguments.threads} thread(s)\n")
        collection(model, dataset, arguments.layers, images, arguments.rounds)
        attribution(model, dataset, arguments.layers)
    return 0


if __name__ == "__main__":
    sys.exit(main())
