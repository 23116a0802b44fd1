import io

import numpy as np
import pytest
from PIL import Image

from atlas_core.pyramid import (
    compose_counts,
    compose_poster,
    compose_thumbnail,
    compose_tile,
    cut_icons,
    decode_tile,
    displayed,
    thumbnail_of_poster,
    tile_shape,
    undisplayed,
)

RED, GREEN, BLUE, BLACK = (220, 30, 30), (30, 200, 40), (30, 40, 210), (0, 0, 0)


def _icons(*colours: tuple[int, int, int], size: int = 16) -> np.ndarray:
    return np.stack([np.full((size, size, 3), colour, np.uint8) for colour in colours])


def test_icons_lie_at_their_column_and_row_with_row_0_on_top() -> None:
    places = np.array([[0, 0], [9, 0], [0, 9], [9, 9]], np.int32)
    tile = decode_tile(compose_tile(_icons(RED, GREEN, BLUE, BLACK), places, 10, 10))
    assert tile.shape == (160, 160, 4)
    for (x, y), colour in zip([(8, 8), (152, 8), (8, 152), (152, 152)], [RED, GREEN, BLUE, BLACK], strict=True):
        assert np.abs(tile[y, x, :3].astype(int) - colour).max() <= 12
        assert tile[y, x, 3] == 255
    assert tile[80, 80, 3] == 0


def test_an_icon_comes_back_from_its_tile_nearly_as_it_was() -> None:
    rng = np.random.default_rng(0)
    smooth = np.asarray(Image.fromarray(rng.integers(0, 256, (4, 4, 3), np.uint8)).resize((64, 64)))
    places = np.array([[3, 5]], np.int32)
    (icon,) = cut_icons(decode_tile(compose_tile(smooth[None], places, 10, 10)), places, 64)
    assert np.abs(icon.astype(int) - smooth).mean() < 4


def test_no_icons_are_cut_from_no_places() -> None:
    assert cut_icons(np.zeros((10, 10, 4), np.uint8), np.zeros((0, 2), np.int32), 5).shape == (0, 5, 5, 3)


def test_the_last_tiles_of_a_level_are_narrower() -> None:
    assert tile_shape(25, 0, 0) == (10, 10)
    assert tile_shape(25, 2, 1) == (5, 10)
    assert tile_shape(8, 0, 0) == (8, 8)


def test_a_poster_shows_every_tile_in_its_place_on_white() -> None:
    corner = np.array([[0, 0]], np.int32)
    tiles = {(0, 0): compose_tile(_icons(RED), corner, 10, 10), (1, 1): compose_tile(_icons(BLUE), corner, 2, 2)}
    with Image.open(io.BytesIO(compose_poster(tiles, 12, 16))) as picture:
        poster = np.asarray(picture)
    assert poster.shape == (192, 192, 3)
    assert np.abs(poster[8, 8].astype(int) - RED).max() <= 12
    assert np.abs(poster[168, 168].astype(int) - BLUE).max() <= 12
    assert poster[8, 168].tolist() == [255, 255, 255]


def test_a_marked_icon_has_a_dot_in_its_upper_right_corner_and_no_other_has() -> None:
    places = np.array([[0, 0], [1, 0]], np.int32)
    tiles = {(0, 0): compose_tile(_icons(BLUE, BLUE, size=64), places, 2, 1)}
    with Image.open(io.BytesIO(compose_poster(tiles, 2, 64, [(1, 0)], "icons pure"))) as picture:
        assert picture.info["Description"] == "icons pure"
        marked = np.asarray(picture).astype(int)
    with Image.open(io.BytesIO(compose_poster(tiles, 2, 64))) as picture:
        assert "Description" not in picture.info
        plain = np.asarray(picture).astype(int)
    rows, columns = np.nonzero((marked != plain).any(axis=2))
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (3, 12, 64 + 51, 64 + 60)
    assert marked[8, 64 + 56].tolist() == [232, 89, 12]
    assert np.abs(marked[3, 64 + 55] - 255).max() < 60  # its edge is white


@pytest.mark.parametrize("size", [4, 5, 9])
def test_a_dot_stays_within_a_tiny_icon(size: int) -> None:
    tiles = {(0, 0): compose_tile(_icons(BLUE, size=size), np.array([[0, 1]], np.int32), 2, 2)}
    with Image.open(io.BytesIO(compose_poster(tiles, 2, size, [(0, 1)]))) as picture:
        poster = np.asarray(picture)
    assert (poster[:size] == 255).all()
    assert (poster[:, size:] == 255).all()


def test_a_large_poster_shrinks_its_icons() -> None:
    tile = compose_tile(_icons(RED, size=64), np.array([[0, 0]], np.int32), 10, 10)
    with Image.open(io.BytesIO(compose_poster({(0, 0): tile}, 160, 64))) as picture:
        assert picture.size == (4000, 4000)


@pytest.mark.parametrize(("visible", "expected"), [([0], [7, 7, 7]), ([0, 1, 2], [7, 8, 9]), ([4, 0, 2], [11, 7, 9])])
def test_pictures_of_any_channels_are_shown_as_rgb_and_taken_back(visible: list[int], expected: list[int]) -> None:
    picture = np.arange(7, 12, dtype=np.uint8).reshape(1, 1, 5)
    shown = displayed(picture, visible)
    assert shown[0, 0].tolist() == expected
    assert undisplayed(shown, picture, visible).tolist() == picture.tolist()
    brighter = undisplayed(shown + 1, picture, visible)[0, 0].tolist()
    assert brighter == [value + (channel in visible) for channel, value in enumerate(range(7, 12))]


def test_without_icons_a_poster_shows_counts() -> None:
    cells = [{"column": 0, "row": 0, "count": 100}, {"column": 2, "row": 1, "count": 25}]
    with Image.open(io.BytesIO(compose_counts(cells, 3))) as picture:
        shown = np.asarray(picture)
    assert shown.shape == (48, 48, 3)
    assert [int(shown[8, 8, 0]), int(shown[24, 40, 0]), int(shown[40, 40, 0])] == [40, 125, 255]
    with Image.open(io.BytesIO(compose_counts([], 320))) as picture:
        assert picture.size == (3840, 3840)


@pytest.mark.parametrize(("size", "side"), [(16, 12), (48, 12), (3, 12)])
def test_a_thumbnail_is_a_small_square_with_every_tile_in_its_place_and_nothing_elsewhere(size: int, side: int) -> None:
    corner = np.array([[0, 0]], np.int32)
    first, last = (compose_tile(_icons(colour, size=size), corner, n, n) for colour, n in ((RED, 10), (BLUE, 2)))
    with Image.open(io.BytesIO(compose_thumbnail({(0, 0): first, (1, 1): last}, side))) as picture:
        shown = np.asarray(picture.convert("RGBA"))
    assert shown.shape == (320, 320, 4)
    cell = 320 / side
    for place, colour in ((cell / 2, RED), (10.5 * cell, BLUE)):
        assert np.abs(shown[int(place), int(place), :3].astype(int) - colour).max() <= 40
        assert shown[int(place), int(place), 3] == 255
    assert shown[int(cell / 2), int(10.5 * cell), 3] == 0


def test_a_thumbnail_without_icons_is_its_poster_made_small() -> None:
    poster = compose_counts([{"column": 1, "row": 0, "count": 100}], 2)
    with Image.open(io.BytesIO(thumbnail_of_poster(poster))) as picture:
        shown = np.asarray(picture.convert("L"))
    assert shown.shape == (320, 320)
    assert abs(int(shown[80, 240]) - 40) <= 6
    assert shown[240, 80] >= 250
