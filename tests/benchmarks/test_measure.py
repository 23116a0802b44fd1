"""From cards to prepared cells, runs and a table, on a network and pictures small enough for a test."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from benchmarks import render
from benchmarks.rendering.measure import Bounds, folder_of, measure_file, reading
from benchmarks.rendering.prepared import Prepared
from benchmarks.rendering.runs import Run
from benchmarks.rendering.table import write_table
from tests.tiny import LAYER


def test_prepared_cells_are_read_as_they_were_written(prepared_file: Path) -> None:
    prepared = Prepared.read(prepared_file)
    (cells,) = prepared.cells
    assert [layer.name for layer in prepared.layers] == [LAYER]
    assert len(cells) >= 3
    assert cells.mean.shape == (len(cells), 128)
    assert cells.seed.shape == (len(cells), 20, 20, 3)
    assert cells.judge_mean.shape == (len(cells), 48)  # trained here: the input is small
    second = np.linalg.inv(cells.inverse.astype(np.float64))
    assert np.linalg.eigvalsh(second).min() > 0
    assert prepared.model().layer(LAYER).shape == (128, 7, 7)


def test_runs_are_measured_once_and_told(prepared_file: Path) -> None:
    file, folder = prepared_file, prepared_file.parent
    bounds = Bounds(icons=3, batch=2, only=("patch", "fast", "pure"))
    measure_file(file, folder, "cpu", bounds)
    runs = folder_of(file, folder, "cpu", 3) / "0"
    fast, start = (Run.read(path) for path in sorted(runs.glob("fast*"), key=lambda path: -_steps(path)))
    assert fast.facts["multiply_adds"] > start.facts["multiply_adds"] >= 0
    assert np.median(fast.columns["whitened_cosine"]) > np.median(start.columns["whitened_cosine"])
    assert len(fast.facts["seconds"]) == 1
    before = {path: path.stat().st_mtime_ns for path in runs.iterdir()}
    measure_file(file, folder, "cpu", bounds)
    assert {path: path.stat().st_mtime_ns for path in runs.iterdir()} == before

    asked = reading(file, folder, 0)["cell"]
    assert len(asked) >= 3
    measure_file(file, folder, "cpu", Bounds("read", 2, only=("patch",), layers=(LAYER,)))
    read = Run.read(folder_of(file, folder, "cpu", "read") / "0" / "patch.safetensors")
    assert read.columns["cell"].tolist() == asked.tolist()
    shutil.rmtree(folder_of(file, folder, "cpu", "read"))

    text = write_table([file], folder)
    rows = {row["row"]: row for row in json.loads((folder / "table.json").read_text())[0]["rows"]}
    assert list(rows) == ["(c) fast", "(c) pure", "start of fast alone", "nearest real patch"]
    assert 0 <= rows["(c) fast"]["second"] <= 1
    assert 0 <= rows["(c) fast"]["like_start"] <= 1
    assert rows["(c) pure"]["like_start"] is None
    assert rows["nearest real patch"]["like_exemplar"] is not None
    assert rows["nearest real patch"]["giga"] == 0
    assert text.count("\n| ") == 2 + len(rows)


def test_the_command_says_what_it_needs(
    prepared_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert render.main([]) == 0
    assert "nothing measured" in capsys.readouterr().out
    for arguments, told in (
        (["table", str(tmp_path / "none")], "make it with render.py prepare"),
        (["measure", str(prepared_file), "--icons", "0"], "number of at least 1"),
        (["prepare", str(tmp_path / "no.json"), "no.json", "layer", "--folder", str(tmp_path)], "no.json"),
    ):
        with pytest.raises(SystemExit):
            render.main(arguments)
        assert told in capsys.readouterr().err


def _steps(path: Path) -> int:
    return int(Run.read(path).facts["multiply_adds"])
