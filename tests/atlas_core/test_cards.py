import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from atlas_core.cards import (
    DatasetCard,
    InputCard,
    ModelCard,
    file_sha256,
    parse_card,
    read_card,
    resolve_dataset_card,
    resolve_model_card,
)
from atlas_core.errors import CardError
from atlas_core.keys import digest

INPUT = {"channels": 3, "height": 32, "width": 32, "mean": [0.5] * 3, "std": [0.5] * 3}
MODEL = {"name": "m", "format": "torchvision", "architecture": "resnet18", "weights": "w.safetensors", "input": INPUT}


def _written(folder: Path, **changes: Any) -> Path:
    path = folder / "model.json"
    path.write_text(json.dumps({**MODEL, **changes}))
    return path


def test_resolving_names_blobs_and_inlines_labels(tmp_path: Path) -> None:
    (tmp_path / "w.safetensors").write_bytes(b"weights")
    (tmp_path / "labels.txt").write_text("cat\ndog\n")
    card = resolve_model_card(_written(tmp_path, labels="labels.txt"), file_sha256)
    assert card.weights == "sha256:" + hashlib.sha256(b"weights").hexdigest()
    assert card.labels == ["cat", "dog"]


def test_the_same_content_has_the_same_id_whatever_its_name(tmp_path: Path) -> None:
    (tmp_path / "w.safetensors").write_bytes(b"weights")
    one = resolve_model_card(_written(tmp_path), file_sha256)
    renamed = resolve_model_card(_written(tmp_path, name="other"), file_sha256)
    (tmp_path / "w.safetensors").write_bytes(b"others")
    changed = resolve_model_card(_written(tmp_path), file_sha256)
    assert one.id == renamed.id != changed.id


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CardError, match=r"w\.safetensors"):
        resolve_model_card(_written(tmp_path), file_sha256)


@pytest.mark.parametrize(
    ("changes", "pointer", "message"),
    [
        ({"format": "pickle"}, "/format", "torchvision"),
        ({"architecture": None}, "/", "architecture"),
        ({"surprise": 1}, "/surprise", "not permitted"),
        ({"input": {**INPUT, "std": [0.5, 0.5]}}, "/input", "3 channels"),
        ({"input": {**INPUT, "std": [0, 0, 0]}}, "/input/std/0", "greater than 0"),
    ],
)
def test_a_bad_field_is_named(changes: dict[str, Any], pointer: str, message: str) -> None:
    with pytest.raises(CardError, match=message) as caught:
        parse_card(ModelCard, {**MODEL, **changes})
    assert caught.value.pointer == pointer


def test_what_is_no_json_is_said_without_a_host_path(tmp_path: Path) -> None:
    (tmp_path / "card.json").write_text("{")
    with pytest.raises(CardError, match=r"card\.json is no JSON") as caught:
        read_card(DatasetCard, tmp_path / "card.json")
    assert str(tmp_path) not in caught.value.detail
    with pytest.raises(CardError, match=r"cannot read the card none\.json"):
        read_card(DatasetCard, tmp_path / "none.json")


def test_a_dataset_stays_where_it_is(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    (tmp_path / "classes.txt").write_text("a\n\nb\n")
    card = tmp_path / "dataset.json"
    card.write_text(json.dumps({"name": "d", "source": "pictures", "classes": "classes.txt"}))
    resolved = resolve_dataset_card(card)
    assert resolved.source == (tmp_path / "pictures").as_uri()
    assert resolved.classes == ["a", "b"]
    card.write_text(json.dumps({"name": "d", "source": "elsewhere"}))
    with pytest.raises(CardError, match="'elsewhere' is not there"):
        resolve_dataset_card(card)


@pytest.mark.parametrize(
    ("changes", "visible"),
    [
        ({}, (0, 1, 2)),
        ({"order": "BGR"}, (2, 1, 0)),
        ({"channels": 1}, (0,)),
        ({"channels": 2}, (0,)),
        ({"channels": 5}, (0, 1, 2)),
        ({"channels": 5, "shown": [3, 2, 1]}, (3, 2, 1)),
        ({"channels": 5, "shown": [4]}, (4,)),
    ],
)
def test_three_channels_or_one_are_shown(changes: dict[str, Any], visible: tuple[int, ...]) -> None:
    channels = changes.get("channels", 3)
    assert parse_card(InputCard, {**INPUT, "mean": [0] * channels, "std": [1] * channels, **changes}).visible == visible


@pytest.mark.parametrize("shown", [[], [0, 1], [0, 1, 5], [-1]])
def test_what_is_shown_is_among_the_channels(shown: list[int]) -> None:
    statistics = {"channels": 5, "mean": [0] * 5, "std": [1] * 5}
    with pytest.raises(CardError, match="shown"):
        parse_card(InputCard, {**INPUT, **statistics, "shown": shown})


def test_what_is_shown_is_part_of_a_models_id_and_its_absence_is_not() -> None:
    def of(**changes: Any) -> str:
        return parse_card(ModelCard, {**MODEL, "input": {**INPUT, **changes}}).id

    assert (
        of()
        == of(shown=None)
        == digest(
            {key: value for key, value in parse_card(ModelCard, MODEL).model_dump(mode="json").items() if key != "name"}
            | {"input": {**{"resize": None, "crop": None, "order": "RGB"}, **INPUT}}
        )[:24]
    )
    assert of(shown=[2, 1, 0]) != of()
