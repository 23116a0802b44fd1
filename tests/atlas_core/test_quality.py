import numpy as np
import pytest

from atlas_core.quality import Answers, Quality, quality_of_cells

LOGITS = np.log(np.array([[0.75, 0.25], [0.25, 0.75], [0.5, 0.5], [0.9, 0.1]], np.float64)).astype(np.float32)
TOP_LEFT, BOTTOM_RIGHT = (0.1, 0.9), (0.9, 0.1)


@pytest.fixture
def answers() -> Answers:
    return Answers.of(np.array([2, 5, 7, 9]), np.array([0, 0, -1, 1]), LOGITS)


def test_answers_are_those_to_labelled_images(answers: Answers) -> None:
    assert answers.image.tolist() == [2, 5, 9]
    assert answers.predicted.tolist() == [0, 1, 0]
    assert answers.wrong.tolist() == [False, True, True]
    assert answers.confidence == pytest.approx([0.75, 0.75, 0.9])
    assert answers.calibration == pytest.approx(0.8 - 1 / 3)


def test_confidence_does_not_overflow() -> None:
    found = Answers.of(np.array([0]), np.array([0]), np.array([[1000.0, 0.0]], np.float32))
    assert found.confidence.tolist() == [1]


def test_an_image_counts_once_a_cell_and_unlabelled_ones_never(answers: Answers) -> None:
    image = np.array([2, 2, 2, 5, 7, 9, 9, 7, 7, 7, 2])
    points = np.array([TOP_LEFT] * 5 + [BOTTOM_RIGHT] * 2 + [(0.9, 0.9)] * 3 + [(0.1, 0.1)], np.float32)
    points = np.concatenate([points, [BOTTOM_RIGHT]]).astype(np.float32)
    found = quality_of_cells(answers, np.append(image, 5), points, 2)
    # Top left, top right with unlabelled images only, bottom right; bottom left has too few samples to be a cell.
    assert found.images.tolist() == [2, 0, 2]
    assert found.wrong.tolist() == [1, 0, 2]
    assert found.error.tolist()[0::2] == [0.5, 1]
    assert found.confidence[[0, 2]] == pytest.approx([0.75, 0.825])
    assert found.calibration[[0, 2]] == pytest.approx([0.25, 0.825])
    assert np.isnan([found.error[1], found.error_low[1], found.error_high[1], found.confidence[1]]).all()
    assert found.start.tolist() == [0, 2, 2, 4]
    assert found.image.tolist() == [2, 5, 5, 9]
    assert found.missed.tolist() == [False, True, True, True]
    # Wilson of 1 of 2: its ends solve |p - 1/2| = z sqrt(p (1 - p) / 2).
    low, high = found.error_low[0], found.error_high[0]
    for end in (low, high):
        assert abs(end - 0.5) == pytest.approx(1.959964 * np.sqrt(end * (1 - end) / 2), rel=1e-4)
    assert low < 0.5 < high


def test_tables_give_it_back(answers: Answers) -> None:
    made = quality_of_cells(answers, np.array([2, 5, 9]), np.array([TOP_LEFT] * 3, np.float32), 1)
    found = Quality.from_tables(made.to_tables())
    assert found.wrong.tolist() == made.wrong.tolist() == [2]
