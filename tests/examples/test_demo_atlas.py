import hashlib
import json
from pathlib import Path

from atlas_client.atlas import Atlas
from atlas_core.manifest import verify

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "demo-atlas"


def test_the_prebuilt_atlas_is_small_and_whole() -> None:
    manifest = json.loads((FOLDER / "manifest.json").read_text())
    assert verify(manifest)
    files = [path for path in FOLDER.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 1_000_000
    told = manifest["artifacts"] | manifest["beside"]
    assert {path.relative_to(FOLDER).as_posix() for path in files} == {*told, "manifest.json"}
    assert {path.rpartition("/")[2] for path in manifest["beside"]} == {"names.json", "attribution.safetensors"}
    for path, entry in told.items():
        assert hashlib.sha256((FOLDER / path).read_bytes()).hexdigest() == entry["sha256"]


def test_it_opens_with_the_light_client() -> None:
    atlas = Atlas.open(FOLDER)
    layers = list(atlas.layers)
    assert layers == ["features.4", "features.7"]
    cells = atlas.cells("features.7", 10)
    icon = atlas.icon("features.7", 10, int(cells["column"][0]), int(cells["row"][0]))
    assert icon.size == (47, 47)
