import json
import os
import shutil
import signal
import subprocess
import time
import zipfile
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch

import atlas_core.run
from atlas_client import cli
from atlas_core import registry
from atlas_core.errors import InputError
from atlas_core.manifest import manifest_of
from atlas_core.registration import register_cards
from atlas_core.run import Divided, adopt, run_plan
from atlas_core.runtime import Runtime
from atlas_core.store import open_store
from tests.atlas_core.conftest import TinyAtlas
from tests.tiny import ATLAS, LAYER, picture, write_cards


def _command(atlas: TinyAtlas, out: Path) -> list[str]:
    options = ["--layer", LAYER, "--samples", "240", "--levels", "3,5", "--recipe", "fast", "--seed", "3"]
    cards = ["--model", str(atlas.model), "--dataset", str(atlas.dataset)]
    return [*ATLAS, "build", *cards, *options, "--out", str(out), "--processes", "1", "--json"]


def _children(pid: int) -> set[int]:
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False)
    return {int(line) for line in found.stdout.split()}


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split(")")[1].split()[0] != "Z"
    except OSError:
        return False


def test_a_build_that_is_killed_goes_on_to_the_same_bytes(tiny_atlas: TinyAtlas, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with subprocess.Popen(_command(tiny_atlas, out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 120
        while not list((out / ".store/records/collect").glob("*.json")):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        children = _children(process.pid)
        os.kill(process.pid, signal.SIGKILL)
    assert not (out / "manifest.json").exists()
    deadline = time.monotonic() + 20
    while any(_alive(child) for child in children):
        assert time.monotonic() < deadline, "processes outlived the build"
        time.sleep(0.05)

    again = subprocess.run(_command(tiny_atlas, out), capture_output=True, text=True, check=True)
    manifest = json.loads(again.stdout)
    assert manifest["digest"] == tiny_atlas.manifest["digest"]
    assert manifest["id"] == tiny_atlas.manifest["id"]
    assert json.loads((out / "manifest.json").read_text())["digest"] == manifest["digest"]


@pytest.mark.usefixtures("in_this_process")
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--layer", "features.55"], "nearest are features.5"),
        (["--layer", LAYER, "--samples", "240", "--levels", "40"], "level 40 needs 10,560 samples"),
        (["--layer", LAYER, "--recipe", "oil"], "/recipe"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_4(
    tiny_atlas: TinyAtlas, tmp_path: Path, capfd: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    cards = ["--model", str(tiny_atlas.model), "--dataset", str(tiny_atlas.dataset)]
    assert cli.run(["build", *cards, *options, "--out", str(tmp_path / "out")]) == 4
    ended = capfd.readouterr()
    (line,) = [line for line in ended.err.splitlines() if line.startswith("atlas: error:")]
    assert message in line
    assert "Traceback" not in ended.err


def test_chunks_that_compute_on_a_gpu_go_to_its_process(tiny_atlas: TinyAtlas) -> None:
    places: dict[str, list[str]] = {"gpu": [], "others": []}

    class Here(Executor):
        def __init__(self, name: str) -> None:
            self.name = name

        def submit(self, work: Callable[..., Any], /, *arguments: Any, **_: Any) -> Future[Any]:
            places[self.name].append(arguments[1].stage if len(arguments) > 1 else "other work")
            return Future()

    pool = Divided(Here("gpu"), Here("others"))
    for chunk in {chunk.stage: chunk for chunk in tiny_atlas.plan.chunks}.values():
        pool.submit(atlas_core.run._run, tiny_atlas.plan, chunk)
    pool.submit(sorted, [])
    assert sorted(places["gpu"]) == ["attribute", "collect", "render"]
    assert sorted(places["others"]) == ["cells", "layout", "other work", "publish"]


def test_an_interrupted_build_does_not_wait_for_its_chunks(tmp_path: Path) -> None:
    def interrupted() -> None:
        with atlas_core.run.processes(tmp_path, 1) as pool:
            running = pool.submit(time.sleep, 60)
            while not running.running():
                time.sleep(0.05)
            raise KeyboardInterrupt

    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert time.monotonic() - began < 30


def _change(card: Path, **fields: Any) -> None:
    card.write_text(json.dumps({**json.loads(card.read_text()), **fields}))


def _no_card(folder: Path) -> None:
    (folder / "model.json").unlink()


def _other_weights(folder: Path) -> None:
    _change(folder / "model.json", arguments={"num_classes": 7}, labels=None)


def _pickle(folder: Path) -> None:
    torch.save(torch.nn.Linear(1, 1), folder / "weights.pth")
    _change(folder / "model.json", weights="weights.pth")


def _no_pictures(folder: Path) -> None:
    zipfile.ZipFile(folder / "images.zip", "w").close()


def _no_dataset(folder: Path) -> None:
    (folder / "images.zip").unlink()


def _other_classes(folder: Path) -> None:
    _change(folder / "dataset.json", classes=["disc", "square"])


def _corrupt(folder: Path) -> None:
    with zipfile.ZipFile(folder / "images.zip", "a") as archive:
        for number in range(5):
            archive.writestr(f"disc/bad{number}.png", picture("disc", 90 + number)[:60])


@pytest.mark.parametrize(
    ("damage", "whole", "messages"),
    [
        (_no_card, True, ["cannot read the card model.json"]),
        (_pickle, False, ["weights"]),
        (_corrupt, True, ["5 of 65 images cannot be read, more than 5%", "disc/bad0.png (", "disc/bad4.png ("]),
        (_other_weights, False, ["classifier.1"]),
        (_no_pictures, False, ["holds no JPEG, PNG or WebP picture"]),
        (_no_dataset, False, ["the dataset's source 'images.zip' is not there"]),
        (_other_classes, False, ["folders that the card's class list does not name: 'stripes'"]),
    ],
)
def test_damaged_input_is_one_line_and_exit_code_4(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    damage: Callable[[Path], None],
    whole: bool,
    messages: list[str],
) -> None:
    model, dataset = write_cards(tmp_path)
    damage(tmp_path)
    if not whole:  # only what refuses it, without the seconds that a process takes to start
        monkeypatch.setattr(
            atlas_core.run, "build_directory",
            lambda model, dataset, _, out, *__, **___: register_cards(open_store(str(out / ".store")), model, dataset),
        )  # fmt: skip
    options = ["--layer", LAYER, "--samples", "240", "--levels", "3,5", "--recipe", "fast", "--processes", "1"]
    cards = ["--model", str(model), "--dataset", str(dataset)]
    assert cli.run(["build", *cards, *options, "--out", str(tmp_path / "out")]) == 4
    ended = capfd.readouterr()
    (line,) = [line for line in ended.err.splitlines() if line.startswith("atlas: error:")]
    assert all(message in line for message in messages), line
    assert "Traceback" not in ended.err
    assert ended.out == ""


def test_an_anchor_is_copied_so_that_the_new_atlas_stands_alone(tiny_atlas: TinyAtlas, tmp_path: Path) -> None:
    registry.update(tiny_atlas.store, "jobs", tiny_atlas.plan.id, state="succeeded", digest="-")
    store = open_store(str(tmp_path / ".store"))
    facts = adopt(store, tiny_atlas.directory)
    assert facts == registry.anchor_facts(tiny_atlas.store, tiny_atlas.plan.id)
    record = store.get_record("layout", facts.layers[LAYER].layout)
    assert record is not None
    assert store.get_blob(record["blobs"]["layout"])
    with pytest.raises(InputError, match="no atlas to anchor on"):
        adopt(store, tmp_path)


def test_what_was_lost_is_made_again_with_the_samples_that_were_dropped(
    tiny_atlas: TinyAtlas, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(tiny_atlas.directory / ".store", tmp_path / "store")
    store, plan = open_store(str(tmp_path / "store")), tiny_atlas.plan
    monkeypatch.setattr(atlas_core.run, "_runtime", Runtime(store))
    cells = plan.cells_of(LAYER)
    record = store.get_record("cells", cells.key)
    assert record is not None
    store.delete_blob(record["blobs"]["level-3"])
    for chunk in (*plan.find("attribute"), *plan.find("publish"), plan.find("render")[0]):
        store.delete_record(chunk.stage, chunk.key)
    with ThreadPoolExecutor(1) as pool:
        run_plan(plan, store, pool, lambda stage, done, total: None)
    assert manifest_of(plan, store)["digest"] == tiny_atlas.manifest["digest"]
