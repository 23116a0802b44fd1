import numpy as np
import pytest

from atlas_core.cards import LayerInfo
from atlas_core.errors import ModelError
from atlas_core.pooling import COPIES, IMAGES, ITSELF, LEAST_IMAGES, Kept, Watch, depths, pool
from atlas_core.spoiled import KINDS


def layers(count: int, *, block: bool) -> list[LayerInfo]:
    return [LayerInfo(name=f"{'block' if block else 'other'}{place}", shape=(1, 2, 2), block=block)
            for place in range(count)]  # fmt: skip


def test_depths_are_an_eighth_half_and_all_of_the_way() -> None:
    assert depths([*layers(9, block=True), *layers(30, block=False)]) == ["block1", "block4", "block8"]
    assert depths(layers(3, block=True)) == ["block0", "block1", "block2"]
    assert depths(layers(1, block=False)) == ["other0"]


def test_an_image_is_pooled_over_its_whole_grid() -> None:
    maps = np.zeros((2, 1, 2), np.float32)  # two channels at two positions: (3, 4) and (0, 0)
    maps[:, 0, 0] = 3, 4
    logits = np.log(np.array([1.0, 3.0], np.float32))
    found = pool({"early": maps, "late": 2 * maps}, logits, ["early", "late"])
    unit, once = [0.3, 0.4], [1.5, 2.0]  # the mean of (.6, .8) and nothing; half of 3 and 4 is mean and deviation
    assert found.spread.tolist() == pytest.approx([*unit, *once, *unit, 3, 4], abs=1e-3)
    assert found.middle.tolist() == pytest.approx(unit, abs=1e-3)
    assert found.deep.tolist() == [3, 4]
    assert float(found.energy) == pytest.approx(-np.log(4), abs=1e-6)
    assert float(pool({"late": 2 * maps}, None, ["late"]).energy) == -5


def test_of_many_images_some_are_kept_and_fewer_copied() -> None:
    names = [f"{number}.png" for number in range(3000)]
    small, large = Watch(("a",), 300), Watch(("a",), 10 * IMAGES)
    assert small.copies == COPIES // 300
    assert all(small.keeps(name) and len(small.kinds(name)) == small.copies for name in names)
    assert Watch(("a",), LEAST_IMAGES).copies == len(KINDS)
    assert Watch(("a",), LEAST_IMAGES - 1).kinds("0.png") == []
    assert 0.07 < np.mean([large.keeps(name) for name in names]) < 0.13
    copied = [name for name in names if large.kinds(name)]
    assert 0.02 < len(copied) / len(names) < 0.07
    assert all(large.keeps(name) and len(large.kinds(name)) == 1 for name in copied)


def test_what_is_no_number_is_refused() -> None:
    maps = np.full((1, 1, 1), np.nan, np.float32)
    kept = Kept()
    assert kept.table() == {}
    with pytest.raises(ModelError, match="no numbers"):
        kept.add(0, ITSELF, pool({"a": maps}, None, ["a"]))
