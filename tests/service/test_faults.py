"""Workers and API killed, workers asked to stop and Redis emptied in the middle of a job."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from atlas_client.client import Client
from atlas_client.errors import ClientError
from atlas_core import registry
from atlas_core.ledger import Ledger
from tests.service.conftest import QUICK, registered
from tests.service.stack import BATCH, SECONDS, OwnRedis, Stack, alive, descendants, running_stack

if TYPE_CHECKING:
    from atlas_client.events import Event
    from tests.service.conftest import Live


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[OwnRedis]:
    with OwnRedis(tmp_path) as server:
        yield server


def test_a_killed_process_and_an_emptied_redis_leave_the_same_manifest(
    live: Live, cards: Path, own_redis: OwnRedis, tmp_path: Path
) -> None:
    with running_stack(tmp_path, own_redis.url) as stack, Client(stack.url) as client:
        atlas = client.submit(registered(client, cards))["id"]
        os.kill(stack.running(atlas, "collect"), signal.SIGKILL)
        stack.running(atlas, "layout")
        own_redis.stop()
        own_redis.start()
        assert_the_same(stack.wait(client, atlas), live)


@pytest.mark.proof
def test_whatever_is_killed_the_manifest_is_the_same_and_no_event_is_missed(
    live: Live, cards: Path, own_redis: OwnRedis, tmp_path: Path
) -> None:
    with running_stack(tmp_path, own_redis.url) as stack, Client(stack.url) as client:
        spec = registered(client, cards)
        atlas = client.submit(spec)["id"]
        told: list[Event] = []
        reader = threading.Thread(target=lambda: told.extend(client.events(atlas)))
        reader.start()

        stack.running(atlas, "collect")
        time.sleep(random.uniform(0, 0.3))
        os.kill(stack.running(atlas, "collect"), signal.SIGKILL)
        stack.running(atlas, "collect")
        stack.terminate("batch")
        assert_handed_back(stack, atlas)
        stack.worker(*BATCH)
        stack.running(atlas, "layout")
        own_redis.stop()
        own_redis.start()
        stack.running(atlas, "render")
        time.sleep(random.uniform(0, 0.3))
        stack.kill("batch")
        stack.kill("api")
        stack.worker(*BATCH)
        stack.api()

        done = stack.wait(client, atlas)
        assert_the_same(done, live)
        reader.join(SECONDS)
        assert_nothing_missed(told, done)
        assert client.project(atlas, cards / "pictures" / "waves" / "02.png")["layers"]
        assert_pickle_is_refused(client, cards, tmp_path, spec)


def assert_the_same(done: dict[str, Any], live: Live) -> None:
    """The atlas is that of the service that nobody disturbed."""
    assert (done["state"], done["error"]) == ("succeeded", None)
    assert done["id"] == live.atlas["id"]
    assert done["digest"] == live.atlas["digest"]
    assert done["manifest"]["artifacts"] == live.atlas["manifest"]["artifacts"]


def assert_handed_back(stack: Stack, atlas: str) -> None:
    """A worker that was asked to stop leaves nothing leased; what it did not finish costs no attempt."""
    found = Ledger(stack.redis).states(list(registry.plan_of(stack.store, atlas).by_key))
    assert "leased" not in {chunk.state for chunk in found}
    tried = [chunk.attempts for chunk in found if chunk.state != "done"]
    assert sum(tried) <= 1  # that which was killed before


def assert_nothing_missed(told: list[Event], done: dict[str, Any]) -> None:
    """Who follows events through all of this knows in the end all that there is to know."""
    assert (told[0].data["state"], told[-1].data["state"]) == ("queued", "succeeded")
    assert told[-1].data["digest"] == done["digest"]
    tiles = {(tile["layer"], tile["side"], tile.get("x"), tile.get("y"))
             for event in told if event.type == "tile" for tile in [event.data]}  # fmt: skip
    assert tiles == {("features.4", side, *place) for side in (3, 6) for place in ((0, 0), (None, None))}
    progress = {event.data["stage"]: event.data["done"] for event in told if event.type == "progress"}
    assert progress == {stage: counts["total"] for stage, counts in done["progress"].items()}


def assert_pickle_is_refused(client: Client, cards: Path, folder: Path, spec: dict[str, Any]) -> None:
    """A worker that loads weights says why it does not, and outlives them."""
    (folder / "weights.pt").write_bytes(b"\x80\x04cposix\nsystem\n.")
    card = json.loads((cards / "model.json").read_text()) | {"weights": "weights.pt"}
    (folder / "model.json").write_text(json.dumps(card))
    model = client.add_model(folder / "model.json")
    with pytest.raises(ClientError, match=r"was refused.*pickle"):
        client.wait_ready("models", model["id"])
    with pytest.raises(ClientError, match="was refused"):
        client.submit({**spec, "model": model["id"]})


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_atlas_up_ends_with_all_its_children(tmp_path: Path, number: signal.Signals) -> None:
    command = [sys.executable, "-m", "atlas_client.cli", "up", "--data", str(tmp_path), "--json"]
    command[1:3] = ["-c", "from atlas_client.cli import main; main()"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, **QUICK}) as process:
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["url"]
        assert httpx.get(f"{url}/readyz").status_code == 200
        family = descendants(process.pid)
        assert len(family) >= 4 + 2
        process.send_signal(number)
        assert process.wait(30) == (0 if number is signal.SIGTERM else -signal.SIGKILL)
    deadline = time.monotonic() + 10
    while (left := [pid for pid in family if alive(pid)]) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert left == []
