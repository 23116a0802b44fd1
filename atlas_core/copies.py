"""Spoiled copies of an atlas's images pass through the network, and leave what images leave for novelty."""

from __future__ import annotations

from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from atlas_core.activations import BATCH, Prepared, prefetched
from atlas_core.memory import Batches
from atlas_core.models.preprocessing import to_unit
from atlas_core.pooling import Kept, Pooled, Watch, pooled
from atlas_core.spoiled import spoil

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from atlas_core.datasets.dataset import Dataset
    from atlas_core.models.base import LoadedModel
    from atlas_core.tables import Table

Copy = tuple[int, int, "NDArray[np.uint8]"]
"""Place of the image in the listing, kind, and pixels."""


def pool_copies(
    model: LoadedModel,
    dataset: Dataset,
    indices: Sequence[int],
    watch: Watch,
    on_progress: Callable[[int, int], None] | None = None,
) -> tuple[Table, int | None]:
    """Read images again, spoil them, and pool what the network makes of it.

    Args:
        model: The model.
        dataset: Where the images are.
        indices: Places in its listing of images that are kept; one that can no longer be read has no copies.
        watch: What is kept for novelty.
        on_progress: Called with images done and all of them; cancels by raising.

    Returns:
        What `pooling.Kept` gathered of the copies; and of how many a pass was in the end, where memory did not do for
        the usual ones.

    Raises:
        ModelError: The network gives values that are no numbers.
        MemoryLimitError: Memory does not do for a single image.
    """
    names = dataset.listing.images
    wanted = [(int(index), 0) for index in indices if watch.kinds(names[index])]
    kept, batches, done = Kept(), Batches(BATCH, "image"), 0
    with closing(prefetched(dataset, wanted, [], model, 0, BATCH)) as parts:
        for part in parts:
            good = [entry for entry in part if isinstance(entry, Prepared)]
            copies = [(entry.index, kind, spoil(entry.pixels, kind, names[entry.index]))
                      for entry in good for kind in watch.kinds(names[entry.index])]  # fmt: skip
            while copies:
                passed = batches.run(partial(_forward, watch.at, model, copies), len(copies))
                for (index, kind, _), one in zip(copies, passed, strict=False):
                    kept.add(index, kind, one)
                copies = copies[len(passed) :]
            done += len(part)
            if on_progress is not None:
                on_progress(done, len(wanted))
    return kept.table(), batches.halved


def _forward(at: Sequence[str], model: LoadedModel, copies: Sequence[Copy], size: int) -> list[Pooled]:
    pixels = np.stack([pixels for _, _, pixels in copies[:size]])
    read, logits = model.activations(to_unit(pixels), at, logits=True)
    return [pooled(at, read, logits, place) for place in range(len(pixels))]
