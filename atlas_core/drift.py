"""Do two sets of images differ, where, and what difference could have been seen? method.md, section 10.

All tests permute whole images: the positions of an image hang together, so permuting positions would find drift in a
third of all sets that have none. Whether there is drift is told by the maximum mean discrepancy of the images' mean
unit activations, where it is by the counts of the map's cells.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

WIDTH_IMAGES = 1000
"""Images, drawn of all, whose median distance is the kernel's width."""
BLOCK = 128
"""Permutations at a time: what is held is a few times this, times the images."""
POWER_DEVIATIONS = 0.8416
"""Standard deviations below a normal's mean above which 80 % of it lie."""
KINDS = 100
KIND_SHARE = 0.1
ROUNDING = 1e-12
"""Two ways of summing the same numbers differ by less; what differs by less than this is equal."""

OnProgress = Callable[[int, int], None]


@dataclass(frozen=True)
class Measured:
    """A statistic beside what it is where there is no difference.

    Args:
        value: Of the two sets.
        null: Of permuted ones, shape (permutations,).
    """

    value: float
    null: NDArray[np.float64]

    @property
    def p(self) -> float:
        """Share of permutations at least as far apart, these two sets counted among them."""
        return float((1 + (self.null >= self.value - ROUNDING).sum()) / (1 + len(self.null)))

    @property
    def excess(self) -> float:
        """What is left of the value beyond the null's mean."""
        return float(self.value - self.null.mean())

    @property
    def z(self) -> float:
        """The excess in standard deviations of the null; 0 where nothing varies."""
        deviation = float(self.null.std())
        return self.excess / deviation if deviation > ROUNDING else 0.0


class Counted(NamedTuple):
    """Two sets by categories, such as cells.

    Attributes:
        distance: Jensen-Shannon distance of their shares, 0 to 1.
        shares: Of the first and of the second set in each category, shape (2, c).
        p: For each category, two-sided, that the shares differ so much by chance, shape (c,).
    """

    distance: Measured
    shares: NDArray[np.float64]
    p: NDArray[np.float64]


def memberships(first: int, second: int, permutations: int, seed: int) -> Iterator[NDArray[np.float64]]:
    """Who is in the first set, in blocks of rows of 0 and 1: as it is, then as it is permuted.

    Args:
        first: Images of the first set, those ahead of the others.
        second: Images of the second set.
        permutations: How many.
        seed: Of all that is random.

    Yields:
        Shape (rows, first + second), permutations + 1 rows in all.
    """
    rng = np.random.Generator(np.random.Philox(seed))
    own = np.concatenate([np.ones(first), np.zeros(second)])
    yield own[None]
    for start in range(0, permutations, BLOCK):
        yield rng.permuted(np.tile(own, (min(BLOCK, permutations - start), 1)), axis=1)


def kernel(features: NDArray[np.floating], seed: int) -> NDArray[np.float64]:
    """Gaussian kernel of images, its width the median of their distances, with zeros on its diagonal.

    Args:
        features: Of all images, shape (n, channels).
        seed: Draws the images of which the width is taken where there are very many.

    Returns:
        Shape (n, n).
    """
    rows = np.asarray(features, dtype=np.float64)
    squared = rows @ rows.T
    squared *= -2
    length = np.einsum("ij,ij->i", rows, rows)
    squared += length[:, None]
    squared += length
    np.maximum(squared, 0, out=squared)
    width = _median_squared(squared, seed)
    squared /= -2 * (width if width > 0 else 1.0)
    np.exp(squared, out=squared)
    np.fill_diagonal(squared, 0)
    return squared


def _median_squared(squared: NDArray[np.float64], seed: int) -> float:
    drawn = np.arange(len(squared))
    if len(drawn) > WIDTH_IMAGES:
        drawn = np.random.Generator(np.random.Philox(seed)).permutation(drawn)[:WIDTH_IMAGES]
    return float(np.median(squared[np.ix_(drawn, drawn)][np.triu_indices(len(drawn), 1)]))


def discrepancy(
    kernel: NDArray[np.float64], first: int, permutations: int, seed: int, on_progress: OnProgress | None = None
) -> Measured:
    """Squared maximum mean discrepancy of two sets (unbiased: around 0, and below it, where they do not differ).

    Args:
        kernel: From `kernel`, the first set's images ahead of the second's, shape (n, n).
        first: Images of the first set, at least 2, as of the second.
        permutations: How many.
        seed: Of these.
        on_progress: Called with (done, permutations); cancels by raising.
    """
    second = len(kernel) - first
    sums = kernel.sum(axis=1)
    total = sums.sum()
    found: list[NDArray[np.float64]] = []
    for members in memberships(first, second, permutations, seed):
        within = np.einsum("bi,bi->b", members @ kernel, members)
        between = members @ sums - within
        rest = total - within - 2 * between
        found.append(within / (first * (first - 1)) + rest / (second * (second - 1)) - 2 * between / (first * second))
        if on_progress is not None:
            on_progress(min(BLOCK * (len(found) - 1), permutations), permutations)
    values = np.concatenate(found)
    return Measured(float(values[0]), values[1:])


