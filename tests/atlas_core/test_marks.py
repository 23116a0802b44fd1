from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from atlas_core.marks import MARKS, QUANTILES, icon_entries, marked, rounded, summary

GOOD = {"whitened_cosine": 0.5, "robust": 0.5, "retrieval_rank": 0, "contrast": 0.2, "high_frequency": 0.03,
        "start_correlation": 0.6, "exemplar_correlation": 0.5, "exemplar_contrast": 0.25}  # fmt: skip


def icons(*changes: dict[str, float]) -> dict[str, NDArray[Any]]:
    """Good icons but for what is said of each."""
    rows = [{**GOOD, **change} for change in changes]
    types = {name: np.int32 if name == "retrieval_rank" else np.float32 for name in GOOD}
    return {name: np.array([row[name] for row in rows], types[name]) for name in GOOD}


@pytest.mark.parametrize(
    ("change", "marks"),
    [
        ({}, []),
        ({"contrast": 0.09}, ["low_contrast"]),
        ({"contrast": 0.09, "exemplar_contrast": 0.1}, []),
        ({"whitened_cosine": 0.25}, ["low_fidelity"]),
        ({"whitened_cosine": 0.27}, []),
        ({"start_correlation": 0.96}, ["copy"]),
        ({"exemplar_correlation": 0.96}, ["copy"]),
        ({"start_correlation": np.nan, "exemplar_correlation": 0.96}, ["copy"]),
        ({"start_correlation": np.nan, "exemplar_correlation": np.nan}, []),
        ({"start_correlation": 0.94, "exemplar_correlation": 0.94}, []),
        ({"high_frequency": 0.11}, ["grain"]),
        ({"high_frequency": 0.09}, []),
        ({"high_frequency": 0.2, "whitened_cosine": 0.1}, ["low_fidelity", "grain"]),
    ],
)
def test_each_gate_by_itself(change: dict[str, float], marks: list[str]) -> None:
    (entry,) = icon_entries(icons(change))
    assert entry["marks"] == marks
    assert [name for name in MARKS if marked(icons(change))[name][0]] == marks


def test_what_was_not_measured_is_null() -> None:
    (entry,) = icon_entries(icons({"start_correlation": np.nan, "retrieval_rank": 3}))
    assert (entry["start_correlation"], entry["retrieval_rank"], entry["robust"]) == (None, 3, 0.5)
    assert "exemplar_contrast" not in entry
    assert rounded(np.float32(0.123456)) == 0.1235


def test_a_level_in_numbers() -> None:
    measured = icons(
        {"whitened_cosine": 0.2, "retrieval_rank": 2},
        {"whitened_cosine": 0.4, "exemplar_correlation": 0.99},
        {"whitened_cosine": 0.6},
        {"whitened_cosine": 0.8, "start_correlation": np.nan},
    )
    found = summary(measured, cells=5)
    assert found["whitened_cosine"] == 0.5
    assert (found["retrieval_top1"], found["retrieval_mean_rank"]) == (0.75, 0.125)
    assert {name: found[f"{name}_share"] for name in MARKS} == {
        "low_contrast": 0, "low_fidelity": 0.25, "copy": 0.25, "grain": 0,
    }  # fmt: skip
    assert found["quantiles"]["at"] == list(QUANTILES)
    assert found["quantiles"]["whitened_cosine"] == pytest.approx([0.23, 0.35, 0.5, 0.65, 0.77], abs=1e-4)
    assert found["quantiles"]["start_correlation"] is None
    assert summary(icons({}), cells=1)["retrieval_mean_rank"] == 0
