"""ONNX models: onnxruntime reads activations, a converted torch network gives gradients."""

from __future__ import annotations

import difflib
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from onnx import ModelProto, TensorProto

from atlas_core.cards import LayerInfo
from atlas_core.errors import ModelError, UnsupportedOperatorError
from atlas_core.models.base import LoadedModel, ReadBlob, blob_digest
from atlas_core.models.convert import check_conversion, simplified, to_torch
from atlas_core.models.layers import LEAST_SIDE
from atlas_core.models.muted_onnx import muted_graph
from atlas_core.models.onnx_batch import counts_images, folded, freed, has_products
from atlas_core.models.onnx_blocks import block_outputs
from atlas_core.models.onnx_fields import receptive_fields
from atlas_core.models.onnx_forms import forms
from atlas_core.models.onnx_graph import (
    OnnxInput,
    float_outputs,
    image_input,
    opset_of,
    pruned,
    read_onnx,
    seen_outputs,
    static_shapes,
)  # fmt: skip
from atlas_core.models.onnx_session import Session, read_together
from atlas_core.models.tokens import MAPS, Form, to_grid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atlas_core.audit.muting import Mute
    from atlas_core.cards import ModelCard
    from atlas_core.models.graph import Network

KEPT_SESSIONS = 4
# a number that other leading axes seldom have
PROBE_IMAGES = 3
OTHER_IMAGES = 2
# of a layer, as requests may give it
LONGEST_NAME = 300
LONGEST_DETAIL = 1000


