"""The best few samples of each query, picked from blocks of similarities, with images kept apart.

The rule for ties is the same everywhere: of equal similarities the sample that was offered first is taken.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from atlas_core.compiled import compiled
from atlas_core.errors import LayoutError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

BLOCK_CELLS = 8_000_000
"""Similarities held at once, 32 MB."""
ROWS_A_STEP = 65_536
NO_IMAGE = -1
"""Image of a query that comes from no image of the atlas: nothing is left out for it."""


@dataclass(frozen=True)
class Nearest:
    """Lists that are filled by `offer`, each sorted from the most similar to the least.

    Args:
        similarity: Shape (queries, k) float32; minus infinity where the list is not full.
        index: Sample of each entry, shape (queries, k) int64; -1 where the list is not full.
        image: Image of each entry, shape (queries, k) int64.
    """

    similarity: NDArray[np.float32]
    index: NDArray[np.int64]
    image: NDArray[np.int64]

    @classmethod
    def empty(cls, queries: int, k: int) -> Nearest:
        """Lists of k places for so many queries."""
        return cls(
            similarity=np.full((queries, k), -np.inf, dtype=np.float32),
            index=np.full((queries, k), -1, dtype=np.int64),
            image=np.full((queries, k), -1, dtype=np.int64),
        )

    def offer(
        self,
        similarities: NDArray[np.float32],
        samples: NDArray[np.int64],
        sample_images: NDArray[np.int64],
        query_images: NDArray[np.int64],
        *,
        one_an_image: bool = False,
        lists: NDArray[np.int64] | None = None,
    ) -> None:
        """Take a block of samples into the lists.

        Args:
            similarities: Of every query to every sample of the block, shape (queries, b) float32; greater is nearer.
            samples: Indices of the block's samples, shape (b,).
            sample_images: Their images, shape (b,).
            query_images: Image whose samples a query must not take, shape (queries,); `NO_IMAGE` takes all.
            one_an_image: Keep at most one sample of an image in a list, its most similar.
            lists: The list of each query, shape (queries,), all different; by default query i has list i.
        """
        _offer(
            similarities,
            np.arange(len(similarities)) if lists is None else lists,
            samples,
            sample_images,
            query_images,
            one_an_image,
            self.similarity,
            self.index,
            self.image,
        )


def _offer_rows(
    similarities: Any,
    lists: Any,
    samples: Any,
    sample_images: Any,
    query_images: Any,
    one_an_image: bool,
    best_similarity: Any,
    best_index: Any,
    best_image: Any,
) -> None:
    k = best_index.shape[1]
    for query in range(similarities.shape[0]):
        own = lists[query]
        worst = best_similarity[own, k - 1]
        for column in range(similarities.shape[1]):
            similarity = similarities[query, column]
            if not similarity > worst or sample_images[column] == query_images[query]:
                continue
            last = k - 1  # the place that is given up
            if one_an_image:
                for place in range(k):
                    if best_index[own, place] >= 0 and best_image[own, place] == sample_images[column]:
                        last = place
                        break
                if best_index[own, last] >= 0 and not similarity > best_similarity[own, last]:
                    continue
            place = last
            while place > 0 and similarity > best_similarity[own, place - 1]:
                best_similarity[own, place] = best_similarity[own, place - 1]
                best_index[own, place] = best_index[own, place - 1]
                best_image[own, place] = best_image[own, place - 1]
                place -= 1
            best_similarity[own, place] = similarity
            best_index[own, place] = samples[column]
            best_image[own, place] = sample_images[column]
            worst = best_similarity[own, k - 1]


_offer = compiled(_offer_rows)


def unit_rows(activations: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """Divide every row by its Euclidean length; a row of zeros stays as it is.

    Args:
        activations: Shape (n, channels), any float type.

    Returns:
        Unit rows, shape (n, channels) float32.

    Raises:
        LayoutError: The array is not two-dimensional or holds a number that is not finite.
    """
    if activations.ndim != 2 or activations.shape[1] == 0:
        raise LayoutError(f"activations need the shape (samples, channels), got {activations.shape}")
    rows = activations.astype(np.float32)
    # A float32 square of a float16 cannot overflow; sums run in float64 for large or tiny float32 input.
    length = np.sqrt(np.einsum("ij,ij->i", rows, rows, dtype=np.float64))
    if not np.isfinite(length).all():
        bad = int(np.flatnonzero(~np.isfinite(length))[0])
        raise LayoutError(f"sample {bad} holds a number that is not finite; check the model's normalisation")
    rows /= np.where(length > 0, length, 1.0).astype(np.float32)[:, None]
    return rows


def offer_rows(
    best: Nearest, targets: NDArray[np.float32], rows: NDArray[np.float32], first: int, images: NDArray[np.int64]
) -> None:
    """Offer some of a layer's samples to targets, such as the means of cells; a list takes at most one of an image.

    Args:
        best: The lists, one a target.
        targets: Unit rows, shape (m, channels).
        rows: Unit rows of samples, shape (some, channels).
        first: Number of the first of them; the others follow.
        images: Their images, shape (some,).
    """
    nobody = np.full(len(targets), NO_IMAGE, dtype=np.int64)
    step = max(1, BLOCK_CELLS // max(1, len(targets)))
    for start in range(0, len(rows), step):
        some = rows[start : start + step]
        samples = np.arange(first + start, first + start + len(some))
        best.offer(targets @ some.T, samples, images[start : start + step], nobody, one_an_image=True)


def _exact_distance_rows(queries: Any, rows: Any, candidates: Any, distance: Any) -> None:
    for query in range(candidates.shape[0]):
        for place in range(candidates.shape[1]):
            other = candidates[query, place]
            if other < 0:
                distance[query, place] = np.inf
                continue
            total = 0.0
            for channel in range(rows.shape[1]):
                total += np.float64(queries[query, channel]) * np.float64(rows[other, channel])
            distance[query, place] = min(2.0, max(0.0, 1.0 - total))


_exact_distances = compiled(_exact_distance_rows, fast=True)


def exact_distances(
    queries: NDArray[np.float32], rows: NDArray[np.float32], candidates: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Cosine distances of each query to its candidates, pair by pair: no other pair and no thread touches the sum.

    Args:
        queries: Unit rows, shape (q, channels).
        rows: Unit rows of the samples, shape (n, channels).
        candidates: Samples to measure for each query, shape (q, c); -1 for none.

    Returns:
        Distances in [0, 2], shape (q, c); infinite for none.
    """
    distance = np.empty(candidates.shape, dtype=np.float64)
    _exact_distances(queries, rows, candidates, distance)
    return distance


