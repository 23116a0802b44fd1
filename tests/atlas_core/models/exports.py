"""Networks as ONNX files, by both exporters of torch."""

from __future__ import annotations

import contextlib
import io
import tempfile
import warnings
from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn

Exporter = Literal["legacy", "dynamo"]
EXPORTERS: tuple[Exporter, ...] = ("legacy", "dynamo")
# the dynamo exporter writes opset 18 by itself and converts down where it can
OPSETS: dict[Exporter, int] = {"legacy": 17, "dynamo": 20}
PROBE = 2


def exported(
    module: nn.Module,
    shape: tuple[int, int, int],
    exporter: Exporter,
    opset: int | None = None,
    batch: int | None = None,
) -> bytes:
    """Export a network from `image` to `logits`.

    Args:
        module: In evaluation.
        shape: Of its input, (channels, height, width).
        exporter: Which.
        opset: By default the exporter's in `OPSETS`.
        batch: Fixed to so many images; None for any number.
    """
    images = torch.zeros(batch or PROBE, *shape)
    options: dict[str, Any] = {"input_names": ["image"], "output_names": ["logits"]}
    if exporter == "dynamo":
        options |= {"dynamo": True, "external_data": False, "optimize": True}
        if batch is None:
            options["dynamic_shapes"] = ({0: torch.export.Dim("batch")},)
    else:
        options |= {"dynamo": False}
        if batch is None:
            options["dynamic_axes"] = {"image": {0: "batch"}, "logits": {0: "batch"}}
    fast = torch.backends.mha.get_fastpath_enabled()
    # the legacy exporter has no words for torch's fused attention
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(io.StringIO()),
            torch.no_grad(),
            tempfile.TemporaryDirectory() as folder,
        ):
            warnings.simplefilter("ignore")  # both exporters warn of their own future
            file = Path(folder) / "model.onnx"
            torch.onnx.export(module, (images,), file, opset_version=opset or OPSETS[exporter], **options)
            return file.read_bytes()
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
