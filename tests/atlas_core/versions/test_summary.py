"""What is beyond the noise in plain words, and a summary short enough to be quoted."""

from __future__ import annotations

from atlas_core.versions.summary import findings, markdown
from tests.atlas_core.versions.described import cell, described


def test_every_kind_of_change_is_a_finding_and_what_is_not_sure_is_none() -> None:
    found = findings(described())
    assert [one["kind"] for one in found] == ["accuracy", "damaged", "improved", "lost", "born", "moved",
                                              "cell accuracy", "neighbours"]  # fmt: skip
    texts = {one["kind"]: one["text"] for one in found}
    assert texts["accuracy"].startswith("Accuracy fell from 81.0% to 77.0% (-4.0 points, 95 % -9.0 to +1.0")
    assert texts["damaged"].startswith("cat is damaged: 70.0% → 20.0% right")
    assert texts["lost"] == "layer3: lost: cell 3-4 (ship), 40 images; the other has 2 there"
    assert texts["moved"] == "layer3: moved: 38 images (deer) went from cell 7-8 to 5-6"
    assert texts["neighbours"] == "layer3: of what is nearest to cat, dog went from 20% to 40%"
    assert not any("ship is" in text for text in texts.values())


def test_nothing_beyond_the_noise_is_said_so() -> None:
    found = described(findings=[])
    text = markdown(found)
    assert text.startswith("**resnet, two versions** on 2,000 images of cifar: nothing changed beyond the noise.\n")
    assert "Accuracy 81.0% → 77.0%" in text


def test_a_summary_is_short_however_much_changed() -> None:
    found = described()
    found["layers"][0]["cells"]["lost"] = [cell(number, 0, "ship") for number in range(50)]
    found["layers"] *= 10
    found["findings"] = findings(found)
    lines = markdown(found).splitlines()
    assert len(lines) <= 15
    assert lines[0].endswith(f"{len(found['findings'])} changes beyond the noise. Damaged: cat.")
    assert any("and 499 more of this kind" in line for line in lines)
    assert sum("neighbours are the same" in line for line in lines) == 3


def test_without_labels_only_maps_are_compared() -> None:
    found = described(accuracy=None, agreement=None)
    assert not {"accuracy", "damaged", "improved"} & {one["kind"] for one in findings(found)}
    assert "Accuracy" not in markdown(found)
