from __future__ import annotations

import hashlib
import json
import os
import zipfile
from pathlib import Path

import pytest

from atlas_client.cards import packed, resolve_dataset_card, resolve_model_card
from atlas_client.errors import BadInputError


class Uploads:
    def __init__(self) -> None:
        self.bytes: list[bytes] = []

    def __call__(self, file: Path) -> str:
        self.bytes.append(file.read_bytes())
        return hashlib.sha256(self.bytes[-1]).hexdigest()


def _write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_model_card(tmp_path: Path) -> None:
    _write(tmp_path / "w.safetensors", "weights")
    _write(tmp_path / "labels.txt", "heron\n\n tractor \n")
    card = _write(
        tmp_path / "model.json", json.dumps({"name": "n", "weights": "w.safetensors", "labels": "labels.txt"})
    )
    uploads = Uploads()
    assert resolve_model_card(card, uploads) == {
        "name": "n",
        "weights": "sha256:" + hashlib.sha256(b"weights").hexdigest(),
        "labels": ["heron", "tractor"],
    }
    assert uploads.bytes == [b"weights"]


def test_what_is_resolved_stays(tmp_path: Path) -> None:
    value = {"name": "n", "source": "sha256:ab", "labels": ["a"]}
    card = _write(tmp_path / "model.json", json.dumps(value))
    assert resolve_model_card(card, Uploads()) == value


def test_dataset_folder_is_packed_the_same_whatever_its_times(tmp_path: Path) -> None:
    uploads = Uploads()
    for name, order in (("one", ["b/2.png", "a/1.png"]), ("two", ["a/1.png", "b/2.png"])):
        for file in order:
            os.utime(_write(tmp_path / name / "pictures" / file, file), (len(name) * 1e8, 2e8))
        card = _write(tmp_path / name / "dataset.json", json.dumps({"name": "d", "source": "pictures"}))
        assert resolve_dataset_card(card, uploads)["source"].startswith("sha256:")
    assert uploads.bytes[0] == uploads.bytes[1]


def test_packed_names_and_bytes(tmp_path: Path) -> None:
    _write(tmp_path / "p" / "b" / "2.png", "two")
    _write(tmp_path / "p" / "a.png", "one")
    with packed(tmp_path / "p") as archive, zipfile.ZipFile(archive) as entries:
        assert [(entry.filename, entry.compress_type) for entry in entries.infolist()] == [("a.png", 0), ("b/2.png", 0)]
        assert entries.read("b/2.png") == b"two"
    assert not archive.exists()


def test_dataset_zip_goes_as_it_is(tmp_path: Path) -> None:
    _write(tmp_path / "images.zip", "zip bytes")
    card = _write(tmp_path / "dataset.json", json.dumps({"name": "d", "source": "images.zip", "prefix": "train/"}))
    uploads = Uploads()
    assert resolve_dataset_card(card, uploads)["prefix"] == "train/"
    assert uploads.bytes == [b"zip bytes"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "is no JSON"),
        ("[1]", "is no JSON object"),
        ('{"weights": "gone.safetensors"}', "names 'gone.safetensors' as its weights, which is not there"),
        ('{"labels": "gone.txt"}', "names 'gone.txt' as its labels, which is not there"),
    ],
)
def test_bad_cards(tmp_path: Path, text: str, says: str) -> None:
    card = _write(tmp_path / "model.json", text)
    with pytest.raises(BadInputError, match=says):
        resolve_model_card(card, Uploads())


def test_missing_card_and_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="cannot read the card"):
        resolve_model_card(tmp_path / "model.json", Uploads())
    (tmp_path / "pictures").mkdir()
    card = _write(tmp_path / "dataset.json", '{"name": "d", "source": "pictures"}')
    with pytest.raises(BadInputError, match="holds no files"):
        resolve_dataset_card(card, Uploads())