class OnnxModel(LoadedModel):
    """An ONNX graph; layers are the names of its tensors, tokens and channels-last maps are read as maps.

    Args:
        card: Resolved.
        graph: The user's graph, types inferred.
        plain: The same simplified.
        image: The graph's image input.
        output: Name of the logits, None where there are none.
        shapes: Of the tensors for a batch of images of the card's size.
        threads: Of onnxruntime.
    """

    def __init__(
        self,
        card: ModelCard,
        graph: ModelProto,
        plain: ModelProto,
        image: OnnxInput,
        output: str | None,
        shapes: Mapping[str, Sequence[int]],
        threads: int,
    ) -> None:
        self._graph, self._image, self._output, self._threads, self._shapes = graph, image, output, threads, shapes
        self._sessions: OrderedDict[tuple[str, ...], Session] = OrderedDict()
        self._lock = threading.Lock()
        self._mean, self._std = (
            np.asarray(values, np.float32).reshape(1, -1, 1, 1) for values in (card.input.mean, card.input.std)
        )
        self._forms = forms(plain, image.name, shapes)
        layers = list_layers(plain, graph, image.name, output, shapes, self._forms)
        names = [layer.name for layer in layers]
        self._plain = pruned(plain, [*names, output] if output and output not in names else names)
        super().__init__(card, layers, int(np.prod(shapes[output][1:])) if output else None)

    def activations(
        self, pixels: NDArray[np.float32], layers: Sequence[str], *, logits: bool
    ) -> tuple[dict[str, NDArray[np.float32]], NDArray[np.float32] | None]:
        """See LoadedModel.activations."""
        for name in layers:
            self.layer(name)
        wanted = list(dict.fromkeys(layers))
        if logits and self._output is not None and self._output not in wanted:
            wanted.append(self._output)
        if not wanted:
            return {}, None
        values = self._session(tuple(wanted)).run((pixels - self._mean) / self._std)
        read = {name: as_maps(values[name], self._forms[name]) for name in layers}
        if not logits or self._output is None:
            return read, None
        return read, values[self._output].reshape(len(pixels), -1)

    def _session(self, outputs: tuple[str, ...]) -> Session:
        with self._lock:
            if outputs not in self._sessions:
                gpu = (self.device.index or 0) if self.device.type == "cuda" else None
                self._sessions[outputs] = Session(self._graph, outputs, self._image, self._threads, gpu=gpu)
                if len(self._sessions) > KEPT_SESSIONS:
                    self._sessions.popitem(last=False)
            self._sessions.move_to_end(outputs)
            return self._sessions[outputs]

    def muted(self, layer: str, mute: Mute) -> bytes:
        """See LoadedModel.muted."""
        self.layer(layer)
        data: bytes = muted_graph(self._graph, layer, self._forms[layer], mute).SerializeToString()
        return data

    def move(self, device: torch.device) -> None:
        """See LoadedModel.move."""
        super().move(device)
        self._sessions.clear()

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
        # another number of images than the graph was freed at shows whether it is free of it
        images = probe(self.card, PROBE_IMAGES if self._image.batch == OTHER_IMAGES else OTHER_IMAGES)
        names = [layer.name for layer in self.layers]
        wanted = [*names, self._output] if self._output and self._output not in names else names
        expected: dict[str, NDArray[np.float32]] = {}
        for some in read_together(self._shapes, wanted):
            values = Session(self._graph, some, self._image, self._threads, trial=True).run(images)
            expected |= {name: as_maps(value, self._forms.get(name)) for name, value in values.items()}
        refused = UnsupportedOperatorError("the graph has no layers")
        held = {name: self._forms[name] for name in names}
        for graph, single in self._ways():
            try:
                network = to_torch(graph(), held, self._output, opset=opset_of(self._graph), single=single)
                half = computes_in_half(self._graph)
                check_conversion(network, images, expected, self._output, half=half)
            except UnsupportedOperatorError as error:
                refused = error
            else:
                return network
        return refused

    def _ways(self) -> list[tuple[Callable[[], ModelProto], bool]]:
        """The forms of the graph to try, each with whether it takes one image alone.

        As it is, when it may take pictures of other sizes; freed of its batch; then, where the file's batch is one, for
        each image by itself. Attention has its sizes fixed by the position embedding anyway, and shapes that are
        computed from the batch would be carried into heads, so there the freed graph comes first.
        """
        ways: list[tuple[Callable[[], ModelProto], bool]] = [(self._freed, False)]
        if not has_products(self._plain, self._image.name):
            ways.insert(1 if counts_images(self._plain) else 0, (lambda: self._plain, False))
        if self._image.batch == 1:
            ways.append((self._folded, True))
        return ways

    def _freed(self) -> ModelProto:
        card = self.card.input
        batch = self._image.batch or PROBE_IMAGES
        return freed(self._folded(), self._image.name, (batch, card.channels, card.height, card.width))

    def _folded(self) -> ModelProto:
        images = probe(self.card, self._image.batch or PROBE_IMAGES)

        def evaluate(model: ModelProto, outputs: Sequence[str]) -> Sequence[NDArray[Any]]:
            return Session(model, outputs, self._image, self._threads, trial=True).raw(images)

        return folded(self._plain, self._image.name, evaluate)


def load_onnx(card: ModelCard, read_blob: ReadBlob, *, threads: int = 1) -> OnnxModel:
    """Parse, check and run once; shapes that this cannot tell are learnt by running it again.

    Raises:
        ModelError: The bytes are no ONNX that we take, or the card's input or output is not the graph's.
    """
    data = read_blob(blob_digest(card.source))
    try:
        return _load(card, data, threads)
    except ModelError as error:  # it may quote names from the file, which are as long as they like
        detail = error.detail if len(error.detail) <= LONGEST_DETAIL else f"{error.detail[:LONGEST_DETAIL]}…"
        raise ModelError(detail) from None


