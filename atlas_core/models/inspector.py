"""Has strangers' models looked at by a confined process, and tells why one could not be."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, BinaryIO

from atlas_core.errors import ModelError
from atlas_core.models.confined import FRAME, STATUS

if TYPE_CHECKING:
    from atlas_core.cards import ModelCard
    from atlas_core.models.looking import LabelledImages, Look

MEASURING = 24
"""Times as long as loading may take, measuring on images may."""
WAITING = 4
MOST_ANSWERED = 32 << 20
KEPT = (
    "PATH",
    "HOME",
    "LANG",
    "LC_",
    "TZ",
    "PYTHON",
    "OMP_",
    "MKL_",
    "OPENBLAS_",
    "NUMBA_",
    "LD_LIBRARY_PATH",
    "TMPDIR",
)
"""Beginnings of the variables that the process is given: secrets are none of them."""


class Inspector:
    """Asks the process that stands by, which is started when it is needed.

    Args:
        memory: Bytes that looking at a model may take.
        seconds: Of a processor that loading one may take.
        waiting: Times as long by the clock as by the processor.
    """

    def __init__(self, memory: int, seconds: int, waiting: int = WAITING) -> None:
        """Nothing is started yet."""
        self._memory, self._seconds, self._waiting = memory, seconds, waiting
        self._late = False
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    def look(
        self,
        card: ModelCard,
        open_blob: Callable[[str], BinaryIO],
        images: LabelledImages | None,
        classes: Sequence[str] | None,
    ) -> Look:
        """As `looking.look`, elsewhere.

        Raises:
            ModelError: It was refused, or took the process with it.
            RuntimeError: It could not be looked at; the process's log says why.
        """
        request = {
            "card": card.model_dump(mode="json"), "memory": self._memory, "seconds": self._seconds,
            "longest": self._seconds * MEASURING, "measured": images is not None,
            "classes": None if classes is None else list(classes),
        }  # fmt: skip
        sha256 = str(card.source if card.format == "onnx" else card.weights).removeprefix("sha256:")
        with open_blob(sha256) as blob, _file(blob) as file:
            answer, status = self._asked(request, file, images)
            if not answer and status == 0:  # it had stood by for too long, and ended
                self.stop()
                answer, status = self._asked(request, file, images)
        if self._late:
            raise ModelError(f"the model was not looked at within {self._longest(images):,} s; register it again, or "
                             "have the operator raise ATLAS_INSPECTION_SECONDS")  # fmt: skip
        return _told(answer, status, self._memory, self._seconds)

    def _longest(self, images: LabelledImages | None) -> int:
        return self._seconds * self._waiting * (1 if images is None else MEASURING)

    def _give_up(self) -> None:
        self._late = True
        if self._process is not None:
            self._process.kill()  # and with it goes what it forked

    def stop(self) -> None:
        """End the process that stands by."""
        if self._control is not None:
            self._control.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._control = self._process = None

    def _asked(self, request: Mapping[str, Any], weights: BinaryIO, images: LabelledImages | None) -> tuple[bytes, int]:
        """The answer, empty where there is none, and how the process ended, less than 0 by a signal."""
        control = self._standing()
        self._late = False
        timer = threading.Timer(self._longest(images), self._give_up)
        ours, theirs = socket.socketpair()
        timer.start()
        try:
            with ours:
                with theirs, suppress(BrokenPipeError):
                    socket.send_fds(control, [b"?"], [theirs.fileno(), weights.fileno()])
                answer = _exchange(ours, request, images)
            with suppress(ConnectionError):
                status = control.recv(STATUS.size, socket.MSG_WAITALL)
                return answer, STATUS.unpack(status)[0] if status else self._ended()
            return answer, self._ended()
        except BaseException:
            self.stop()
            raise
        finally:
            timer.cancel()

    def _ended(self) -> int:
        """How the process that stood by ended."""
        code = self._process.wait() if self._process else 0
        self.stop()
        return code

    def _standing(self) -> socket.socket:
        if self._control is not None and self._process is not None and self._process.poll() is None:
            return self._control
        self.stop()
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "atlas_core.models.confined", str(os.getpid())],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                env={name: value for name, value in os.environ.items() if name.startswith(KEPT)},
            )
        self._control = ours
        return ours


def _file(blob: BinaryIO) -> Any:
    """A blob as a file that has a descriptor."""
    with suppress(OSError):
        blob.fileno()
        return os.fdopen(os.dup(blob.fileno()), "rb")
    file = tempfile.TemporaryFile(prefix="atlas-model-")  # noqa: SIM115  # the caller closes it
    shutil.copyfileobj(blob, file, 1 << 24)
    file.flush()
    return file


def _exchange(ours: socket.socket, request: Mapping[str, Any], images: LabelledImages | None) -> bytes:
    with ours.makefile("rwb") as stream:
        with suppress(BrokenPipeError, ConnectionResetError):  # it needs no more, or ended
            stream.write(json.dumps(request).encode() + b"\n")
            for pixels, label in images or ():
                data = pixels.tobytes()
                stream.write(FRAME.pack(label, len(data)) + data)
            stream.write(FRAME.pack(-1, 0))
            stream.flush()
        with suppress(ConnectionResetError):
            return stream.read(MOST_ANSWERED)
    return b""


def _told(answer: bytes, status: int, memory: int, seconds: int) -> Look:
    from pydantic import TypeAdapter

    from atlas_core.models.looking import Look

    if status == -signal.SIGXCPU:
        raise ModelError(f"loading the model takes more than {seconds:,} s of a processor; the operator may raise "
                         "ATLAS_INSPECTION_SECONDS")  # fmt: skip
    if status < 0 and status != -signal.SIGKILL:
        raise ModelError(f"the model ended the process that looked at it ({signal.Signals(-status).name}); it is "
                         f"broken, or takes more than {memory / 2**30:.3g} GiB (ATLAS_INSPECTION_BYTES)")  # fmt: skip
    if status != 0 or not answer:
        raise RuntimeError(f"a model was not looked at to its end (status {status}); the worker's log says more")
    value = json.loads(answer)
    if "refused" in value:
        raise ModelError(str(value["refused"]))
    return TypeAdapter(Look).validate_python(value["found"])
