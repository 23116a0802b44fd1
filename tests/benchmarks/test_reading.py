"""Blind reading: the order tells nothing, the sheets tell no recipe, hits have an honest interval."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.reading.score import score, table, wilson
from benchmarks.reading.sheets import GRID, ICON, MARGIN, panel, shuffled, write_sheets
from benchmarks.rendering.prepare import questions
from benchmarks.rendering.runs import Run
from benchmarks.rendering.served import encode


def test_every_recipe_is_asked_on_every_cell_with_sides_in_balance() -> None:
    cells = np.arange(10, 50)
    asked = shuffled(["fast", "pure"], cells, seed=3)
    assert Counter((question.recipe, question.cell) for question in asked) == Counter(
        (recipe, cell) for recipe in ("fast", "pure") for cell in cells.tolist()
    )
    assert Counter((question.recipe, question.own) for question in asked) == {
        (recipe, side): 20 for recipe in ("fast", "pure") for side in ("left", "right")
    }
    recipes = [question.recipe for question in asked]
    assert sum(one != two for one, two in itertools.pairwise(recipes)) > 20  # one pool, well mixed
    assert asked == shuffled(["fast", "pure"], cells, seed=3)
    assert asked != shuffled(["fast", "pure"], cells, seed=4)


def test_the_other_cell_is_at_median_distance() -> None:
    angle = np.radians([0, 10, 20, 60, 90, 180])
    directions = np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)
    asked, others = questions(directions, np.array([0, 1, 2, 3, 4, 5]), seed=0)
    assert asked.tolist() == [0, 1, 2, 3, 4, 5]
    assert others[0] == 3  # at 10, 20, 60, 90 and 180 degrees
    asked, others = questions(directions, np.array([0, 1, 5]), seed=0)
    assert set(others.tolist()) <= {0, 1, 5}  # only cells with enough patches
    assert len(questions(directions, np.array([0, 1]), seed=0)[0]) == 0


def test_a_panel_shows_the_icon_between_its_patches() -> None:
    white, black = (np.full((9, 120, 120, 3), value, np.uint8) for value in (255, 0))
    picture = np.asarray(panel(7, np.full((80, 80, 3), 128, np.uint8), white, black))
    middle = picture.shape[0] // 2
    assert picture[middle, MARGIN + 20].tolist() == [255] * 3
    assert picture[middle, 2 * MARGIN + GRID + ICON // 2].tolist() == [128] * 3
    assert picture[middle, -MARGIN - 20].tolist() == [0] * 3


def test_sheets_hide_what_the_key_tells(tmp_path: Path) -> None:
    def run(level: int) -> Run:
        icons = np.full((3, 16, 16, 3), level, np.uint8)
        return Run({"cell": np.array([4, 5, 9])}, encode(icons), {"size": 16})

    reading = {
        "cell": np.array([4, 9]),
        "own_patches": np.full((2, 9, 120, 120, 3), 250, np.uint8),
        "other_patches": np.zeros((2, 9, 120, 120, 3), np.uint8),
    }
    asked = write_sheets({"fast": run(60), "pure": run(180)}, reading, tmp_path, seed=1)
    key = json.loads((tmp_path / "key.json").read_text())
    assert sorted(path.name for path in (tmp_path / "sheets").iterdir()) == ["01.png"]
    sheet = np.asarray(Image.open(tmp_path / "sheets" / "01.png"))
    height = sheet.shape[0] // 4
    for row, question in enumerate(asked):
        middle = row * height + height // 2
        bright = "left" if sheet[middle, MARGIN + 20, 0] > 128 else "right"
        assert bright == question.own == key[str(row + 1)]["own"]
        shade = int(sheet[middle, sheet.shape[1] // 2, 0])
        assert abs(shade - {"fast": 60, "pure": 180}[question.recipe]) < 4


def test_hits_are_counted_by_recipe() -> None:
    key = {
        "1": {"recipe": "fast", "own": "left"}, "2": {"recipe": "fast", "own": "right"},
        "3": {"recipe": "pure", "own": "left"},
    }  # fmt: skip
    found = score(key, {"1": "left", "2": "left"})
    assert found == {"fast": (1, 2), "pure": (0, 0)}
    assert "| fast | 1 | 2 | 50% | 9% to 91% |" in table(found)
    with pytest.raises(ValueError, match="no question 9"):
        score(key, {"9": "left"})
    with pytest.raises(ValueError, match="left or right"):
        score(key, {"1": "both"})


def test_wilson_interval_has_its_known_values() -> None:
    low, high = wilson(34, 40)
    assert (round(low, 3), round(high, 3)) == (0.709, 0.929)
    assert wilson(0, 0) == (0.0, 1.0)
    assert wilson(40, 40)[1] == pytest.approx(1.0)
    assert wilson(0, 10)[0] == 0.0
