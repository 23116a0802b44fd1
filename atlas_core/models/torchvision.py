"""torchvision architectures with the user's own weights; nothing is ever downloaded and no pickle is ever run."""

from __future__ import annotations

import difflib
import io
import warnings
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
import torchvision
from safetensors import SafetensorError
from safetensors.torch import load as load_safetensors
from torch import Tensor, nn

from atlas_core.errors import ModelError
from atlas_core.models.base import ReadBlob, blob_digest
from atlas_core.models.traced import TracedModel, trace_model

if TYPE_CHECKING:
    from atlas_core.cards import ModelCard

# the initialisation that loading throws away takes these most of a minute
SLOW_TO_INITIALISE = ("googlenet", "inception_v3", "vgg")
# any of these would fetch weights over the network
FETCHING_ARGUMENTS = ("weights", "weights_backbone", "pretrained", "pretrained_backbone", "progress")
NAMED_KEYS = 3
CONVERT = "save it with safetensors.torch.save_file(model.state_dict(), 'weights.safetensors')"


def load_torchvision(card: ModelCard, read_blob: ReadBlob) -> TracedModel:
    """Build the architecture, load the weights, trace.

    Raises:
        ModelError: Unknown architecture, arguments it does not take, weights that are a pickle or do not match.
    """
    module = build(card)
    load_weights(module, read_state(read_blob(blob_digest(card.weights))), f"{card.name} ({card.architecture})")
    return trace_model(module, card)


def build(card: ModelCard) -> nn.Module:
    """The architecture of a card with unspecified weights.

    Raises:
        ModelError: There is no such architecture, or it does not take the card's arguments.
    """
    name = str(card.architecture)
    known = torchvision.models.list_models(module=torchvision.models)
    if name not in known:
        near = ", ".join(difflib.get_close_matches(name, known, n=3)) or "listed by torchvision.models.list_models()"
        raise ModelError(f"torchvision has no classification architecture {name!r}; the nearest are {near}")
    forbidden = [argument for argument in card.arguments if argument in FETCHING_ARGUMENTS]
    if forbidden:
        raise ModelError(f"the argument {forbidden[0]!r} would fetch weights; give them in the card's `weights`")
    arguments: dict[str, Any] = dict(card.arguments)
    if name.startswith(SLOW_TO_INITIALISE):
        arguments.setdefault("init_weights", False)
    try:
        # the caller's random numbers are no business of a model being loaded
        with torch.random.fork_rng(devices=[]):
            module: nn.Module = torchvision.models.get_model(name, weights=None, **arguments)
    except (TypeError, ValueError) as error:
        raise ModelError(f"{name} does not take the card's arguments: {error}") from None
    return module


def read_state(data: bytes) -> dict[str, Tensor]:
    """Read a state dict from safetensors, or from torch's own format without running its pickle.

    Raises:
        ModelError: The bytes are a pickled module, TorchScript or something else; names what to convert to.
    """
    if data[8:9] == b"{":
        try:
            return dict(load_safetensors(data))
        except SafetensorError as error:
            raise ModelError(f"the weights are broken safetensors: {error}") from None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns about TorchScript archives before it refuses them
            state = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception:  # the unpickler raises whatever a stranger's bytes make it raise
        raise ModelError(f"the weights are a pickle or no weights at all, and are not run; {CONVERT}") from None
    if isinstance(state, Mapping) and isinstance(state.get("state_dict"), Mapping):
        state = state["state_dict"]
    if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
        raise ModelError(f"the weights hold no state dict of tensors; {CONVERT}")
    return dict(state)


def load_weights(module: nn.Module, state: Mapping[str, Tensor], name: str) -> None:
    """Load a state dict, float16 as float32; every key and shape must match.

    Raises:
        ModelError: Names the first keys that are missing, unexpected or of another shape, and their numbers.
    """
    own = module.state_dict()
    # checkpoints from before torch 0.4.1 have no such counter, and evaluation does not use it
    missing = [key for key in own if key not in state and not key.endswith("num_batches_tracked")]
    unexpected = [key for key in state if key not in own]
    shapes = [
        f"{key} is {tuple(state[key].shape)} and should be {tuple(own[key].shape)}"
        for key in own
        if key in state and state[key].shape != own[key].shape
    ]
    faults = [_named("missing", missing), _named("unexpected", unexpected), _named("of another shape", shapes)]
    if any(faults):
        raise ModelError(f"the weights do not match {name}: " + "; ".join(fault for fault in faults if fault))
    floats = OrderedDict((key, value.float() if value.is_floating_point() else value) for key, value in state.items())
    # safetensors keep no versions of modules, and some architectures ask for theirs
    floats._metadata = own._metadata  # type: ignore[attr-defined]
    module.load_state_dict(floats, strict=False)


def _named(kind: str, keys: Sequence[str]) -> str:
    more = f" and {len(keys) - NAMED_KEYS} more" if len(keys) > NAMED_KEYS else ""
    return f"{len(keys)} {kind} ({', '.join(keys[:NAMED_KEYS])}{more})" if keys else ""
