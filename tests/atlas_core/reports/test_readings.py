from __future__ import annotations

import pytest

from atlas_core.reports.readings import Reading, in_words, readings, scale, unit_of


def test_an_interval_stands_with_its_number() -> None:
    flips, q = readings({"flips": 0.747, "flips_interval": [0.695, 0.793], "q": 0.0000004})
    assert flips == Reading("flips", "Flips to the class", "share", 0.747, (0.695, 0.793))
    assert (flips.text, flips.interval_text, flips.is_drawn) == ("75 %", "70 to 79 %", True)
    assert (q.text, q.interval_text, q.is_drawn) == ("< .001", "", False)


def test_an_interval_alone_and_nothing_at_all_are_told_as_they_are() -> None:
    alone, nothing = readings({"share_interval": (0.1, 0.2), "gap": None})
    assert (alone.label, alone.text, alone.interval_text, alone.is_drawn) == ("Share", "", "10 to 20 %", False)
    assert (nothing.label, nothing.text, nothing.is_drawn) == ("Gap", "", False)


def test_shares_of_another_thing_stand_on_no_scale_with_the_others() -> None:
    told = readings({"flips": 0.7, "flips_interval": [0.6, 0.8], "purity": 0.3, "purity_interval": [0.2, 0.4]})
    assert [each.is_drawn for each in told] == [True, False]


def test_what_others_are_compared_with_is_told_apart() -> None:
    told = readings({"flips": 0.5, "control": 0.1, "error": 0.4, "overall_error": 0.1, "accuracy_before": 0.9})
    assert [each.is_compared_with for each in told] == [False, True, False, True, True]


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        (0.747, "share", "75 %"),
        (0.053, "share", "5.3 %"),
        (0, "share", "0 %"),
        (1.0, "share", "100 %"),
        (0.006, "points", "0.6 points"),
        (-0.02, "points", "−2.0 points"),
        (0.0213, "p", ".021"),
        (0.0004, "p", "< .001"),
        (17_290, "number", "17,290"),
        (6.2149, "number", "6.21"),
        (12345.6, "number", "12,346"),
        ("32 × 32", "share", "32 × 32"),
    ],
)
def test_numbers_are_printed_in_their_unit(value: float, unit: str, words: str) -> None:
    assert in_words(value, unit) == words  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("flips", "share"),
        ("accuracy_after", "share"),
        ("accuracy_points", "points"),
        ("p_value", "p"),
        ("logit_change", "number"),
    ],
)
def test_a_name_tells_its_unit(name: str, unit: str) -> None:
    assert unit_of(name) == unit


def test_a_scale_holds_all_intervals_and_its_quarters_are_round() -> None:
    drawn = readings({"error": 0.03, "error_interval": [0.01, 0.07], "rate": 0.02, "rate_interval": [0.01, 0.03]})
    assert scale(drawn) == 0.08
    assert scale(readings({"flips": 0.5, "flips_interval": [0.41, 0.6]})) == 1.0


def test_whole_numbers_were_counted_whatever_they_are_called() -> None:
    told = readings({"error_images": 58, "lost": 3, "found": True})
    assert [(each.label, each.text) for each in told] == [("Found", "yes"), ("Lost", "3"), ("Error images", "58")]
    (share,) = readings({"lost": 0.03, "lost_interval": [0.01, 0.05]})
    assert (share.label, share.whole, share.is_drawn) == ("Accuracy lost", "3.0 points (1.0 to 5.0)", False)


def test_what_says_most_comes_first_and_ends_are_an_interval() -> None:
    told = readings({"control": 0.1, "exemplars": 8, "flips": 0.7, "flips_interval": [0.6, 0.8], "q": 0.01})
    assert [each.name for each in told] == ["flips", "control", "q", "exemplars"]
    (share, images) = readings({"high": 0.71, "images": 270, "low": 0.59, "share": 0.65})
    assert (share.whole, images.whole) == ("65 % (59 to 71 %)", "270")