def _load(card: ModelCard, data: bytes, threads: int) -> OnnxModel:
    graph = read_onnx(data)
    image = image_input(graph, card.input)
    images = probe(card, image.batch or PROBE_IMAGES)
    static_shapes(graph, image.name, images.shape)  # before anything is run
    candidates = float_outputs(graph, image.name)
    if card.output is not None and card.output not in candidates:
        near = difflib.get_close_matches(card.output, candidates, n=3) or [value.name for value in graph.graph.output]
        raise ModelError(f"the ONNX graph has no output {card.output!r}; the nearest are {', '.join(near)}")
    ends = [card.output] if card.output else [value.name for value in graph.graph.output if value.name in candidates]
    if not candidates:
        raise ModelError("the ONNX graph computes no tensors of 2 to 4 axes from its input")
    shapes = _run_shapes(graph, ends or candidates[-1:], image, images, threads)
    plain = simplified(graph, candidates)
    shapes = {**static_shapes(plain, image.name, images.shape), **shapes}
    unknown = [name for name in candidates if name not in shapes]
    if unknown:
        shapes |= _run_shapes(graph, unknown, image, images, threads)
    output = _logits(card, graph, {name: shape for name, shape in shapes.items() if shape[:1] == [len(images)]})
    return OnnxModel(card, graph, plain, image, output, shapes, threads)


def _run_shapes(
    graph: ModelProto, names: Sequence[str], image: OnnxInput, images: NDArray[np.float32], threads: int
) -> dict[str, list[int]]:
    """Shapes of tensors, by running the graph within bounds."""
    values = Session(graph, names, image, threads, trial=True).raw(images)
    return {name: list(value.shape) for name, value in zip(names, values, strict=True)}


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


def list_layers(
    plain: ModelProto,
    graph: ModelProto,
    input_name: str,
    output: str | None,
    shapes: Mapping[str, Sequence[int]],
    held: Mapping[str, Form],
) -> tuple[LayerInfo, ...]:
    """The float tensors with a grid of at least 3 x 3 positions: blocks in order of execution, then the rest.

    Args:
        plain: Simplified.
        graph: The user's, whose nodes tell the modules that they came from.
        input_name: The image input.
        output: The logits.
        shapes: Of the tensors.
        held: How they hold their grids.
    """
    seen = seen_outputs(plain, input_name)
    readable = [name for name in seen if name in held and held[name].readable]
    floats = set(float_outputs(graph, input_name))
    names = [
        name
        for name in readable
        if name in floats and min(held[name].height, held[name].width) >= LEAST_SIDE and len(name) <= LONGEST_NAME
    ]
    ends = [output] if output else [value.name for value in graph.graph.output]
    blocks = block_outputs(plain, seen_outputs(graph, input_name), ends, held)
    fields = receptive_fields(plain, input_name, shapes, held)
    return tuple(
        LayerInfo(
            name=name,
            shape=(shapes[name][held[name].axes.index("c")], held[name].height, held[name].width),
            receptive_field=field.card() if (field := fields.get(name)) else None,
            block=name in blocks,
        )
        for name in sorted(names, key=lambda name: name not in blocks)
    )


def computes_in_half(graph: ModelProto) -> bool:
    """Whether any tensor is of float16, which rounds a thousand times as much as what torch computes in."""
    return any(value.type.tensor_type.elem_type == TensorProto.FLOAT16
               for value in (*graph.graph.input, *graph.graph.value_info))  # fmt: skip


def as_maps(value: NDArray[np.float32], form: Form | None) -> NDArray[np.float32]:
    """What a tensor holds as maps (n, C, H, W); as it is, where it has no grid."""
    if form is None or not form.readable or form.axes == MAPS:
        return value
    grid: NDArray[np.float32] = to_grid(torch.from_numpy(value), form.axes, form.height, form.width).numpy()
    return np.ascontiguousarray(grid)


def probe(card: ModelCard, images: int) -> NDArray[np.float32]:
    """Noise in the range of normalised pixels, always the same, shape (images, channels, height, width)."""
    shape = (images, card.input.channels, card.input.height, card.input.width)
    pixels = np.random.Generator(np.random.Philox(0)).random(shape, np.float32)
    mean, std = (np.asarray(values, np.float32).reshape(1, -1, 1, 1) for values in (card.input.mean, card.input.std))
    return np.ascontiguousarray((pixels - mean) / std)