def propose_all(
    queries: NDArray[np.float32],
    query_images: NDArray[np.int64],
    rows: NDArray[np.float32],
    row_images: NDArray[np.int64],
    candidates: NDArray[np.int64],
    *,
    only: NDArray[np.int64] | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> None:
    """Compare queries with every sample and fill in the most similar.

    A matmul's sums hang on the number of threads, so these are candidates; `ranked` takes their distances anew.

    Args:
        queries: Unit rows, shape (q, channels).
        query_images: Image whose samples a query must not take, shape (q,); `NO_IMAGE` takes all.
        rows: Unit rows of the samples, shape (n, channels).
        row_images: Their images, shape (n,).
        candidates: Filled in place, shape (q, c); -1 where there are fewer samples.
        only: Queries to look at, the others are done; all by default.
        on_progress: Called with (queries done, queries); raising in it cancels.
    """
    only = np.arange(len(queries)) if only is None else only
    everyone = np.arange(len(rows))
    block = max(1, BLOCK_CELLS // max(1, len(rows)))
    report = on_progress or (lambda _done, _queries: None)
    for first in range(0, len(only), block):
        some = only[first : first + block]
        best = Nearest.empty(len(some), candidates.shape[1])
        best.offer(queries[some] @ rows.T, everyone, row_images, query_images[some])
        candidates[some] = best.index
        report(len(queries) - len(only) + first + len(some), len(queries))
    if len(only) == 0:
        report(len(queries), len(queries))


def ranked(
    queries: NDArray[np.float32], rows: NDArray[np.float32], candidates: NDArray[np.int64], k: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The k nearest of each query's candidates by cosine, sorted by distance, then by index.

    Args:
        queries: Unit rows, shape (q, channels).
        rows: Unit rows of the samples, shape (n, channels).
        candidates: Samples, shape (q, c) with c at least k; -1 for none.
        k: Samples wanted.

    Returns:
        Samples and their cosine distances, each of shape (q, k); infinitely far where there are fewer.
    """
    index, distance = np.empty((len(queries), k), np.int64), np.empty((len(queries), k))
    for first in range(0, len(queries), ROWS_A_STEP):
        block = slice(first, first + ROWS_A_STEP)
        far = exact_distances(queries[block], rows, candidates[block])
        order = np.lexsort((candidates[block], far), axis=1)[:, :k]
        index[block] = np.take_along_axis(candidates[block], order, axis=1)
        distance[block] = np.take_along_axis(far, order, axis=1)
    return index, distance
