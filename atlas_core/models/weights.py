"""Weights: state dicts read without running a pickle, and loaded where every key and shape matches."""

from __future__ import annotations

import io
import warnings
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_safetensors
from torch import Tensor

from atlas_core.errors import ModelError

if TYPE_CHECKING:
    from torch import nn

NAMED_KEYS = 3
CONVERT = "save it with safetensors.torch.save_file(model.state_dict(), 'weights.safetensors')"


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
