"""ONNX models: onnxruntime reads activations, a converted torch network gives gradients."""

from __future__ import annotations

import difflib
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime
from onnx import ModelProto, TensorProto

from atlas_core.cards import LayerInfo
from atlas_core.errors import ModelError, UnsupportedOperatorError
from atlas_core.models.base import LoadedModel, ReadBlob, blob_digest
from atlas_core.models.convert import check_conversion, simplified, to_torch
from atlas_core.models.layers import LEAST_SIDE
from atlas_core.models.onnx_batch import folded, freed, has_products
from atlas_core.models.onnx_fields import receptive_fields
from atlas_core.models.onnx_graph import OnnxInput, float_outputs, image_input, opset_of, pruned, read_onnx

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atlas_core.cards import ModelCard
    from atlas_core.models.graph import Network

KEPT_SESSIONS = 4
# a number that other leading axes seldom have
PROBE_IMAGES = 3
LOG_ERRORS_ONLY = 3


class OnnxModel(LoadedModel):
    """An ONNX graph; layers are the names of its tensors.

    Args:
        card: Resolved.
        graph: The user's graph, types inferred.
        input: The graph's image input.
        output: Name of the logits, None where there are none.
        shapes: Of the tensors of rank 2 and 4 for a batch of images of the card's size, in order of execution.
        threads: Of onnxruntime.
    """

    def __init__(
        self,
        card: ModelCard,
        graph: ModelProto,
        input: OnnxInput,
        output: str | None,
        shapes: Mapping[str, Sequence[int]],
        threads: int,
    ) -> None:
        self._graph = graph
        self._input = input
        self._output = output
        self._threads = threads
        self._sessions: OrderedDict[tuple[str, ...], onnxruntime.InferenceSession] = OrderedDict()
        self._shapes = shapes
        self._mean, self._std = (
            np.asarray(values, np.float32).reshape(1, -1, 1, 1) for values in (card.input.mean, card.input.std)
        )
        names = [name for name, shape in shapes.items() if len(shape) == 4 and min(shape[2:]) >= LEAST_SIDE]
        outputs = [*names, output] if output and output not in names else names
        self._simplified = simplified(graph, outputs)
        image_shape = (1, card.input.channels, card.input.height, card.input.width)
        fields = receptive_fields(self._simplified, input.name, {**shapes, input.name: image_shape})
        layers = tuple(_layer(name, shapes[name], fields.get(name)) for name in names)
        super().__init__(card, layers, int(np.prod(shapes[output][1:])) if output else None)

    def activations(
        self, pixels: NDArray[np.float32], layers: Sequence[str], *, logits: bool
    ) -> tuple[dict[str, NDArray[np.float32]], NDArray[np.float32] | None]:
        """See LoadedModel.activations."""
        for name in layers:
            self.layer(name)
        wanted = list(dict.fromkeys(layers))
        if logits and self._output is not None:
            wanted.append(self._output)
        if not wanted:
            return {}, None
        values = dict(zip(wanted, self._run((pixels - self._mean) / self._std, wanted), strict=True))
        read = {name: values[name] for name in layers}
        if not logits or self._output is None:
            return read, None
        return read, values[self._output].reshape(len(pixels), -1)

    def _run(self, images: NDArray[np.float32], outputs: Sequence[str]) -> list[NDArray[np.float32]]:
        """Run normalised images, in pieces where the file fixes the batch."""
        session = self._session(tuple(dict.fromkeys(outputs)))
        return run_session(session, self._input, images, outputs)

    def _session(self, outputs: tuple[str, ...]) -> onnxruntime.InferenceSession:
        if outputs not in self._sessions:
            self._sessions[outputs] = new_session(pruned(self._graph, outputs), self._threads)
            if len(self._sessions) > KEPT_SESSIONS:
                self._sessions.popitem(last=False)
        self._sessions.move_to_end(outputs)
        return self._sessions[outputs]

    def network(self) -> Network:
        """The converted network, made and checked at the first call."""
        converted = self._converted
        if isinstance(converted, UnsupportedOperatorError):
            raise UnsupportedOperatorError(converted.detail)
        return converted

    @property
    def unconvertible(self) -> tuple[str, ...]:
        """Why the graph could not be converted."""
        return (self._converted.detail,) if isinstance(self._converted, UnsupportedOperatorError) else ()

    @cached_property
    def _converted(self) -> Network | UnsupportedOperatorError:
        names = [layer.name for layer in self.layers]
        wanted = [*names, self._output] if self._output else names
        # where the file fixes the batch, another one shows whether torch is free of it
        images = _probe(self.card, (self._input.batch or PROBE_IMAGES - 1) + 1)
        values = run_session(new_session(pruned(self._graph, wanted), self._threads), self._input, images, wanted)
        expected = dict(zip(wanted, values, strict=True))
        refused = UnsupportedOperatorError("the graph has no layers")
        for graph, single in self._ways():
            try:
                network = to_torch(graph(), names, self._output, opset=opset_of(self._graph), single=single)
                half = self._input.element == TensorProto.FLOAT16
                check_conversion(network, images, expected, self._output, half=half)
            except UnsupportedOperatorError as error:
                refused = error
            else:
                return network
        return refused

    def _ways(self) -> list[tuple[Callable[[], ModelProto], bool]]:
        """The forms of the graph to try, each with whether it takes one image alone.

        As it is, when it may take pictures of other sizes; then freed of its batch; then, where the file's batch is
        one, for each image by itself. Attention has its sizes fixed by the position embedding anyway, and shapes that
        are computed from the batch would be carried into heads.
        """
        ways: list[tuple[Callable[[], ModelProto], bool]] = [(self._freed, False)]
        if not has_products(self._simplified, self._input.name):
            ways.insert(0, (lambda: self._simplified, False))
        if self._input.batch == 1:
            ways.append((self._folded, True))
        return ways

    def _freed(self) -> ModelProto:
        card = self.card.input
        batch = self._input.batch or PROBE_IMAGES
        return freed(self._folded(), self._input.name, (batch, card.channels, card.height, card.width))

    def _folded(self) -> ModelProto:
        images = _probe(self.card, self._input.batch or PROBE_IMAGES)

        def evaluate(model: ModelProto, outputs: Sequence[str]) -> Sequence[NDArray[Any]]:
            return run_raw(new_session(model, self._threads), self._input, images, outputs)

        return folded(self._simplified, self._input.name, evaluate)


