"""Which icons are not to be trusted at sight, and a level's icons in numbers.

An icon under a gate keeps its place and is marked, in the API and on posters. What is measured is told as well, so
whoever wants other gates can set them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from atlas_core.fidelity import low_contrast

if TYPE_CHECKING:
    from numpy.typing import NDArray

LOWEST_COSINE = 0.26
"""Whitened cosine of a mean thumbnail alone, without a step (method.md, section 6): an icon under it shows less."""
COPIED = 0.95
"""Correlation with its own start or with an exemplar (method.md, section 6) from which on an icon is a copy."""
GRAINIEST = 0.10
"""Share of high frequencies (method.md, section 6); 80-pixel patches of photographs have .04."""
MARKS = ("low_contrast", "low_fidelity", "copy", "grain")
MEASURES = (
    "whitened_cosine", "robust", "retrieval_rank", "contrast", "high_frequency", "start_correlation",
    "exemplar_correlation",
)  # fmt: skip
"""What is measured of every icon; the correlations are NaN where there is no start or no exemplar is kept."""
MEANS = ("whitened_cosine", "robust", "contrast", "high_frequency")
SPREAD = (*MEANS, "start_correlation", "exemplar_correlation")
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)

Measured = Mapping[str, "NDArray[Any]"]
"""The measures by name, and `exemplar_contrast`, each of shape (m,)."""


def marked(measured: Measured) -> dict[str, NDArray[np.bool_]]:
    """Which icons are under which gate.

    Args:
        measured: Of the icons.

    Returns:
        By mark, shape (m,): `low_contrast` as in `fidelity.low_contrast`, `low_fidelity` under .26 whitened cosine,
        `copy` over .95 correlation with its start or an exemplar, `grain` over .10 high frequencies.
    """
    likest = np.fmax(measured["start_correlation"], measured["exemplar_correlation"])  # NaN only where both are
    return {
        "low_contrast": low_contrast(measured["contrast"], measured["exemplar_contrast"]),
        "low_fidelity": measured["whitened_cosine"] < LOWEST_COSINE,
        "copy": likest > COPIED,
        "grain": measured["high_frequency"] > GRAINIEST,
    }


def icon_entries(measured: Measured) -> list[dict[str, Any]]:
    """What a cell says of its icon: its measures, and `marks`, the names of its marks."""
    marks = marked(measured)
    return [
        {**{name: rounded(measured[name][icon]) for name in MEASURES},
         "marks": [name for name in MARKS if marks[name][icon]]}
        for icon in range(len(measured["contrast"]))
    ]  # fmt: skip


def summary(measured: Measured, cells: int) -> dict[str, Any]:
    """Icons, or other pictures in their place, in numbers.

    Args:
        measured: Of the pictures, at least one.
        cells: Cells of the level.

    Returns:
        Means; `retrieval_top1`, the share whose own cell is nearest of the level's; `retrieval_mean_rank`, the mean
        share of the other cells that are nearer, 0 best, .5 by chance; the share of each mark; and `quantiles`: at
        which, and their values by name, None where a correlation was not measured.
    """
    rank = measured["retrieval_rank"]
    return {
        **{name: rounded(np.mean(measured[name])) for name in MEANS},
        "retrieval_top1": rounded(np.mean(rank == 0)),
        "retrieval_mean_rank": rounded(np.mean(rank) / max(1, cells - 1)),
        **{f"{name}_share": rounded(np.mean(under)) for name, under in marked(measured).items()},
        "quantiles": {
            "at": list(QUANTILES),
            **{name: _quantiles(measured[name]) for name in SPREAD},
        },
    }


def rounded(value: Any) -> float | int | None:
    """A measure as it is told: counts whole, the rest to four digits, None where it was not measured."""
    if isinstance(value, np.integer):
        return int(value)
    return None if np.isnan(value) else round(float(value), 4)


def _quantiles(values: NDArray[Any]) -> list[float | int | None] | None:
    if np.isnan(values).any():
        return None
    return [rounded(value) for value in np.quantile(values.astype(np.float64), QUANTILES)]
