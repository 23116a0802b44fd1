from typing import Any

import pytest

from atlas_core.errors import SpecError
from atlas_core.spec import job_id, parse_spec, resolve_levels

REQUEST = {"model": "m", "dataset": "d", "layers": ["a"]}


def test_levels_are_sorted_and_each_stands_once() -> None:
    assert parse_spec({**REQUEST, "levels": [40, 20, 40]}).levels == [20, 40]


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"layers": []}, "/layers"),
        ({"layers": ["a", "a"]}, "/layers"),
        ({"samples": 10}, "/samples"),
        ({"recipe": "oil"}, "/recipe"),
        ({"preview": "vivid"}, "/preview"),
        ({"seed": -1}, "/seed"),
        ({"levels": [1]}, "/levels/0"),
        ({"nonsense": 1}, "/nonsense"),
        ({"layout": {"minimum_distance": 2}}, "/layout/minimum_distance"),
    ],
)
def test_a_bad_field_is_named(change: dict[str, Any], pointer: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_spec({**REQUEST, **change})
    assert caught.value.pointer == pointer


def test_strict_privacy_means_pure_icons_unless_a_recipe_is_named() -> None:
    assert parse_spec({**REQUEST, "privacy": "strict"}).recipe == "pure"
    assert parse_spec({**REQUEST, "privacy": "strict", "recipe": "fast"}).recipe == "fast"  # a plan refuses it
    assert parse_spec({**REQUEST, "privacy": "standard"}).recipe == "vivid"


def test_healthy_levels_follow_the_rule_of_twelve_samples_a_filled_cell() -> None:
    # method.md section 4: 20 from 2,640 samples, 40 from 10,560, 80 from 42,240, 160 from 168,960
    assert resolve_levels(None, 2_640, allow_sparse=False) == [20]
    assert resolve_levels(None, 2_639, allow_sparse=False) == [19]
    assert resolve_levels(None, 42_240, allow_sparse=False) == [20, 40, 80]
    assert resolve_levels(None, 168_960, allow_sparse=False) == [20, 40, 80, 160]


def test_a_level_too_fine_is_refused_with_the_finest_that_is_not() -> None:
    with pytest.raises(SpecError, match=r"level 40 needs 10,560 samples a layer, this atlas has 5,000.*at most 27"):
        resolve_levels([20, 40], 5_000, allow_sparse=False)
    assert resolve_levels([20, 40], 5_000, allow_sparse=True) == [20, 40]


def test_the_same_request_is_the_same_job_and_an_owner_changes_it() -> None:
    spec = parse_spec(REQUEST)
    assert job_id(spec) == job_id(parse_spec({**REQUEST, "seed": 0}))
    assert job_id(spec) == job_id(parse_spec({**REQUEST, "preview": "none"}))
    assert len({job_id(spec), job_id(spec, "me"), job_id(parse_spec({**REQUEST, "seed": 1}))}) == 3
