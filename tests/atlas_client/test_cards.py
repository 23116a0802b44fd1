from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
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


def _zipped(data: bytes) -> list[str]:
    with zipfile.ZipFile(io.BytesIO(data)) as entries:
        return entries.namelist()


def test_only_pictures_of_a_folder_are_packed(tmp_path: Path) -> None:
    for name in ("a.PNG", "b/c.webp", "notes.txt", ".git/d.png", "e.png.part"):
        _write(tmp_path / "p" / name, name)
    with packed(tmp_path / "p") as archive:
        assert _zipped(archive.read_bytes()) == ["a.PNG", "b/c.webp"]


def test_a_csv_goes_with_the_files_that_it_names_and_no_others(tmp_path: Path) -> None:
    for name in ("a.png", "b.tif", "unnamed.png"):
        _write(tmp_path / "images" / name, name)
    _write(tmp_path / "secret.png", "secret")
    text = f"label,Key\nx,./a.png\nx,b.tif\ny,gone.png\ny,../secret.png\ny,{tmp_path}/secret.png\n"
    _write(tmp_path / "train.csv", text)
    card = _write(tmp_path / "d.json", json.dumps({"name": "d", "source": "train.csv", "root": "images"}))
    uploads = Uploads()
    resolved = resolve_dataset_card(card, uploads)
    files, manifest = uploads.bytes
    assert _zipped(files) == ["a.png", "b.tif"]
    assert manifest == text.encode()
    assert resolved == {
        "name": "d", "format": "csv", "source": "sha256:" + hashlib.sha256(manifest).hexdigest(),
        "root": "sha256:" + hashlib.sha256(files).hexdigest(),
    }  # fmt: skip


def test_shards_become_one_tar_whose_names_tell_them_apart(tmp_path: Path) -> None:
    for shard, name in (("s-000", "1.png"), ("s-001", "./1.png")):
        with tarfile.open(tmp_path / f"{shard}.tar", "w") as archive:
            entry = tarfile.TarInfo(name)
            entry.size = 3
            archive.addfile(entry, io.BytesIO(shard[-3:].encode()))
    card = _write(tmp_path / "d.json", json.dumps({"name": "d", "source": "s-{000..001}.tar"}))
    uploads = Uploads()
    assert resolve_dataset_card(card, uploads)["format"] == "webdataset"
    with tarfile.open(fileobj=io.BytesIO(uploads.bytes[0])) as packed_tar:
        assert packed_tar.getnames() == ["s-000/1.png", "s-001/1.png"]
    card.write_text(json.dumps({"name": "d", "source": "s-{000..002}.tar"}))
    with pytest.raises(BadInputError, match=r"'s-002\.tar' is not there"):
        resolve_dataset_card(card, uploads)


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
    with pytest.raises(BadInputError, match="holds no picture"):
        resolve_dataset_card(card, Uploads())