def load_onnx(card: ModelCard, read_blob: ReadBlob, *, threads: int = 1) -> OnnxModel:
    """Parse, check and run once to learn the shapes.

    Raises:
        ModelError: The bytes are no ONNX that we take, or the card's input or output is not the graph's.
    """
    graph = read_onnx(read_blob(blob_digest(card.source)))
    image = image_input(graph, card.input)
    candidates = float_outputs(graph, image.name)
    if card.output is not None and card.output not in candidates:
        near = difflib.get_close_matches(card.output, candidates, n=3) or [value.name for value in graph.graph.output]
        raise ModelError(f"the ONNX graph has no output {card.output!r}; the nearest are {', '.join(near)}")
    session = new_session(pruned(graph, candidates), threads)
    values = run_session(session, image, _probe(card, image.batch or PROBE_IMAGES), candidates)
    shapes = {name: value.shape for name, value in zip(candidates, values, strict=True)}
    images = image.batch or PROBE_IMAGES
    shapes = {name: shape for name, shape in shapes.items() if shape and shape[0] == images}
    return OnnxModel(card, graph, image, _logits(card, graph, shapes), shapes, threads)


def _logits(card: ModelCard, graph: ModelProto, shapes: Mapping[str, Sequence[int]]) -> str | None:
    """The card's output, or the graph's first of shape (n, classes)."""
    if card.output is None:
        return next((value.name for value in graph.graph.output if _is_vector(shapes.get(value.name, ()))), None)
    if not _is_vector(shapes.get(card.output, ())):
        shape = tuple(shapes.get(card.output, ()))
        raise ModelError(f"the output {card.output!r} has the shape {shape} and should be (images, classes)")
    return card.output


def _is_vector(shape: Sequence[int]) -> bool:
    return len(shape) >= 2 and set(shape[2:]) <= {1}


def _probe(card: ModelCard, images: int) -> NDArray[np.float32]:
    """Noise in the range of normalised pixels, always the same."""
    shape = (images, card.input.channels, card.input.height, card.input.width)
    pixels = np.random.Generator(np.random.Philox(0)).random(shape, np.float32)
    mean, std = (np.asarray(values, np.float32).reshape(1, -1, 1, 1) for values in (card.input.mean, card.input.std))
    return np.ascontiguousarray((pixels - mean) / std)


def new_session(model: ModelProto, threads: int) -> onnxruntime.InferenceSession:
    """An onnxruntime session on the CPU: deterministic, with this many threads that do not spin.

    Raises:
        ModelError: onnxruntime refuses the graph.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = LOG_ERRORS_ONLY
    options.use_deterministic_compute = True
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's exceptions share no public base
        raise ModelError(f"onnxruntime cannot load the graph: {str(error).splitlines()[0]}") from None


def run_session(
    session: onnxruntime.InferenceSession, image: OnnxInput, images: NDArray[np.float32], outputs: Sequence[str]
) -> list[NDArray[np.float32]]:
    """Run normalised images, shape (n, channels, height, width); gives one float32 array an output.

    Raises:
        ModelError: onnxruntime fails on them.
    """
    step = image.batch or max(len(images), 1)
    pieces: list[list[NDArray[Any]]] = []
    try:
        for first in range(0, len(images), step):
            piece = images[first : first + step]
            short = step - len(piece)
            full = np.concatenate([piece, np.zeros((short, *piece.shape[1:]), piece.dtype)]) if short else piece
            values = run_raw(session, image, full, outputs)
            pieces.append([value[: len(piece)] for value in values] if short else values)
    except ValueError as error:
        raise ModelError(f"the model's outputs do not have one row an image: {error}") from None
    return [np.concatenate(parts).astype(np.float32, copy=False) for parts in zip(*pieces, strict=True)]


def run_raw(
    session: onnxruntime.InferenceSession, image: OnnxInput, images: NDArray[np.float32], outputs: Sequence[str]
) -> list[NDArray[Any]]:
    """Run exactly these normalised images and give the tensors as they are.

    Raises:
        ModelError: onnxruntime fails on them.
    """
    given = images.astype(np.float16) if image.element == TensorProto.FLOAT16 else images
    try:
        values: list[NDArray[Any]] = session.run(list(outputs), {image.name: given})
    except Exception as error:  # onnxruntime's exceptions share no public base
        raise ModelError(f"onnxruntime cannot run the model: {str(error).splitlines()[0]}") from None
    return values


def _layer(name: str, shape: Sequence[int], field: Any) -> LayerInfo:
    return LayerInfo(
        name=name, shape=(shape[1], shape[2], shape[3]), receptive_field=field.card() if field is not None else None
    )
