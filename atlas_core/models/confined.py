"""A stranger's model is looked at in a process of its own, which has nothing else; `inspector` asks, this answers.

A process stands by with the libraries loaded and forks one that confines itself, reads the model and what is sent,
answers and ends: so each is looked at by a fresh one, within a second. Descriptor 0 of the standing process is a
socket over which it is given a line and the model's file; answers are JSON, which whoever broke the model's process
can only fill with text.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import select
import socket
import struct
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from pydantic import TypeAdapter

from atlas_core import confinement
from atlas_core.cards import ModelCard
from atlas_core.errors import InputError, ModelError
from atlas_core.memory import is_out_of_memory

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

IDLE_SECONDS = 120.0
"""After which a process that stands by for nothing ends, and its memory goes back."""
FRAME = struct.Struct("<iI")
"""Before an image: its label and its bytes; no bytes end them all."""
STATUS = struct.Struct("<i")
log = logging.getLogger(__name__)


def main() -> None:
    """Stand by, and fork for each model."""
    from atlas_core.run import die_with_parent

    die_with_parent(int(sys.argv[1]))
    _load()
    control = socket.socket(fileno=0)
    while select.select([control], [], [], IDLE_SECONDS)[0]:
        data, descriptors, _, _ = socket.recv_fds(control, 1, 2)
        if not data:
            return
        child = os.fork()
        if child == 0:
            control.close()
            die_with_parent()
            os._exit(_child(*descriptors))
        for descriptor in descriptors:
            os.close(descriptor)
        control.sendall(STATUS.pack(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])))


def _load() -> None:
    """Load what takes seconds, before a model is there to be waited for; nothing computes here."""
    import torch

    import atlas_core.models.cost
    import atlas_core.models.looking
    import atlas_core.models.onnx
    import atlas_core.models.torchvision  # noqa: F401

    torch.set_num_threads(1)


def _child(line: int, weights: int) -> int:
    with socket.socket(fileno=line) as connection, cast("BinaryIO", connection.makefile("rwb")) as stream:
        try:
            request = json.loads(stream.readline())
            held = confinement.confine(request["memory"], request["seconds"], request["longest"])
            if not all(held.values()):
                log.warning(
                    "models are looked at with %s", ", ".join(f"{name}: {there}" for name, there in held.items())
                )
            answer = _answer(request, stream, weights)
            stream.write(answer)
            stream.flush()
        except Exception:
            log.exception("a model could not be looked at")
            return 1
    return 0


def _answer(request: dict[str, Any], stream: BinaryIO, weights: int) -> bytes:
    from atlas_core.models.looking import Look, look

    card = ModelCard.model_validate(request["card"])
    measured, classes = request["measured"], request["classes"]
    images = _images(stream, card) if measured else None
    try:
        found = look(card, lambda sha256: _read(weights, sha256), images, classes, confinement.allow_longer)
    except InputError as error:
        return json.dumps({"refused": error.detail}).encode()
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        return json.dumps({"refused": too_much_memory(request["memory"])}).encode()
    return b'{"found": ' + TypeAdapter(Look).dump_json(found) + b"}"


def too_much_memory(memory: int) -> str:
    """Why a model that took too much is refused."""
    return f"loading the model takes more than {memory / 2**30:.3g} GiB; the operator may raise ATLAS_INSPECTION_BYTES"


def _read(descriptor: int, sha256: str) -> bytes:
    size = os.fstat(descriptor).st_size
    data = b"".join(iter(lambda: os.read(descriptor, 1 << 24), b"")) if os.lseek(descriptor, 0, 0) == 0 else b""
    if len(data) != size or hashlib.sha256(data).hexdigest() != sha256:
        raise ModelError("the model's file is not what its card says; upload it again")
    return data


def _images(stream: BinaryIO, card: ModelCard) -> Iterator[tuple[NDArray[np.uint8], int]]:
    import numpy as np

    shape = (card.input.height, card.input.width, card.input.channels)
    while True:
        label, size = FRAME.unpack(stream.read(FRAME.size))
        if not size:
            return
        yield np.frombuffer(stream.read(size), np.uint8).reshape(shape), label


if __name__ == "__main__":
    logging.basicConfig(format="[%(levelname)s/inspection] %(message)s")
    main()
