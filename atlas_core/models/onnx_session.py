"""onnxruntime sessions: deterministic, and bounded in memory where a stranger's graph is first tried."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime
from onnx import ModelProto, TensorProto

from atlas_core.errors import ModelError
from atlas_core.memory import is_out_of_memory
from atlas_core.models.onnx_graph import pruned

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atlas_core.models.onnx_graph import OnnxInput

# errors are raised, and said by us
LOG_FATAL_ONLY = 4
# what the tensors of a graph that is tried on a few images may take together
TRIAL_BYTES = 4 * 2**30
# what tensors that are read at once may take, but for a single larger one
READ_BYTES = 2**30


class Session:
    """One pruned graph, ready to run.

    Args:
        model: The graph; only what these outputs need is kept of it.
        outputs: Names of tensors.
        image: The graph's image input.
        threads: Of onnxruntime; they do not spin.
        gpu: Number of the GPU to run on, where onnxruntime was built for it (`onnxruntime-gpu`); else the CPU does it.
        trial: Bound its memory to TRIAL_BYTES, shared by all such sessions of the process and given back after a run.

    Raises:
        ModelError: onnxruntime refuses the graph.
    """

    def __init__(
        self,
        model: ModelProto,
        outputs: Sequence[str],
        image: OnnxInput,
        threads: int,
        *,
        trial: bool = False,
        gpu: int | None = None,
    ) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = LOG_FATAL_ONLY
        options.use_deterministic_compute = True
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._run_options = onnxruntime.RunOptions()
        self._run_options.log_severity_level = LOG_FATAL_ONLY
        if trial:
            _bound_memory()
            options.add_session_config_entry("session.use_env_allocators", "1")
            self._run_options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
        self.outputs = tuple(outputs)
        self._image, self._trial = image, trial
        data = pruned(model, outputs).SerializeToString()
        try:
            self._session = onnxruntime.InferenceSession(data, options, providers=_providers(gpu))
        except Exception as error:  # onnxruntime's exceptions share no public base
            raise ModelError(f"onnxruntime cannot load the graph: {_first_line(error)}") from None

    def run(self, images: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """Run normalised images, shape (n, channels, height, width), in pieces where the file fixes the batch.

        Returns:
            A float32 array for each output.

        Raises:
            ModelError: onnxruntime fails on them, or a trial needs more memory than it may have.
            Exception: onnxruntime's own, where memory does not do outside a trial: fewer images may pass.
        """
        step = self._image.batch or max(len(images), 1)
        pieces: list[list[NDArray[Any]]] = []
        for first in range(0, len(images), step):
            piece = images[first : first + step]
            short = step - len(piece)
            full = np.concatenate([piece, np.zeros((short, *piece.shape[1:]), piece.dtype)]) if short else piece
            values = self.raw(full)
            pieces.append([value[: len(piece)] for value in values] if short else values)
        try:
            joined = [np.concatenate(parts).astype(np.float32, copy=False) for parts in zip(*pieces, strict=True)]
        except ValueError as error:
            raise ModelError(f"the model's outputs do not have one row an image: {error}") from None
        return dict(zip(self.outputs, joined, strict=True))

    def raw(self, images: NDArray[np.float32]) -> list[NDArray[Any]]:
        """Run exactly these normalised images and give the tensors as they are.

        Raises:
            As `run`.
        """
        given = images.astype(np.float16) if self._image.element == TensorProto.FLOAT16 else images
        try:
            values: list[NDArray[Any]] = self._session.run(
                list(self.outputs), {self._image.name: given}, self._run_options
            )
        except Exception as error:  # onnxruntime's exceptions share no public base
            if not is_out_of_memory(error):
                raise ModelError(f"onnxruntime cannot run the model: {_first_line(error)}") from None
            if not self._trial:
                raise
            raise ModelError(
                f"the ONNX graph needs more than {TRIAL_BYTES // 2**30} GiB for {len(images)} images; export it for "
                "smaller images, or for fewer at once where it fixes their number"
            ) from None
        return values


def _providers(gpu: int | None) -> list[Any]:
    on_gpu = gpu is not None and "CUDAExecutionProvider" in onnxruntime.get_available_providers()
    return [*([("CUDAExecutionProvider", {"device_id": gpu})] if on_gpu else []), "CPUExecutionProvider"]


@cache
def _bound_memory() -> None:
    """Set up, once in a process, the memory that all trials share."""
    place = onnxruntime.OrtMemoryInfo(
        "Cpu", onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, onnxruntime.OrtMemType.DEFAULT
    )
    onnxruntime.create_and_register_allocator(place, onnxruntime.OrtArenaCfg({"max_mem": TRIAL_BYTES}))


def read_together(shapes: Mapping[str, Sequence[int]], names: Sequence[str]) -> Iterator[list[str]]:
    """Cut a list of tensors into runs that fit into memory together; `shapes` are of all of them."""
    run: list[str] = []
    taken = 0
    for name in names:
        size = 4 * prod(shapes[name])
        if run and taken + size > READ_BYTES:
            yield run
            run, taken = [], 0
        run.append(name)
        taken += size
    if run:
        yield run


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
