"""The measures of cells that a heat map can be of, where it is not of a class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

Measure = Literal["count", "error", "confidence", "calibration", "coherence", "fidelity", "strongest"]
MEASURES: tuple[Measure, ...] = get_args(Measure)
LISTED = ", ".join(MEASURES)
UNITS = {"attribution": "logits", "strongest": "logits"}
SAID: Mapping[Measure, str] = {
    "count": "Samples in each cell",
    "error": "Share of images that the model gets wrong",
    "confidence": "Mean probability of the predicted class",
    "calibration": "Confidence less the share that is right",
    "coherence": "How alike the samples of each cell are",
    "fidelity": "How true each icon is to its cell",
    "strongest": "What each cell adds to its strongest class",
}
