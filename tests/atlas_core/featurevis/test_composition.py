import numpy as np
import pytest
import torch

from atlas_core.cards import InputCard, LayerInfo, ReceptiveField
from atlas_core.featurevis.composition import (
    Placed,
    centres,
    own_means,
    render_composition,
    shares_at,
    start_of,
)
from atlas_core.featurevis.parameterization import colour_matrix
from atlas_core.featurevis.recipes import recipe_named
from atlas_core.whitening import Whitening
from tests.atlas_core.featurevis.test_dream import Redness

CARD = InputCard(channels=3, height=64, width=64, mean=[0.5] * 3, std=[0.25] * 3)
FIELD = ReceptiveField(size=(16, 16), jump=(4, 4), start=(2, 2))
LAYER = LayerInfo(name="red", shape=(2, 16, 16), receptive_field=FIELD)
PLAIN = Whitening(np.zeros(2, np.float32), np.eye(2, dtype=np.float32), 1.0)


def _placed(radii: tuple[float, ...] = (0.3, 0.3), seeds: np.ndarray | None = None) -> Placed:
    places = np.array([[0.25, 0.5], [0.75, 0.5], [0.5, 0.5]])[: len(radii)]
    targets = np.array([[1, 0], [0, 1], [-1, -1]], np.float32)[: len(radii)]
    return Placed(targets, places, np.array(radii), seeds)


def test_shares_sum_to_one_and_fall_off_with_the_distance_in_radii() -> None:
    placed = _placed((0.2, 0.4))
    shares = shares_at(np.array([[0.25, 0.5], [0.75, 0.5], [0.5, 0.5]]), placed)
    np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=1e-6)
    assert shares[0, 0] > 0.9 < shares[1, 1]
    # a quarter away: 1.25 and .625 radii
    expected = np.exp(-2 * 1.25**2) / (np.exp(-2 * 1.25**2) + np.exp(-2 * 0.625**2))
    assert shares[2, 0] == pytest.approx(expected, rel=1e-5)


def test_the_ground_fills_what_no_cell_reaches() -> None:
    shares = shares_at(np.array([[0.25, 0.5], [0.25, 0.0]]), _placed((0.1, 0.1, np.inf)))
    assert shares[0, 0] > 0.9
    assert shares[1, 2] > 0.99


def test_far_away_the_nearest_counts_and_nothing_is_nan() -> None:
    shares = shares_at(np.array([[0.0, 0.0]]), Placed(np.zeros((2, 2), np.float32),
                       np.array([[1.0, 1.0], [0.9, 0.9]]), np.array([0.02, 0.02]), None))  # fmt: skip
    assert shares.tolist() == [[0, 1]]


def test_a_mean_counts_points_by_how_much_they_are_a_cells_own() -> None:
    shares, values = torch.tensor([[0.75, 1e-30], [0.25, 0.0]]), torch.tensor([[1.0, 0.5], [5.0, 9.0]])
    torch.testing.assert_close(own_means(shares, values), torch.tensor([2.0, 0.5]))


def test_a_cell_too_small_for_any_position_spoils_no_picture() -> None:
    coarse = LayerInfo(name="red", shape=(2, 4, 4),
                       receptive_field=ReceptiveField(size=(16, 16), jump=(16, 16), start=(8, 8)))  # fmt: skip
    trunk = torch.nn.Sequential(Redness(), torch.nn.AvgPool2d(4))
    places, radii = np.array([[0.5, 0.5], [0.75, 0.75]]), np.array([1.0, 0.02])
    assert not shares_at(centres(coarse, (4, 4), 64, CARD), Placed(np.eye(2, dtype=np.float32), places, radii, None))[
        :, 1
    ].any()

    def composed(count: int) -> np.ndarray:
        placed = Placed(np.eye(2, dtype=np.float32)[:count], places[:count], radii[:count], None)
        return render_composition(trunk, recipe_named("pure"), placed, PLAIN, 64, 32, input=CARD, layer=coarse,
                                  colours=colour_matrix(3), key=4,
                                  device=torch.device("cpu"))  # fmt: skip

    picture = composed(2)
    assert picture.std() > 10
    assert np.abs(picture.astype(int) - composed(1)).max() <= 1


def test_positions_look_where_their_fields_are_centred() -> None:
    places = centres(LAYER, (4, 2), 16, CARD)
    assert places.shape == (8, 2)
    np.testing.assert_allclose(places[0], [2 / 16, 2 / 16])
    np.testing.assert_allclose(places[-1], [6 / 16, 14 / 16])
    tokens = LAYER.model_copy(update={"receptive_field": None})
    np.testing.assert_allclose(centres(tokens, (2, 2), 16, CARD)[3], [0.75, 0.75])


def test_a_fixed_layer_sees_the_canvas_in_the_middle_of_its_input() -> None:
    fixed = LAYER.model_copy(update={"receptive_field": None, "fixed": True})
    # of 64 pixels the four positions look at 8, 24, 40 and 56; the canvas of 32 begins at 16
    np.testing.assert_allclose(centres(fixed, (1, 4), 32, CARD)[:, 0], [-0.25, 0.25, 0.75, 1.25])


def test_a_start_has_no_seams() -> None:
    """Of one plain colour everywhere it is that colour, edges included."""
    seeds = np.zeros((1, 20, 20, 3), np.float32)
    seeds[..., 0] = 0.7
    placed = Placed(np.ones((1, 2), np.float32), np.array([[0.5, 0.5]]), np.array([0.5]), seeds)
    start = start_of(placed, recipe_named("vivid"), 32, 20, 96, 5)
    assert start.shape == (1, 3, 96, 96)
    np.testing.assert_allclose(start[:, 0], 0.7 * 1.2, rtol=1e-5)  # mean colours are raised
    assert (start[:, 1:] == 0).all()


def test_a_start_keeps_its_patterns_strength() -> None:
    seeds = np.random.default_rng(1).normal(0, 1, (1, 20, 20, 3)).astype(np.float32)
    placed = Placed(np.ones((1, 2), np.float32), np.array([[0.5, 0.5]]), np.array([0.5]), seeds)
    start = start_of(placed, recipe_named("fast"), 32, 20, 128, 5)
    assert float(start.std()) == pytest.approx(recipe_named("fast").start_deviation, rel=0.15)


@pytest.mark.parametrize("recipe", ["fast", "pure"])
def test_each_cell_shows_where_it_was_placed(recipe: str) -> None:
    seeds = np.random.default_rng(0).normal(0, 1, (2, 20, 20, 3)).astype(np.float32) if recipe == "fast" else None

    def composed() -> np.ndarray:
        return render_composition(Redness(), recipe_named(recipe), _placed(seeds=seeds), PLAIN, 64, 32, input=CARD,
                                  colours=colour_matrix(3),
                                  layer=LAYER, key=4, device=torch.device("cpu"))  # fmt: skip

    picture = composed()
    assert picture.shape == (64, 64, 3)
    seen = Redness()(torch.from_numpy(picture).permute(2, 0, 1)[None] / 255)[0]
    left, right = seen[:, 4:12, 2:6].mean(dim=(1, 2)), seen[:, 4:12, 10:14].mean(dim=(1, 2))
    assert left[0] > left[1]
    assert right[1] > right[0]
    np.testing.assert_array_equal(picture, composed())
