import numpy as np
import pytest
from PIL import Image

from atlas_client.sheet import INK, Sheet, enlarged


def row_of(picture: Image.Image, y: int) -> np.ndarray:
    row: np.ndarray = np.asarray(picture)[y].astype(int)
    return row


def test_a_disc_is_full_and_a_ring_hollow() -> None:
    sheet = Sheet(60, 30)
    sheet.mark(15, 15, "disc", (200, 0, 0), 8)
    sheet.mark(45, 15, "ring", (200, 0, 0), 8)
    row = row_of(sheet.finished(), 15)
    assert row[15].tolist() == [200, 0, 0]
    assert row[45].tolist() == [255, 255, 255]
    assert np.abs(row[38] - [200, 0, 0]).max() < 10  # made smaller, edges swing a little


def test_a_cross_runs_from_corner_to_corner() -> None:
    sheet = Sheet(30, 30)
    sheet.mark(15, 15, "cross", (0, 0, 200), 8)
    picture = np.asarray(sheet.finished()).astype(int)
    for place in (10, 15, 20):
        assert picture[place, place, 0] < 120
        assert picture[30 - place, place, 0] < 120
    assert picture[15, 9].tolist() == [255, 255, 255]


def test_a_bar_is_filled_by_its_share() -> None:
    sheet = Sheet(120, 20)
    sheet.bar(10, 8, 100, 0.3)
    row = row_of(sheet.finished(), 9)
    dark = np.flatnonzero(np.abs(row - INK).max(axis=1) < 25)
    assert dark.min() == pytest.approx(10, abs=1)
    assert dark.max() == pytest.approx(40, abs=1)


def test_a_text_is_cut_to_fit() -> None:
    sheet = Sheet(400, 40)
    sheet.text(10, 5, "W" * 60, 18, width=100)
    written = np.flatnonzero((np.asarray(sheet.finished()).min(axis=2) < 200).any(axis=0))
    assert 90 < written.max() <= 111


def test_a_picture_is_pasted_where_it_belongs() -> None:
    sheet = Sheet(50, 50)
    sheet.paste(Image.new("RGB", enlarged(20, 10), (0, 0, 250)), 5, 30)
    picture = np.asarray(sheet.finished())
    assert picture[35, 15].tolist() == [0, 0, 250]
    assert picture[25, 15].tolist() == [255, 255, 255]
