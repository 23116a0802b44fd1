import numpy as np

from atlas_core.versions.halves import NONE, Answers, half_cells

# Two cells a side are filled: the top left by images 0, 1, 1, 2 and the bottom right by images 2 and 3.
LAYOUT = np.array([[0.1, 0.9], [0.2, 0.8], [0.3, 0.7], [0.4, 0.6], [0.9, 0.1], [1, 0]], np.float32)
IMAGE = np.array([0, 1, 1, 2, 2, 3], np.int32)


def test_cells_count_samples_and_images_and_say_what_is_got_right() -> None:
    answers = Answers(label=np.array([5, 5, 7, 7]), old=np.array([5, 5, 7, 0]), new=np.array([5, 1, 1, 7]))
    found = half_cells(LAYOUT, IMAGE, 2, answers)
    assert (found.column.tolist(), found.row.tolist()) == ([0, 1], [0, 1])
    assert (found.samples.tolist(), found.images.tolist()) == ([4, 2], [3, 2])
    assert (found.common.tolist(), found.share.tolist()) == ([5, 7], [2 / 3, 1])
    assert (found.old.tolist(), found.new.tolist()) == ([1, 0.5], [1 / 3, 0.5])


def test_of_equally_frequent_classes_the_first_is_named() -> None:
    answers = Answers(label=np.array([9, 4, 4, 9]), old=np.zeros(4, int), new=np.zeros(4, int))
    assert half_cells(LAYOUT, IMAGE, 2, answers).common.tolist() == [4, 4]


def test_without_labels_classes_are_the_old_models_and_nothing_is_right() -> None:
    nobody = np.full(4, NONE)
    found = half_cells(LAYOUT, IMAGE, 2, Answers(nobody, np.array([3, 3, 2, 2]), np.array([1, 1, 1, 1])))
    assert found.common.tolist() == [3, 2]
    assert np.isnan([found.old, found.new]).all()
    found = half_cells(LAYOUT, IMAGE, 2, Answers(nobody, nobody, nobody))
    assert (found.common.tolist(), found.share.tolist()) == ([NONE, NONE], [0, 0])
