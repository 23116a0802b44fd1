import numpy as np
import pytest

from atlas_core import class_index
from atlas_core.class_index import ClassIndex, IndexBuilder

ATTRIBUTIONS = np.array([[3, 0, 1], [3, 5, 1], [-1, -2, -3], [0, 6, 6], [4, 0, 0]], dtype=np.float16)


def built(attributions: np.ndarray, most: int, shards: int = 1) -> ClassIndex:
    builder = IndexBuilder(most)
    passed = list(builder.passing(np.array_split(attributions, shards)))
    np.testing.assert_array_equal(np.concatenate(passed), attributions)
    return builder.index()


def test_a_sample_speaks_for_its_strongest_class_and_a_class_has_its_strongest_samples() -> None:
    found = built(ATTRIBUTIONS, 2)
    assert found.strongest.tolist() == [0, 1, 0, 1, 0]
    # class 0: 4, 3, 3; class 1: 6, 5; class 2: 6, then the first of 1 and 1
    assert [found.sample[found.start[one] : found.start[one + 1]].tolist() for one in range(3)] == [
        [4, 0], [3, 1], [3, 0],
    ]  # fmt: skip
    assert found.attribution.tolist() == [4, 3, 6, 5, 6, 1]
    assert found.by_rank(1).tolist() == [1, 3]
    assert found.by_magnitude(0).tolist() == [0, 4]


def test_only_positive_attributions_count() -> None:
    found = built(ATTRIBUTIONS, 100)
    assert found.by_magnitude(1).tolist() == [1, 3]
    assert (found.attribution > 0).all()


@pytest.mark.parametrize("waiting", [50, 4_000_000])
def test_it_is_what_sorting_everything_gives_however_the_samples_come(
    waiting: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(class_index, "WAITING", waiting)
    # Few distinct values, so that many are equal: of these the first samples count.
    attributions = np.random.default_rng(2).integers(-4, 9, (500, 7)).astype(np.float16)
    found = built(attributions, 40, shards=11)
    np.testing.assert_array_equal(found.strongest, attributions.argmax(axis=1))
    for label in range(7):
        own = attributions[:, label]
        order = np.argsort(-own, kind="stable")
        expected = order[own[order] > 0][:40]
        part = slice(found.start[label], found.start[label + 1])
        assert found.sample[part].tolist() == expected.tolist()
        assert found.attribution[part].tolist() == own[expected].tolist()
        assert found.by_rank(label).tolist() == np.flatnonzero(attributions.argmax(axis=1) == label).tolist()


def test_tables_and_back() -> None:
    found = built(ATTRIBUTIONS, 2)
    again = ClassIndex.from_tables(found.to_tables())
    assert again.by_magnitude(1).tolist() == [1, 3]
