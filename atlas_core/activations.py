"""Collect: from images to samples, streamed.

A pool reads, decodes and cuts thumbnails while the network computes; at most two batches are in memory besides the
samples themselves. Batches are fixed by the shard, so that the same shard gives the same bytes.
"""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from atlas_core.errors import ImageError, ModelError
from atlas_core.featurevis.recipes import THUMBNAIL_SIDE, thumbnail_window
from atlas_core.memory import Batches
from atlas_core.models.preprocessing import read_pixels, to_unit
from atlas_core.pooling import ITSELF, Kept, Watch, pooled
from atlas_core.sampling import Positions, centres, points, positions
from atlas_core.tables import LARGEST_HALF
from atlas_core.thumbnails import cut_thumbnails

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence

    from numpy.typing import NDArray

    from atlas_core.cards import InputCard, LayerInfo
    from atlas_core.datasets.dataset import Dataset
    from atlas_core.models.base import LoadedModel

BATCH = 32
DECODERS = 1
MANY_DECODERS = 8
"""Of a dataset in object storage, for which they wait most of the time, and before a GPU, which waits for them."""

Table = dict[str, "NDArray[np.generic]"]
Skipped = dict[str, str]  # image id and reason


@dataclass(frozen=True)
class Collected:
    """Samples of a shard.

    Attributes:
        images: One row an image that could be read: image (index in the listing), label, logits where there are, and
            by layer, as `unit LAYER`, the mean of the unit activations over its whole grid, float16 (n, channels).
        layers: By layer one row a sample: activations float16 (n, channels), image, row, column, times, thumbnails
            uint8 (n, 20, 20, channels of the input), point.
        skipped: Image id and reason of every image that could not be read.
        halved: Images a forward pass in the end, where memory did not do for the usual ones.
        novelty: What `pooling.Kept` gathered of the images, empty where nothing was watched.
    """

    images: Table
    layers: dict[str, Table]
    skipped: list[dict[str, str]]
    halved: int | None = None
    novelty: Table = field(default_factory=dict)


@dataclass(frozen=True)
class Prepared:
    """An image that is read: its place in the listing, and its pixels, shape (height, width, channels)."""

    index: int
    pixels: NDArray[np.uint8]
    samples: dict[str, tuple[Positions, NDArray[np.uint8]]]


def collect_shard(
    model: LoadedModel,
    dataset: Dataset,
    indices: Sequence[int],
    layers: Sequence[LayerInfo],
    counts: Sequence[int],
    seed: int,
    *,
    watch: Watch | None = None,
    batch: int = BATCH,
    on_progress: Callable[[int, int], None] | None = None,
) -> Collected:
    """Run the network once over a shard of images and keep its samples.

    Args:
        model: The model; it runs to the logits where it has them, else to the deepest of the layers.
        dataset: Where the images are.
        indices: The shard: places in the dataset's listing.
        layers: The layers, as they were found when the model was inspected.
        counts: Points of each of these images, as `sampling.allocation` gives them; an image with none is left out.
        seed: Seed of the atlas.
        watch: What to keep for novelty besides.
        batch: Images a forward pass; half as many, and half again, where memory runs out.
        on_progress: Called with images done and all of them after every batch; cancels by raising.

    Raises:
        ModelError: The network gives values that are no numbers, or logits that are not finite.
        MemoryLimitError: Memory does not do for a single image.
    """
    names = [layer.name for layer in layers]
    read_too = list(dict.fromkeys([*names, *(watch.at if watch else ())]))
    kept = Kept()
    wanted = [(int(index), int(count)) for index, count in zip(indices, counts, strict=True) if count > 0]
    skipped: list[Skipped] = []
    rows: list[Table] = []
    tables: dict[str, list[Table]] = {name: [] for name in names}
    done = 0
    batches = Batches(batch, "image")

    def take(
        some: Sequence[Prepared], read: dict[str, NDArray[np.float32]], logits: NDArray[np.float32] | None, units: Table
    ) -> None:
        for name in names:
            tables[name].append(_sample_rows(name, read[name], some))
        rows.append(_image_rows(model, dataset, some, logits) | units)
        for place, entry in enumerate(some):
            if watch is not None and watch.keeps(dataset.listing.images[entry.index]):
                kept.add(entry.index, ITSELF, pooled(watch.at, read, logits, place))

    with closing(prefetched(dataset, wanted, layers, model, seed, batch)) as parts, _keeper(model) as keep:
        for part in parts:
            done += len(part)
            skipped += [entry for entry in part if isinstance(entry, dict)]
            good = [entry for entry in part if isinstance(entry, Prepared)]
            while good:
                passed = batches.run(partial(_forward, model, good, read_too, names), len(good))
                keep(partial(take, *passed))
                good = good[len(passed[0]) :]
            if on_progress is not None:
                on_progress(done, len(wanted))
    if not rows:
        return Collected({}, {}, skipped)
    samples = {name: _joined(parts) for name, parts in tables.items()}
    return Collected(_joined(rows), samples, skipped, batches.halved, kept.table())


