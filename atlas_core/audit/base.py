"""Base images: those on which an audit tests, held out of the atlas that it looks for faults in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from atlas_core.plan import Chunk
from atlas_core.sampling import by_hash

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atlas_core.facts import DatasetFacts
    from atlas_core.plan import Plan
    from atlas_core.runtime import Runtime

NAME = "base"
"""How an audit's plan calls the dataset of its base images, where that is another than the atlas's."""
MOST = 5_000
A_CHUNK = 500


def held_out(runtime: Runtime, plan: Plan, seed: int, most: int = MOST) -> NDArray[np.int64]:
    """Places in the listing of the base images, in the order of their hashed ids: of another dataset all are.

    Args:
        runtime: Opens datasets.
        plan: An audit's.
        seed: The audit's.
        most: Base images at most.

    Returns:
        Shape (n,), n at most `most`; none where the atlas sampled every image.
    """
    listing = runtime.dataset(plan.seen_as(NAME)).listing
    free = np.arange(len(listing.images))
    if plan.other(NAME) is None:
        places, points = runtime.sampled(plan)
        free = np.setdiff1d(free, places[points > 0])
    return free[by_hash([listing.images[place] for place in free.tolist()], seed)][:most]


def base_chunks(atlas: Plan, dataset: DatasetFacts, seed: int) -> list[Chunk]:
    """The chunks that run the model over the base images, a run of them each.

    Args:
        atlas: Plan of the audit's atlas.
        dataset: That the base images are of; the atlas's own, or another.
        seed: The audit's.
    """
    own = dataset.digest == atlas.dataset.digest
    count = min(MOST, dataset.images - atlas.dataset.sampled(atlas.spec) if own else dataset.images)
    # Which images the atlas leaves over hangs on how it samples: its seed need not be the audit's.
    sampled = {**atlas.spec.caps._asdict(), "samples": atlas.spec.samples, "sampled_by": atlas.spec.seed} if own else {}
    common = {"step": "base", "model": atlas.model.id, "dataset": dataset.digest, "seed": seed, **sampled}
    return [Chunk.of("publish", {"start": start, "stop": min(start + A_CHUNK, count), **common})
            for start in range(0, count, A_CHUNK)]  # fmt: skip
