"""A model looked at elsewhere says the same, and code that gets to run there can do nothing."""

from __future__ import annotations

import io
import os
import socket
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save
from torch import nn
from torchvision.models import squeezenet1_1

from atlas_core import confinement
from atlas_core.cards import InputCard, ModelCard
from atlas_core.errors import ModelError
from atlas_core.models.inspector import Inspector
from atlas_core.models.looking import look
from tests.atlas_core.models.exports import exported
from tests.stranger import installed_stranger

INPUT = InputCard(channels=3, height=64, width=64, mean=[0.5] * 3, std=[0.25] * 3)
SECRET = "a secret of the worker's"
SECONDS = 2
STRANGER = """
import ctypes, os, socket, subprocess

def tried(what, do):
    try:
        do()
    except BaseException as error:
        return f"{what}: no"
    return f"{what}: YES"

def make(do="tell", canary="", port=0, parent=0):
    if do == "spin":
        while True: pass
    if do == "crash":
        ctypes.string_at(0)
    if do == "grow":
        held = [bytes(1 << 28) for _ in range(64)]
    if do == "wait":
        import time; time.sleep(3600)
    raise ValueError("; ".join([
        tried("write", lambda: open(canary, "w").write("x")),
        tried("read", lambda: open("/etc/passwd").read()),
        tried("list", lambda: os.listdir("/")),
        tried("environment", lambda: open(f"/proc/{parent}/environ").read()),
        tried("connect", lambda: socket.create_connection(("127.0.0.1", port), 2)),
        tried("datagram", lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)),
        tried("run", lambda: subprocess.run(["/bin/true"], check=True)),
        tried("exec", lambda: os.execv("/bin/touch", ["touch", canary])),
        tried("fork", lambda: os.fork() or os._exit(0)),
        tried("kill", lambda: os.kill(parent, 0)),
        tried("secret", lambda: os.environ["ATLAS_STORE_SECRET_ACCESS_KEY"]),
    ]))
"""


@pytest.fixture(scope="module")
def inspector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inspector]:
    """One whose process finds a stranger's code installed, and an operator's secret around it."""
    folder = installed_stranger(tmp_path_factory.mktemp("installed"), STRANGER)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")]))
        patch.setenv("ATLAS_STORE_SECRET_ACCESS_KEY", SECRET)
        made = Inspector(memory=2 << 30, seconds=SECONDS, waiting=1000)
        yield made
        made.stop()


def opened(data: bytes) -> Any:
    return lambda digest: io.BytesIO(data) if digest == sha256(data).hexdigest() else io.BytesIO()


def weights() -> bytes:
    torch.manual_seed(3)
    return save(squeezenet1_1(num_classes=4).state_dict())


def squeezenet(data: bytes) -> ModelCard:
    return ModelCard(name="s", format="torchvision", architecture="squeezenet1_1", arguments={"num_classes": 4},
                     weights=f"sha256:{sha256(data).hexdigest()}", input=INPUT)  # fmt: skip


def stranger(**arguments: Any) -> ModelCard:
    data = save({"weight": torch.zeros(1)})
    return ModelCard(name="x", format="python", architecture="stranger", arguments=arguments,
                     weights=f"sha256:{sha256(data).hexdigest()}", input=INPUT)  # fmt: skip


def refusal(inspector: Inspector, **arguments: Any) -> str:
    with pytest.raises(ModelError) as refused:
        inspector.look(stranger(**arguments), opened(save({"weight": torch.zeros(1)})), None, None)
    return refused.value.detail


def test_a_model_looked_at_elsewhere_says_what_it_says_here(inspector: Inspector) -> None:
    data = weights()
    random = np.random.default_rng(0)
    images = [(random.integers(0, 256, (64, 64, 3), dtype=np.uint8), number % 4) for number in range(8)]
    here = look(squeezenet(data), lambda _: data, images, list("abcd"))
    there = inspector.look(squeezenet(data), opened(data), iter(images), list("abcd"))
    assert there.inspection == here.inspection
    assert here.inspection.images == 8
    assert (there.cost or {}).keys() == (here.cost or {}).keys()


def test_an_onnx_model_too(inspector: Inspector) -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
    data = exported(module.eval(), (3, 64, 64), "legacy")
    card = ModelCard(name="o", format="onnx", source=f"sha256:{sha256(data).hexdigest()}", input=INPUT)
    found = inspector.look(card, opened(data), None, None)
    assert found.inspection == look(card, lambda _: data, None, None).inspection
    assert found.inspection.convertible
    assert found.inspection.classes == 3


def test_what_is_no_model_is_refused_with_the_reason(inspector: Inspector) -> None:
    data = b"nonsense"
    with pytest.raises(ModelError, match="pickle or no weights at all"):
        inspector.look(squeezenet(data), opened(data), None, None)


def test_a_file_that_is_not_what_the_card_says_is_refused(inspector: Inspector) -> None:
    with pytest.raises(ModelError, match="not what its card says"):
        inspector.look(squeezenet(weights()), lambda _: io.BytesIO(b"other"), None, None)


def test_code_that_gets_to_run_there_reaches_nothing(inspector: Inspector, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    with socket.create_server(("127.0.0.1", 0)) as server:
        told = refusal(inspector, canary=str(canary), port=server.getsockname()[1], parent=os.getpid())
    there = confinement.available()
    may = set()
    if not there[confinement.FILES]:
        may |= {"read", "list", "environment", "kill"}
    if not there[confinement.CALLS]:
        may |= {"connect", "datagram", "run", "exec", "fork"}
    assert told.count(": no") + told.count(": YES") == 11
    assert not [found for found in told.partition("arguments: ")[2].split("; ")
                if found.endswith("YES") and found.partition(":")[0] not in may], told  # fmt: skip
    assert not canary.exists()


def test_what_ends_its_process_is_refused_and_the_next_is_looked_at(inspector: Inspector) -> None:
    assert "SIGSEGV" in refusal(inspector, do="crash")
    assert "cannot be built" in refusal(inspector, do="grow")  # a MemoryError, at 2 GiB
    test_what_is_no_model_is_refused_with_the_reason(inspector)


def test_what_never_ends_is_refused(inspector: Inspector, monkeypatch: pytest.MonkeyPatch) -> None:
    assert f"more than {SECONDS} s of a processor" in refusal(inspector, do="spin")
    monkeypatch.setattr(inspector, "_waiting", 1)
    assert f"not looked at within {SECONDS} s" in refusal(inspector, do="wait")
