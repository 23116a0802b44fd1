import numpy as np
import pytest

from atlas_core.binning import assign_cells
from atlas_core.cards import LayerInfo
from atlas_core.errors import ImageError, UnknownLayerError
from atlas_core.project import chosen_positions, project_image, project_images, strongest
from atlas_core.runtime import Runtime
from tests.atlas_core.conftest import TinyAtlas
from tests.tiny import LAYER, picture


def test_an_answer_depends_on_its_image_alone(tiny_atlas: TinyAtlas) -> None:
    alone = project_image(tiny_atlas.plan, tiny_atlas.runtime, picture("disc", 77))
    project_image(tiny_atlas.plan, tiny_atlas.runtime, picture("stripes", 5))
    assert project_image(tiny_atlas.plan, tiny_atlas.runtime, picture("disc", 77)) == alone
    assert project_image(tiny_atlas.plan, tiny_atlas.runtime, picture("square", 77)) != alone


def test_images_together_have_the_answers_of_each_alone(tiny_atlas: TinyAtlas) -> None:
    images = [picture(kind, number) for number, kind in enumerate(["disc", "square", "stripes", "disc", "square"])]
    bad = [images[0], b"no picture", *images[1:]]
    answers = project_images(tiny_atlas.plan, tiny_atlas.runtime, bad)
    assert isinstance(answers.pop(1), ImageError)
    assert answers == [project_image(tiny_atlas.plan, tiny_atlas.runtime, image) for image in images]


@pytest.mark.gpu
@pytest.mark.parametrize("count", [1, 3, 40])
def test_a_gpu_places_batches_within_a_ten_thousandth_of_the_map(tiny_atlas: TinyAtlas, count: int) -> None:
    images = [picture(("disc", "square", "stripes")[number % 3], number) for number in range(count)]
    there = project_images(tiny_atlas.plan, Runtime(tiny_atlas.runtime.store, device="cuda"), images)
    points = []
    for answers in (there, project_images(tiny_atlas.plan, tiny_atlas.runtime, images)):
        placed = [place for answer in answers if isinstance(answer, dict)
                  for place in answer["layers"][LAYER]["positions"]]  # fmt: skip
        points.append(np.array([[place["x"], place["y"]] for place in placed]))
    assert len(points[0]) == len(points[1]) == count * 25
    assert np.abs(points[0] - points[1]).max() <= 1e-4


def test_positions_lie_in_the_cells_they_name(tiny_atlas: TinyAtlas) -> None:
    answer = project_image(tiny_atlas.plan, tiny_atlas.runtime, picture("disc", 78))
    placed = answer["layers"][LAYER]["positions"]
    assert len(placed) == 25  # the inside of 7 x 7
    points = np.array([[position["x"], position["y"]] for position in placed], np.float32)
    for side in (3, 5):
        found = [[position["cells"][str(side)][axis] for axis in ("column", "row")] for position in placed]
        assert found == assign_cells(points, side).tolist()
    assert all(0 <= position["percentile"] <= 100 for position in placed)
    typical = [position["percentile"] < 95 for position in placed]
    assert answer["layers"][LAYER]["typical_share"] == round(sum(typical) / 25, 4)


def test_all_positions_are_placed_on_request(tiny_atlas: TinyAtlas) -> None:
    answer = project_image(tiny_atlas.plan, tiny_atlas.runtime, picture("disc", 78), [LAYER], "all")
    assert len(answer["layers"][LAYER]["positions"]) == 49


def test_bad_input_is_named(tiny_atlas: TinyAtlas) -> None:
    with pytest.raises(ImageError):
        project_image(tiny_atlas.plan, tiny_atlas.runtime, b"no picture")
    with pytest.raises(UnknownLayerError, match=f"no layer 'other'; it has {LAYER}"):
        project_image(tiny_atlas.plan, tiny_atlas.runtime, picture("disc", 1), ["other"])


def test_at_most_14_by_14_positions_are_chosen_evenly_inside_the_border() -> None:
    rows, columns = chosen_positions(LayerInfo(name="a", shape=(1, 27, 9)), "default")
    assert sorted(set(rows.tolist())) == [1, 3, 5, 7, 8, 10, 12, 14, 16, 18, 19, 21, 23, 25]
    assert sorted(set(columns.tolist())) == list(range(1, 8))
    assert len(rows) == 14 * 7


def test_the_strongest_classes_come_with_their_probability() -> None:
    found = strongest(np.log(np.array([1.0, 6.0, 3.0], np.float32)), ["a", "b"])
    assert [(one["name"], one["probability"]) for one in found] == [("b", 0.6), ("2", 0.3), ("a", 0.1)]
