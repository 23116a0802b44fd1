"""Lay the fine structure of one class's pictures over others: what no crop carries, a texture all over them.

Its phases are drawn anew, so that no thing of those pictures is left in it, only how it is grained: stripes of a width
and a direction stay stripes, the pattern of a wing does not stay a wing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from atlas_core.audit.pasting import chance

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from atlas_core.stages.bench import Bases
    from atlas_core.stages.shortcuts import ShortcutAudit

    Pixels = NDArray[np.uint8]

DONORS = 100
BLUR = 0.06
"""Deviation of the blur that is left away, in shorter sides: what repeats within a sixth of the side stays."""
SHOWN = 8


def laid_over(pictures: Pixels, donors: Pixels, noise: NDArray[np.float64]) -> Pixels:
    """Pictures with the grain of others added to them, shape (n, height, width, channels).

    Args:
        pictures: Base images.
        donors: What is finer in them than the blur is taken, by its spectrum.
        noise: Whose phases are added, all channels' alike, shape (n, height, width).
    """
    from scipy.ndimage import gaussian_filter  # slow to load

    deviation = BLUR * min(pictures.shape[1:3])
    wide = donors.astype(np.float64)
    fine = wide - gaussian_filter(wide, (0, deviation, deviation, 0), mode="reflect")
    turned = np.fft.rfft2(noise)
    turned /= np.maximum(np.abs(turned), np.finfo(np.float64).tiny)
    grain = np.fft.irfft2(np.fft.rfft2(fine, axes=(1, 2)) * turned[..., None], s=fine.shape[1:3], axes=(1, 2))
    return np.asarray(np.clip(np.rint(pictures + grain), 0, 255), np.uint8)


def noise_of(seed: int, target: int, rows: Sequence[int], shape: tuple[int, int]) -> NDArray[np.float64]:
    """Noise of some pastes, each a function of its number alone, shape (n, height, width)."""
    return np.stack([chance("grain", seed, target, row).standard_normal(shape) for row in rows])


def transplanted(audit: ShortcutAudit, bases: Bases, target: int) -> dict[str, Any]:
    """How many pictures of other classes turn into a class with the grain of its pictures laid over them."""
    bench = audit.bench
    donors = bench.controls(target, DONORS, "donors")
    allowed = np.flatnonzero(bases.label != target)
    random = chance("transplants", audit.seed, target)
    chosen = np.concatenate([random.permutation(allowed) for _ in range(2)])[: audit.options.confirm]
    if not donors or not len(chosen):
        return {"target": target, "hits": 0, "n": 0, "images": len(donors), "bases": 0, "shown": []}
    given = np.arange(len(chosen)) % len(donors)
    stacked = np.stack(donors)
    rows, shape = range(len(chosen)), bases.pixels.shape[1:3]
    logits = bench.passes.run(len(chosen), lambda some: laid_over(
        bases.pixels[chosen[some]], stacked[given[some]], noise_of(audit.seed, target, rows[some], shape)))  # fmt: skip
    flipped = logits.argmax(axis=1) == target
    return {"target": target, "hits": int(flipped.sum()), "n": len(flipped), "images": len(donors),
            "bases": len(np.unique(chosen)),
            "shown": [{"place": int(bases.place[chosen[row]]), "donor": int(given[row]), "row": row}
                      for row in np.flatnonzero(flipped)[:SHOWN].tolist()]}  # fmt: skip