@contextmanager
def _keeper(model: LoadedModel) -> Iterator[Callable[[Callable[[], None]], None]]:
    """Takes samples from batches, in order: of a GPU's beside its next pass, else at once."""
    if model.device.type == "cpu":
        yield lambda work: work()
        return
    with ThreadPoolExecutor(1, thread_name_prefix="samples") as pool:
        waiting: deque[Future[None]] = deque()

        def keep(work: Callable[[], None]) -> None:
            waiting.append(pool.submit(work))
            if len(waiting) > 1:
                waiting.popleft().result()

        yield keep
        for future in waiting:
            future.result()


def _forward(
    model: LoadedModel, good: Sequence[Prepared], layers: Sequence[str], whole: Sequence[str], size: int
) -> tuple[Sequence[Prepared], dict[str, NDArray[np.float32]], NDArray[np.float32] | None, Table]:
    """What takes a batch's memory: its activations and logits, and of some layers the images' mean unit activations."""
    some = good[:size]
    read, logits = model.activations(to_unit(np.stack([entry.pixels for entry in some])), layers, logits=True)
    return some, read, logits, {unit_column(name): mean_unit(read[name]) for name in whole}


def _prepare(
    dataset: Dataset, index: int, count: int, layers: Sequence[LayerInfo], given: InputCard, seed: int
) -> Prepared | Skipped:
    image = dataset.listing.images[index]
    try:
        pixels = read_pixels(dataset.read(image), given)
    except ImageError as error:
        return {"image": image, "reason": error.detail}
    where = points(seed, image, count)
    samples = {}
    for layer in layers:
        found = positions(where, layer, given)
        middles = centres(found.row, found.column, layer, given)
        samples[layer.name] = found, cut_thumbnails(pixels, middles, thumbnail_window(layer, given), THUMBNAIL_SIDE)
    return Prepared(index, pixels, samples)


def prefetched(
    dataset: Dataset,
    wanted: Sequence[tuple[int, int]],
    layers: Sequence[LayerInfo],
    model: LoadedModel,
    seed: int,
    batch: int,
) -> Generator[list[Prepared | Skipped], None, None]:
    """Batches of images in order, the next one being prepared while the caller works on this one.

    Args:
        dataset: Where the images are.
        wanted: Places in its listing, each with the points to sample.
        layers: That positions are wanted of.
        model: Tells what input it takes, and whether a GPU waits for it.
        seed: Of the positions.
        batch: Images of a batch.
    """
    _ = dataset.listing  # list before there are threads
    waiting: deque[list[Future[Prepared | Skipped]]] = deque()
    many = dataset.far or model.device.type != "cpu"
    pool = ThreadPoolExecutor(MANY_DECODERS if many else DECODERS, thread_name_prefix="decode")
    try:
        for start in range(0, len(wanted), batch):
            part = wanted[start : start + batch]
            waiting.append([pool.submit(_prepare, dataset, *entry, layers, model.card.input, seed) for entry in part])
            if len(waiting) > 1:
                yield [future.result() for future in waiting.popleft()]
        while waiting:
            yield [future.result() for future in waiting.popleft()]
    finally:
        pool.shutdown(cancel_futures=True)


def _image_rows(
    model: LoadedModel, dataset: Dataset, good: Sequence[Prepared], logits: NDArray[np.float32] | None
) -> Table:
    index = np.array([entry.index for entry in good], dtype=np.int32)
    rows: Table = {"image": index, "label": dataset.listing.labels[index]}
    if logits is not None:
        rows["logits"] = logits.astype(np.float32)
        broken = int((~np.isfinite(rows["logits"]).all(axis=1)).sum())
        if broken:
            raise ModelError(
                f"the logits of {model.card.name!r} are no finite numbers for {broken} of {len(good)} images; check "
                "its weights, the card's mean and std, and that `output` is the tensor before any softmax or logarithm"
            )
    return rows


def unit_column(layer: str) -> str:
    """The column of the images' mean unit activations at a layer."""
    return f"unit {layer}"


def mean_unit(activations: NDArray[np.float32]) -> NDArray[np.float16]:
    """The mean over the grid of unit activations: how an image is seen as a whole, whatever positions are sampled.

    Args:
        activations: Shape (n, channels, height, width).

    Returns:
        Shape (n, channels); as long as the activations of the grid agree, 0 to 1.
    """
    kept = activations.clip(-LARGEST_HALF, LARGEST_HALF)
    length = np.sqrt(np.einsum("nchw,nchw->nhw", kept, kept))[:, None]
    mean: NDArray[np.float16] = (kept / np.where(length > 0, length, 1)).mean(axis=(2, 3)).astype(np.float16)
    return mean


def _sample_rows(name: str, activations: NDArray[np.float32], good: Sequence[Prepared]) -> Table:
    samples = [entry.samples[name] for entry in good]
    owner = np.repeat(np.arange(len(good)), [len(found.row) for found, _ in samples])
    found = Positions(*(np.concatenate(column) for column in zip(*(found for found, _ in samples), strict=True)))
    values = activations[owner, :, found.row, found.column]  # (n, channels)
    if np.isnan(values).any():
        raise ModelError(f"the layer {name!r} gives values that are no numbers; check the card's mean and std")
    return {
        "activations": values.clip(-LARGEST_HALF, LARGEST_HALF).astype(np.float16),
        "image": np.array([entry.index for entry in good], dtype=np.int32)[owner],
        **found._asdict(),
        "thumbnails": np.concatenate([thumbnails for _, thumbnails in samples]),
    }


def _joined(parts: Sequence[Table]) -> Table:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
