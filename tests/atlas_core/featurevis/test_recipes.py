import pytest

from atlas_core.cards import InputCard, LayerInfo, ReceptiveField
from atlas_core.errors import SpecError
from atlas_core.featurevis.recipes import (
    RECIPES,
    at_layer,
    canvas_size,
    centre_positions,
    recipe_named,
    thumbnail_window,
)


def layer(size: float, jump: float) -> LayerInfo:
    field = ReceptiveField(size=(size, size), jump=(jump, jump), start=(0.5, 0.5))
    return LayerInfo(name="conv", shape=(8, 9, 9), receptive_field=field)


def card(side: int) -> InputCard:
    return InputCard(channels=3, height=side, width=side + 5, mean=[0.5] * 3, std=[0.25] * 3)


@pytest.mark.parametrize(
    ("size", "side", "fast", "vivid"),
    [
        (107, 227, 64, 80),
        (35, 227, 32, 32),
        (107, 32, 32, 32),
        (9, 20, 20, 20),
    ],
)
def test_the_canvas_is_a_share_of_the_receptive_field_within_32_and_the_input(
    size: float, side: int, fast: int, vivid: int
) -> None:
    assert canvas_size(RECIPES["fast"], layer(size, 8), card(side)) == fast
    assert canvas_size(RECIPES["vivid"], layer(size, 8), card(side)) == vivid
    assert thumbnail_window(layer(size, 8), card(side)) == vivid
    assert at_layer(RECIPES["vivid"], layer(size, 8), card(side)) == RECIPES["vivid"]


@pytest.mark.parametrize(
    ("size", "wide", "canvas", "steps"),
    [(120, 90, 80, 40), (155, 116, 82, 64), (300, 225, 159, 64), (400, 227, 161, 64)],
)
def test_a_wide_canvas_is_shrunk_in_favour_of_steps(size: float, wide: int, canvas: int, steps: int) -> None:
    vivid = RECIPES["vivid"]
    assert canvas_size(vivid, layer(size, 8), card(227)) == canvas
    assert thumbnail_window(layer(size, 8), card(227)) == wide
    used = at_layer(vivid, layer(size, 8), card(227))
    assert used.steps == steps
    assert used.steps * canvas**2 == pytest.approx(vivid.steps * wide**2, rel=0.02)  # at the same cost
    assert used.learning_rate == pytest.approx(vivid.learning_rate * (vivid.steps / steps) ** 0.5, rel=0.01)


def test_a_layer_that_is_fixed_to_the_inputs_size_takes_the_whole_input() -> None:
    fixed = layer(35, 8).model_copy(update={"fixed": True})
    assert canvas_size(RECIPES["fast"], fixed, card(96)) == thumbnail_window(fixed, card(96)) == 96
    assert canvas_size(RECIPES["fast"], layer(35, 8), card(96)) == 32
    assert at_layer(RECIPES["fast"], fixed, card(96)) == RECIPES["fast"]


def test_an_unknown_receptive_field_takes_the_whole_input_and_the_centre() -> None:
    unknown = LayerInfo(name="block", shape=(8, 9, 9))
    assert canvas_size(RECIPES["vivid"], unknown, card(96)) == 96
    assert centre_positions(unknown, 96) == 1


@pytest.mark.parametrize(
    ("stride", "canvas", "expected"), [(8, 80, 3), (16, 200, 1), (15, 200, 3), (4, 32, 3), (8, 59, 1), (8, 60, 3)]
)
def test_wide_strides_take_the_centre_alone(stride: float, canvas: int, expected: int) -> None:
    assert centre_positions(layer(107, stride), canvas) == expected


def test_recipes_are_named_and_only_pure_uses_no_data() -> None:
    assert [name for name, recipe in RECIPES.items() if not recipe.seeded] == ["pure"]
    assert recipe_named("vivid") is RECIPES["vivid"]
    with pytest.raises(SpecError, match="fast, detail, vivid, pure"):
        recipe_named("lovely")