def counted(counts: NDArray[np.integer], first: int, permutations: int, seed: int) -> Counted:
    """Compare two sets of images by how often each category occurs in them.

    Args:
        counts: Of each image, the first set's ahead of the second's, shape (n, c).
        first: Images of the first set.
        permutations: How many.
        seed: Of these.
    """
    per_image = counts.astype(np.float64)
    total = per_image.sum(axis=0)
    own = np.stack([_shares(per_image[:first].sum(axis=0)), _shares(per_image[first:].sum(axis=0))])
    apart = np.abs(own[0] - own[1])
    distances, exceeding = [], np.zeros(len(total))
    for members in memberships(first, len(counts) - first, permutations, seed):
        mine = members @ per_image
        one, other = _shares(mine), _shares(total - mine)
        distances.append(_jensen_shannon(one, other))
        exceeding += (np.abs(one - other) >= apart - ROUNDING).sum(axis=0)
    values = np.concatenate(distances)
    return Counted(Measured(float(values[0]), values[1:]), own, exceeding / (1 + permutations))


def _shares(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(counts / np.maximum(counts.sum(axis=-1, keepdims=True), 1))


def _jensen_shannon(p: NDArray[np.float64], q: NDArray[np.float64]) -> NDArray[np.float64]:
    """Square root of the Jensen-Shannon divergence to base 2, over the last axis."""
    middle = (p + q) / 2

    def towards(shares: NDArray[np.float64]) -> NDArray[np.float64]:
        there = shares > 0
        ratio = np.divide(shares, middle, out=np.ones_like(shares), where=there)
        return np.asarray((shares * np.log2(ratio)).sum(axis=-1))

    return np.asarray(np.sqrt(np.maximum((towards(p) + towards(q)) / 2, 0)))


def smallest_share(kernel: NDArray[np.float64], first: int, tested: Measured, alpha: float, seed: int) -> float | None:
    """The smallest share of images of one kind in the place of others that would have been found 4 times in 5.

    A kind is the tenth of the first set that is nearest to one of its images; the answer is the median over kinds.
    Where a share s of images is replaced by those of a kind, the means of the two sets differ by s times what the
    kind's mean differs from the whole's; the statistic is then normal about the square of that, its variance the null's
    and 4 s² times the variance over images of what tells the kind from the whole.

    Args:
        kernel: From `kernel`.
        first: Images of the first set.
        tested: From `discrepancy`.
        alpha: Under which p counts as found.
        seed: Draws the kinds.

    Returns:
        0 to 1; None where a set made of the kind alone would not have been found.
    """
    critical = float(np.quantile(tested.null, 1 - alpha, method="higher"))
    noise = float(tested.null.var())
    per_image = 1 / first + 1 / (len(kernel) - first)
    own = kernel[:first, :first]
    drawn = np.random.Generator(np.random.Philox(seed)).permutation(first)[:KINDS]
    found = [_share(*_kind(own, int(image)), critical, noise, per_image) for image in drawn]
    median = float(np.median([np.inf if share is None else share for share in found]))
    return median if median <= 1 else None


def _kind(own: NDArray[np.float64], image: int) -> tuple[float, float]:
    """Squared distance of a kind's mean from the whole's, and the variance of what tells them apart."""
    n = len(own)
    size = max(2, round(KIND_SHARE * n))
    likeness = own[image].copy()
    likeness[image] = np.inf
    members = np.sort(np.argpartition(-likeness, size - 1)[:size])
    to_kind, to_all = own[:, members].sum(axis=1), own.sum(axis=1)
    within = to_kind[members].sum() / (size * (size - 1))
    between = to_all[members].sum() / (size * (n - 1))
    whole = to_all.sum() / (n * (n - 1))
    others = np.full(n, size, dtype=np.float64)
    others[members] -= 1
    return float(within - 2 * between + whole), float((to_all / (n - 1) - to_kind / others).var())


def _share(apart: float, variance: float, critical: float, noise: float, per_image: float) -> float | None:
    """The share of a kind at which 80 % of what the statistic then may be lie above the critical value."""

    def enough(share: float) -> bool:
        deviation = np.sqrt(noise + 4 * share**2 * variance * per_image)
        return bool(share**2 * apart - critical >= POWER_DEVIATIONS * deviation)

    low, high = 0.0, 1.0
    if not enough(high):
        return None
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high
