"""Datasets in a registered store that is a real S3 server, in every format."""

from __future__ import annotations

import json
import threading
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import obstore
import pytest

from atlas_core import registry
from atlas_core.build import plan
from atlas_core.dataset_stores import RemoteStorage, registered
from atlas_core.datasets.listing import Listing
from atlas_core.errors import DatasetError, ImageError
from atlas_core.registration import register_cards
from atlas_core.runtime import Runtime
from atlas_core.spec import parse_spec
from atlas_core.stages import run_chunk
from atlas_core.store import open_backend, open_store
from tests.atlas_core.datasets.test_formats import HELD, PLACES, held, opened, write_world
from tests.tiny import REQUEST

if TYPE_CHECKING:
    from tests.rgw import Rgw


def fill(rgw: Rgw, bucket: str, root: Path) -> None:
    """Put every file below a folder into a bucket."""
    backend = open_backend(bucket, rgw.settings())
    for path in root.rglob("*"):
        if path.is_file():
            obstore.put(backend, path.relative_to(root).as_posix(), path.read_bytes())


@pytest.fixture(scope="module")
def bucket(rgw: Rgw, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A bucket with the toy pictures in every format."""
    bucket = rgw.bucket()
    fill(rgw, bucket, write_world(tmp_path_factory.mktemp("world")))
    return bucket


@pytest.mark.parametrize("place", PLACES)
def test_every_format_is_read_straight_from_a_bucket(rgw: Rgw, bucket: str, place: str) -> None:
    lake = registered({"lake": bucket}, rgw.settings())("lake")
    with opened(f"store://lake/{place}", lake) as dataset:
        assert held(dataset) == HELD
        stored = Listing.from_bytes(dataset.listing.to_bytes())
    with opened(f"store://lake/{place}", lake, stored) as again:
        assert held(again) == HELD


def test_what_has_changed_in_a_bucket_or_is_gone_is_not_read(rgw: Rgw, tmp_path: Path) -> None:
    bucket = rgw.bucket()
    fill(rgw, bucket, write_world(tmp_path))
    backend = open_backend(bucket, rgw.settings())
    lake = registered({"lake": bucket}, rgw.settings())("lake")
    for place in ("folder", "gnu.tar"):
        with opened(f"store://lake/{place}", lake) as dataset:
            assert len(dataset.listing.images) == 3
            where = "folder/dog/a.png" if place == "folder" else place
            data = obstore.get(backend, where).bytes().to_bytes()
            obstore.put(backend, where, data.replace(b"dog a", b"DOG A"))
            with pytest.raises(ImageError, match="changed"):
                dataset.read("dog/a.png")
            obstore.delete(backend, where)
            with pytest.raises(ImageError, match=r"not in the store any more|changed"):
                dataset.read("dog/a.png")


@pytest.mark.parametrize(
    ("bucket", "changes", "words"),
    [("s3://no-such-bucket-here", {}, "bucket or folder does not exist|is not there|no object"),
     (None, {"secret_access_key": "wrong"}, "refuses access")],
    ids=["missing", "wrong-key"],
)  # fmt: skip
@pytest.mark.parametrize("place", ["folder", "a.zip", "folder/list.csv"])
def test_a_bucket_that_cannot_be_used_refuses_the_dataset(
    rgw: Rgw, bucket: str | None, changes: dict[str, Any], words: str, place: str
) -> None:
    lake = registered({"lake": bucket or rgw.bucket()}, rgw.settings(**changes))("lake")
    with pytest.raises(DatasetError, match=words), opened(f"store://lake/{place}", lake) as dataset:
        _ = dataset.listing


def test_a_worker_collects_the_same_from_a_bucket_as_from_a_zip(
    rgw: Rgw, tiny_cards: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the settings that a worker has: the store's name and URL, and the environment's credentials.

    Several pictures are on their way at a time.
    """
    meeting, together, read = threading.Barrier(4), [], RemoteStorage.read

    def read_together(self: RemoteStorage, *arguments: Any) -> Any:
        with suppress(threading.BrokenBarrierError):
            together.append(meeting.wait(10))
        return read(self, *arguments)

    monkeypatch.setattr(RemoteStorage, "read", read_together)
    for name, value in rgw.environment.items():
        monkeypatch.setenv(name, value)
    model, local = tiny_cards
    with zipfile.ZipFile(local.parent / "images.zip") as archive:
        archive.extractall(tmp_path / "world/pictures")
    stores = {"lake": rgw.bucket()}
    fill(rgw, stores["lake"], tmp_path / "world")
    far = tmp_path / "far.json"
    far.write_text(json.dumps({**json.loads(local.read_text()), "source": "store://lake/pictures"}))

    collected = []
    for number, card in enumerate((local, far)):
        store = open_store(str(tmp_path / f"store-{number}"))
        model_id, dataset_id = register_cards(store, model, card, stores)
        spec = parse_spec({**REQUEST, "model": model_id, "dataset": dataset_id})
        made = plan(spec, registry.model_facts(store, model_id), registry.dataset_facts(store, dataset_id))
        runtime = Runtime(store, stores=stores)
        for chunk in made.find("collect"):
            run_chunk(made, chunk, runtime)
            collected.append(runtime.record(made, chunk.key)["blobs"])
        assert not [path for path in (tmp_path / f"store-{number}").rglob("*") if path.suffix == ".png"]

    assert len(collected) == 2
    assert collected[0] == collected[1]
    assert len(together) >= 4
