"""Counting, naming, likeness and what the table makes of runs."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from atlas_core.featurevis.recipes import RECIPES
from benchmarks.rendering.runs import (
    Run,
    chosen_cells,
    like_exemplars,
    multiply_adds,
    notebook_run,
    peak_memory,
    recipe_run,
)
from benchmarks.rendering.served import decode, encode
from benchmarks.rendering.table import layer_rows, named_runs, of_tries, strongest


def test_multiply_adds_of_a_convolution_forward_and_to_its_input() -> None:
    layer = nn.Conv2d(2, 4, 3, padding=1, bias=False).requires_grad_(False)
    pixels = torch.rand(1, 2, 5, 5, requires_grad=True)
    forward = 5 * 5 * 4 * 2 * 9
    assert multiply_adds(lambda: layer(pixels)) == forward
    assert multiply_adds(lambda: layer(pixels).sum().backward()) == 2 * forward
    layer.requires_grad_(True)
    assert multiply_adds(lambda: layer(pixels).sum().backward()) == 3 * forward  # with the weights' gradients


def test_cells_are_spread_evenly() -> None:
    assert chosen_cells(10, 4).tolist() == [0, 3, 6, 9]
    assert chosen_cells(3, None).tolist() == [0, 1, 2]
    assert chosen_cells(3, 7).tolist() == [0, 1, 2]


def test_a_run_s_name_changes_with_any_option_of_its_recipe() -> None:
    fast = RECIPES["fast"]
    changed = [dataclasses.replace(fast, steps=0), dataclasses.replace(fast, version=fast.version + 1)]
    assert len({recipe_run(recipe) for recipe in (fast, *changed)}) == 3
    assert recipe_run(fast) == recipe_run(dataclasses.replace(fast))


@pytest.mark.parametrize(("share", "canvas"), [(0.5, 40), (2.0, 160)])
def test_icons_and_exemplars_are_compared_over_what_both_show(share: float, canvas: int) -> None:
    window = np.random.default_rng(1).integers(0, 255, (1, 80, 80, 3), dtype=np.uint8)
    thumbnail = window.reshape(1, 20, 4, 20, 4, 3).mean(axis=(2, 4)).round().astype(np.uint8)
    if share < 1:
        icon = window[:, 20:60, 20:60]
    else:
        icon = np.full((1, canvas, canvas, 3), 128, np.uint8)
        icon[:, 40:120, 40:120] = window
    others = np.stack([255 - thumbnail, thumbnail], axis=1)
    assert like_exemplars(icon, others, share)[0] > 0.99
    assert like_exemplars(icon, others[:, :1], share)[0] < -0.99


def test_icons_come_back_from_a_tile_in_their_order() -> None:
    colours = np.arange(12) * 20
    icons = np.broadcast_to(colours[:, None, None, None], (12, 16, 16, 3)).astype(np.uint8)
    served = decode(encode(icons), 12, 16)
    assert np.abs(served.mean(axis=(1, 2, 3)) - colours).max() < 3


def test_peak_memory_sees_what_was_allocated_and_let_go() -> None:
    with peak_memory("cpu") as peak:
        before = peak()
        np.ones(64 * 2**20, np.uint8)
        assert peak() - before > 50


def _run(cosines: list[float], gains: list[float] | None = None, seconds: float = 2.0, level: int = 100) -> Run:
    count = len(cosines)
    icons = np.full((count, 16, 16, 3), level, np.uint8)
    columns: dict[str, np.ndarray] = {
        "cell": np.arange(count), "whitened_cosine": np.array(cosines), "robust": np.array(cosines),
        "retrieval_rank": np.arange(count), "contrast": np.full(count, 0.2), "high_frequency": np.full(count, 0.01),
        "low_contrast": np.zeros(count, bool),
    }  # fmt: skip
    if gains is not None:
        columns["gain"] = np.array(gains)
    facts = {"size": 16, "seconds": [seconds], "multiply_adds": 3 * 10**9, "peak_mib": 5.0, "device": "CPU"}
    return Run(columns, encode(icons), facts)


def test_a_run_survives_being_written(tmp_path: Path) -> None:
    run = _run([0.1, 0.2])
    run.write(tmp_path / "a" / "run.safetensors")
    again = Run.read(tmp_path / "a" / "run.safetensors")
    assert again.facts == run.facts
    assert again.columns["whitened_cosine"].tolist() == [0.1, 0.2]
    np.testing.assert_array_equal(again.icons, run.icons)


def test_of_three_tries_each_icon_takes_its_best_and_pays_for_all() -> None:
    runs = {
        notebook_run("affine", "code", 0.05, 0): _run([0.1, 0.2], [5, 1], level=50),
        notebook_run("affine", "code", 0.05, 1): _run([0.3, 0.4], [4, 2], level=200),
        notebook_run("affine", "code", 0.05, 2): _run([0.5, 0.6], [3, 0]),
    }
    joined = of_tries(list(runs.values()))
    assert joined.columns["whitened_cosine"].tolist() == [0.1, 0.4]
    assert [round(icon.mean() / 50) for icon in joined.icons] == [1, 4]
    best = strongest(runs, "affine", 3)
    assert best is not None
    assert best[1].facts["multiply_adds"] == 9 * 10**9
    assert best[1].facts["seconds"] == [6.0]


def test_the_best_learning_rate_counts() -> None:
    runs = {
        notebook_run("affine", "code", 0.05, 0): _run([0.1], [1]),
        notebook_run("affine", "code", 0.1, 0): _run([0.3], [0]),
    }
    best = strongest(runs, "affine", 1)
    assert best is not None
    assert best[0] == "code at 0.1"
    assert strongest(runs, "affine", 3) is None
    assert strongest({}, "affine", 1) is None


def test_rows_are_compared_with_one_try_of_the_notebook() -> None:
    fast = _run([0.5, 0.6], seconds=0.5)
    fast.facts["multiply_adds"] = 10**9
    start = recipe_run(dataclasses.replace(RECIPES["fast"], steps=0))
    runs = {
        notebook_run("affine", "code", 0.05, 0): _run([0.1, 0.3], [1, 1]),
        recipe_run(RECIPES["fast"]): fast,
        start: fast,
    }
    assert list(named_runs(runs)) == ["(a) notebook, one try, code at 0.05", "(c) fast", "start of fast alone"]
    notebook, ours, _ = layer_rows(runs)
    assert notebook["faster"] == notebook["cheaper"] == 1
    assert ours["faster"] == 4
    assert ours["cheaper"] == 3
    assert ours["whitened_cosine"] == pytest.approx(0.55)
    assert ours["nearest"] == 0.5
    assert ours["like_start"] == 0.0  # plain icons have no pattern to be copied
    assert notebook["like_start"] is None
