"""Which findings are treated, how hard, and what is said of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from atlas_core.audit.findings import CheckResult, Finding, Target
from atlas_core.audit.remedy import (
    CLASSES,
    MOST_CELLS,
    Counts,
    Strength,
    Treatment,
    blob_name,
    chosen,
    counted,
    ladder,
    of_others,
    passes_of,
    told,
    treatments,
    with_remedies,
)

MILD, HARD = Strength("features.12", 1, 0.99, 1), Strength("features.12", 4, 0.5, 3)


def finding(name: str, target: int, layer: str = "deep", *, gate: bool = True, crop: bool = True) -> Finding:
    statistics: dict[str, Any] = {"size": 8} if crop else {}
    return Finding(id=name, check="shortcuts", title=name, gate=gate, layer=layer, statistics=statistics,
                   target=Target(index=target, name=f"class {target}"))  # fmt: skip


def result(*findings: Finding) -> CheckResult:
    return CheckResult(check="shortcuts", verdict="fail", reason="some", coverage=1, findings=list(findings))


def test_the_strongest_classes_are_treated() -> None:
    found = treatments(result(
        finding("feature", 9, gate=False), finding("grain", 8, crop=False),
        finding("a", 1), finding("b", 2, "early"), finding("c", 1, "early"),
        finding("d", 1), finding("e", 3), finding("f", 4), finding("g", 2, "early"),
    ))  # fmt: skip
    assert [(one.target, one.name, [each.id for each in one.findings]) for one in found] == [
        (1, "class 1", ["a", "c", "d"]), (2, "class 2", ["b", "g"]), (3, "class 3", ["e"]),
    ]  # fmt: skip
    assert len(found) == CLASSES
    many = treatments(result(*(finding(str(number), 1) for number in range(MOST_CELLS + 3))))
    assert len(many[0].findings) == MOST_CELLS
    assert treatments(result()) == []


def test_of_an_image_without_a_label_nothing_is_known() -> None:
    assert of_others(np.array([0, 1, -1, 2]), 1).tolist() == [True, False, False, True]


def test_the_cost_of_a_remedy_is_known_beforehand() -> None:
    """Of 100 images, and 50 pastes: at two layers six steps and the network itself, then twice as many tested."""
    assert passes_of(100, 2) == 150 * (2 * 7 + 4)


def test_answers_are_counted_in_pairs() -> None:
    found = counted([1, 1, 1, 0], [1, 0, 0, 0], 1, [0, 1, 2, 2, 0], [0, 1, 0, 1, 1], [0, 1, 2, 1, 2])
    assert found == Counts(pastes=4, flips_before=3, flips_after=1, images=5, right_before=3, lost=1, won=1)


@pytest.mark.parametrize(
    ("after", "lost", "works"),
    [(49, 19, True), (50, 0, False), (0, 20, False), (0, 0, True), (100, 0, False)],
)
def test_a_remedy_halves_the_flips_at_under_two_points(after: int, lost: int, works: bool) -> None:
    assert Counts(200, 100, after, 1000, 900, lost, 0).works is works


def test_what_wins_back_as_much_as_it_loses_costs_nothing() -> None:
    assert Counts(100, 50, 0, 1000, 900, 40, 40).works
    assert Counts(100, 50, 25, 1000, 900, 0, 0).cost == pytest.approx(0.5)
    assert Counts(100, 50, 25, 1000, 900, 10, 0).cost == pytest.approx(0.75)  # half of what may be lost, squared


def test_the_strength_that_costs_least_is_taken_and_the_mildest_of_equals() -> None:
    weak, good, dear = (Counts(100, 50, after, 1000, 900, lost, 0) for after, lost in ((40, 0), (5, 2), (0, 30)))
    assert chosen({MILD: weak, HARD: good}) == HARD
    assert chosen({MILD: weak, HARD: dear}) == MILD
    assert chosen({MILD: good, HARD: good}) == MILD


def test_one_direction_and_all_are_tried_the_mildest_first() -> None:
    tried = ladder("deep", 5)
    assert tried[:3] == [Strength("deep", *some) for some in ((1, 0.99, 1), (5, 0.99, 1), (1, 0.95, 1))]
    assert len(set(tried)) == len(tried)
    assert {one.directions for one in ladder("deep", 1)} == {1}


def test_what_is_told() -> None:
    treatment = Treatment(7, "wok", [finding("a", 7)])
    said = told(treatment, HARD, Counts(200, 100, 10, 1000, 900, 8, 3), "repaired-wok.onnx")
    assert said.works
    assert said.model == "repaired-wok.onnx"
    assert said.summary == ("with 4 directions muted at features.12, flips into 'wok' fall from 50% to 5%, and "
                            "accuracy falls from 90.0% to 89.5%")  # fmt: skip
    numbers: dict[str, Any] = said.statistics
    assert (numbers["flips_before"], numbers["flips_after"], numbers["accuracy_lost"]) == (0.5, 0.05, 0.005)
    low, high = numbers["flips_after_interval"]
    assert low < 0.05 < high
    useless = told(treatment, MILD, Counts(200, 100, 90, 1000, 900, 0, 0), "repaired-wok.onnx")
    assert (useless.works, useless.model) == (False, None)
    assert useless.summary.startswith("muting does not help enough: with 1 direction muted")


def test_findings_are_told_with_their_remedies() -> None:
    remedy = told(Treatment(1, "one", []), MILD, Counts(9, 8, 1, 9, 9, 0, 0), "repaired-one.onnx")
    found = with_remedies(result(finding("a", 1), finding("b", 2)), {"a": remedy.model_dump(mode="json")})
    assert [one.remedy for one in found.findings] == [remedy, None]


def test_blobs_are_named_after_classes_in_plain_letters() -> None:
    assert blob_name("Great White shark, 白鯊", 2) == "repaired-great-white-shark.onnx"
    assert blob_name("../../etc", 2) == "repaired-etc.onnx"
    assert blob_name("白鯊", 2) == "repaired-2.onnx"
    assert len(blob_name("x" * 500, 0)) < 80


def test_counts_take_arrays() -> None:
    assert counted(np.array([3]), np.array([3]), 3, np.array([1]), np.array([1]), np.array([1])).flips_after == 1


def test_flips_of_images_that_it_was_found_on_are_said_to_be() -> None:
    treatment, counts = Treatment(1, "red", []), Counts(100, 50, 5, 200, 190, 1, 0)
    apart, not_apart = (told(treatment, MILD, counts, "x.onnx", apart=one) for one in (True, False))
    assert (apart.statistics["apart"], not_apart.statistics["apart"]) == (True, False)
    assert "that it was found on" not in apart.summary
    assert not_apart.summary.endswith("flips are of images that it was found on, because there are too few others")
