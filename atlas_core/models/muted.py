"""A network with something muted at a layer, in torch and as an ONNX file."""

from __future__ import annotations

import contextlib
import io
import operator
import warnings
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, fx, nn

from atlas_core.errors import ModelError
from atlas_core.models.tokens import MAPS

if TYPE_CHECKING:
    from atlas_core.audit.muting import Mute
    from atlas_core.cards import ModelCard
    from atlas_core.models.graph import Network

OPSET = 18
IMAGE, LOGITS, MUTED = "image", "logits", "muted"


class Muting(nn.Module):
    """Mutes directions in maps, channels-last maps, or tokens but for those before the grid.

    Args:
        mute: The directions.
        axes: The meaning of the axes of what is muted, as `Form` has it.
        leading: Tokens before the grid's.
    """

    normal: Tensor
    along: Tensor
    level: Tensor

    def __init__(self, mute: Mute, axes: tuple[str, ...] = MAPS, leading: int = 0) -> None:
        super().__init__()
        for name in ("normal", "along", "level"):
            self.register_buffer(name, torch.from_numpy(getattr(mute, name)))
        self.maps, self.leading = axes == MAPS, leading

    def forward(self, values: Tensor) -> Tensor:
        """What is left, same shape."""
        found = values.movedim(1, -1) if self.maps else values
        kept, found = found[:, : self.leading], found[:, self.leading :] if self.leading else found
        for number in range(len(self.level)):
            excess = torch.relu(found @ self.normal[number] - self.level[number])
            found = found - excess.unsqueeze(-1) * self.along[number]
        if self.leading:
            found = torch.cat([kept, found], 1)
        return found.movedim(-1, 1) if self.maps else found


def muted_network(network: Network, layer: str, mute: Mute) -> fx.GraphModule:
    """A copy of a traced network, from normalised pixels to logits, with something muted at a layer.

    Args:
        network: Its logits depend on the layer.
        layer: One of its places.
        mute: Of as many channels.
    """
    place = network.places[layer]
    form = network.forms.get(place)
    muting = Muting(mute, form.axes if form else MAPS, form.leading if form else 0)
    parts: dict[str, Any] = {MUTED: muting.to(next(network.module.parameters()).device)}
    graph, copies = fx.Graph(), dict[fx.Node, fx.Node]()
    for node in network.module.graph.nodes:
        if node.op == "output":
            continue
        copies[node] = graph.node_copy(node, copies.__getitem__)
        if node.op in ("call_module", "get_attr"):
            parts[str(node.target)] = operator.attrgetter(str(node.target))(network.module)
        if node is place:
            copies[node] = graph.call_module(MUTED, (copies[node],))
    assert network.logits is not None, "only a network with logits has something after the layer"
    graph.output(copies[network.logits])
    return fx.GraphModule(parts, graph)


def exported(module: nn.Module, card: ModelCard, device: torch.device) -> bytes:
    """A module from normalised pixels to logits as an ONNX file, for any number of images.

    Args:
        module: In evaluation.
        card: Of the model.
        device: Where it is.

    Raises:
        ModelError: torch cannot export it.
    """
    given = card.input
    images = torch.zeros(2, given.channels, given.height, given.width, device=device)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()), torch.no_grad():
            warnings.simplefilter("ignore")  # the exporter warns of its own future
            program = torch.onnx.export(
                module.eval(), (images,), dynamo=True, external_data=False, optimize=True, opset_version=OPSET,
                input_names=[IMAGE], output_names=[LOGITS], dynamic_shapes=({0: torch.export.Dim("batch")},),
                verbose=False,
            )  # fmt: skip
    except Exception as error:  # the exporter raises whatever it meets
        raise ModelError(f"{card.name} cannot be exported as ONNX: {str(error).splitlines()[0]}") from None
    assert program is not None, "an export by dynamo is a program"
    data: bytes = program.model_proto.SerializeToString()
    return data
