from __future__ import annotations

from typing import get_args

import pytest

from atlas_core.audit.findings import CheckName
from atlas_core.reports.words import CHECKS, place, sentence, standing, words_of
from tests.audits import audit


def test_every_check_has_words() -> None:
    assert set(CHECKS) == set(get_args(CheckName))


def test_a_finding_is_spoken_of_by_its_kind() -> None:
    shortcut, feature, accepted = audit().checks[0].findings
    assert [words_of(each).one for each in (shortcut, feature, accepted)] == ["Shortcut", "Feature", "Shortcut"]
    assert (
        words_of(audit().checks[2].findings[0].model_copy(update={"statistics": {"kind": "worse"}})).one == "Regression"
    )
    assert [standing(each) for each in (shortcut, feature, accepted)] == ["fails", "noted", "accepted"]


def test_a_place_is_told_as_far_as_it_is_known() -> None:
    finding = audit().checks[0].findings[0]
    assert place(finding) == "features.7, column 3, row 17 of 20 × 20"
    assert place(finding.model_copy(update={"cell": None})) == "features.7"
    assert place(finding.model_copy(update={"cell": None, "layer": None})) == ""


@pytest.mark.parametrize(("text", "said"), [("it is", "It is."), ("Is it?", "Is it?"), ("", ".")])
def test_sentences_begin_and_end(text: str, said: str) -> None:
    assert sentence(text) == said
