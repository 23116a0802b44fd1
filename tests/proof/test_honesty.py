"""Issue 4, done when 2: icons beside their starts and real patches, and how many of them are marked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.proof.conftest import Build, InRecipe, Report

pytestmark = pytest.mark.proof
RECIPES = ("fast", "detail", "vivid", "pure")
TOLD = ("whitened_cosine", "robust", "retrieval_top1", "contrast", "high_frequency", "low_contrast_share",
        "low_fidelity_share", "copy_share", "grain_share")  # fmt: skip
LOW_IN_CONTRAST = {"fast": 0.05, "detail": 0.05, "vivid": 0.03, "pure": 0.03}


@pytest.fixture(scope="session", params=["imagenet", "cifar"])
def in_recipe(request: pytest.FixtureRequest) -> InRecipe:
    """Both atlases, each in any recipe."""
    made: InRecipe = request.getfixturevalue(f"{request.param}_in")
    return made


def _levels(build: Build) -> list[tuple[str, dict[str, Any]]]:
    return [(layer, level) for layer, entry in build.manifest["layers"].items() for level in entry["levels"]]


def _beside(build: Build, layer: str) -> dict[str, Any]:
    return dict(build.manifest["layers"][layer]["levels"][0]["icons"]["beside"])


def _tell(report: Report, what: str, row: dict[str, Any]) -> None:
    report(what, **{name: row[name] for name in TOLD})


@pytest.mark.parametrize("recipe", RECIPES)
def test_start_alone_loses_to_every_recipe(in_recipe: InRecipe, recipe: str, report: Report) -> None:
    build, detail = in_recipe(recipe), in_recipe("detail")
    for layer in build.manifest["layers"]:
        beside = _beside(build, layer)
        start = beside["start_alone"] or _beside(detail, layer)["start_alone"]  # pure has none: detail's, same cells
        _tell(report, f"{recipe} {layer}, {beside['cells']} cells", beside["icons"])
        _tell(report, f"start alone, {layer}", start)
        assert beside["icons"]["whitened_cosine"] >= start["whitened_cosine"] + 0.1, layer


def test_nearest_real_patch_loses_to_detail(in_recipe: InRecipe, report: Report) -> None:
    detail = in_recipe("detail")
    for layer in detail.manifest["layers"]:
        beside = _beside(detail, layer)
        _tell(report, f"detail {layer}, {beside['cells']} cells", beside["icons"])
        _tell(report, f"nearest real patch, {layer}", beside["nearest_real_patch"])
        assert beside["icons"]["whitened_cosine"] >= beside["nearest_real_patch"]["whitened_cosine"] + 0.05, layer


@pytest.mark.parametrize("recipe", RECIPES)
def test_few_icons_are_copies_or_low_in_contrast(in_recipe: InRecipe, recipe: str, report: Report) -> None:
    for layer, level in _levels(in_recipe(recipe)):
        _tell(report, f"{recipe} {layer} side {level['side']}, {level['cells']} cells", level["icons"])
        assert level["icons"]["copy_share"] <= 0.05, (layer, level["side"])
        assert level["icons"]["low_contrast_share"] <= LOW_IN_CONTRAST[recipe], (layer, level["side"])
