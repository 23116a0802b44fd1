import numpy as np

from atlas_core.sheets import LARGEST_SIDE, compose_sheet, in_rows


def _plain(*shades: int) -> list[np.ndarray]:
    return [np.full((4, 6, 3), shade, np.uint8) for shade in shades]


def test_pictures_stand_where_they_belong_with_the_least_place_first() -> None:
    sheet = compose_sheet(_plain(10, 20), np.array([[7, 3], [8, 4]]))
    assert sheet.shape == (8, 12, 3)
    assert (sheet[:4, :6] == 10).all()
    assert (sheet[4:, 6:] == 20).all()
    assert (sheet[:4, 6:] == 255).all()


def test_a_gap_is_between_places_only() -> None:
    sheet = compose_sheet(_plain(10, 20), in_rows(2), gap=3)
    assert sheet.shape == (4, 15, 3)
    assert (sheet[:, 6:9] == 255).all()
    assert (sheet[:, 9:] == 20).all()


def test_a_share_is_of_the_side_and_stands_in_the_middle() -> None:
    sheet = compose_sheet([np.zeros((8, 8, 3), np.uint8)], np.array([[0, 0]]), np.array([0.5]))
    assert (sheet[2:6, 2:6] == 0).all()
    assert (sheet == 0).sum() == 4 * 4 * 3


def test_a_large_sheet_shrinks() -> None:
    pictures = [np.zeros((100, 100, 3), np.uint8)] * 2
    assert max(compose_sheet(pictures, np.array([[0, 0], [99, 0]])).shape) <= LARGEST_SIDE


def test_an_icon_under_a_gate_has_a_dot_in_its_corner() -> None:
    sheet = compose_sheet([np.zeros((32, 32, 3), np.uint8)] * 2, in_rows(2), marked=[False, True])
    assert (sheet[:, :32] == 0).all()
    assert sheet[:16, 48:].max() > 100
    assert (sheet[16:] == 0).all()


def test_rows_of_ten() -> None:
    assert in_rows(12)[[0, 9, 10]].tolist() == [[0, 0], [9, 0], [0, 1]]
