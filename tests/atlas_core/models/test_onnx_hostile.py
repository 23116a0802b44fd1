"""ONNX files that mean harm, or were broken on their way: one clear message each, nothing run, memory bounded."""

from __future__ import annotations

import itertools
import resource
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from atlas_core.errors import ModelError
from atlas_core.memory import is_out_of_memory
from atlas_core.models import onnx_graph
from atlas_core.models.onnx import load_onnx
from atlas_core.models.onnx_session import Session
from tests.atlas_core.models.nets import graph, onnx_card, reads, residual


def refused(data: bytes | onnx.ModelProto, message: str, **changes: Any) -> None:
    """Loading is refused in one line with this message, and takes no more than 256 MiB."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ModelError, match=message) as found:
        load_onnx(onnx_card(**changes), reads(data if isinstance(data, bytes) else data.SerializeToString()))
    assert "\n" not in found.value.detail
    assert len(found.value.detail) <= 1001
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 256 * 1024


def test_external_data_is_refused_wherever_it_hangs() -> None:
    model = residual()
    onnx.external_data_helper.set_external_data(model.graph.initializer[0], "/etc/hostname")
    refused(model, "keeps its weights in another file")
    nodes = [helper.make_node("Constant", [], ["one"], value=numpy_helper.from_array(np.ones(1, np.float32))),
             helper.make_node("Mul", ["image", "one"], ["logits"])]  # fmt: skip
    model = graph(nodes, {})
    tensor = model.graph.node[0].attribute[0].t
    onnx.external_data_helper.set_external_data(tensor, "../../etc/hostname")
    tensor.data_location = TensorProto.DEFAULT  # said to be inside, with a place outside all the same
    refused(model, "keeps its weights in another file")


def test_operators_of_other_domains_are_refused_inside_functions_too() -> None:
    model = graph([helper.make_node("Mine", ["image"], ["logits"], domain="mine")], {}, domain="mine")
    inner = [helper.make_node("Secret", ["x"], ["y"], domain="com.example")]
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.example", 1)]
    model.functions.append(helper.make_function("mine", "Mine", ["x"], ["y"], inner, opsets))
    model.opset_import.append(helper.make_opsetid("com.example", 1))
    refused(model, r"Secret is of the domain 'com.example'")


def test_a_function_that_calls_itself_is_refused() -> None:
    model = graph([helper.make_node("Mine", ["image"], ["logits"], domain="mine")], {}, domain="mine")
    inner = [helper.make_node("Mine", ["x"], ["y"], domain="mine")]
    opsets = [helper.make_opsetid("mine", 1), helper.make_opsetid("", 17)]
    model.functions.append(helper.make_function("mine", "Mine", ["x"], ["y"], inner, opsets))
    refused(model, "'Mine' of the ONNX file calls itself")


def test_functions_that_double_each_other_are_refused_before_they_are_written_out() -> None:
    model = graph([helper.make_node("F0", ["image"], ["logits"], domain="mine")], {}, domain="mine")
    opsets = [helper.make_opsetid("mine", 1), helper.make_opsetid("", 17)]
    for number in range(40):
        inner = [helper.make_node(f"F{number + 1}", ["x"], ["t"], domain="mine"),
                 helper.make_node(f"F{number + 1}", ["t"], ["y"], domain="mine")]  # fmt: skip
        model.functions.append(helper.make_function("mine", f"F{number}", ["x"], ["y"], inner, opsets))
    last = [helper.make_node("Relu", ["x"], ["y"])]
    model.functions.append(helper.make_function("mine", "F40", ["x"], ["y"], last, opsets))
    refused(model, f"has {2**40} nodes")


@pytest.mark.parametrize("dims", [[2**40, 2**20], [2**31, 2], [-1, 3]])
def test_weights_of_absurd_shape_are_refused(dims: list[int]) -> None:
    model = graph([helper.make_node("Mul", ["image", "scale"], ["logits"])], {"scale": np.ones(1, np.float32)})
    model.graph.initializer[0].ClearField("dims")
    model.graph.initializer[0].dims.extend(dims)
    refused(model, "the ONNX tensor 'scale' has the shape")


def test_weights_that_are_shorter_than_they_say_are_refused() -> None:
    model = residual()
    model.graph.initializer[0].raw_data = model.graph.initializer[0].raw_data[:40]
    refused(model, "ONNX|onnxruntime")


def test_more_weights_than_a_file_holds_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_graph, "MOST_BYTES", 10_000)
    refused(residual(), "is larger than")
    monkeypatch.setattr(onnx_graph, "MOST_BYTES", len(residual().SerializeToString()) + 200)
    model = residual()
    for number in range(3):
        model.graph.initializer.add(name=f"more{number}", data_type=TensorProto.FLOAT, dims=[10_000])
    refused(model, "numbers; .* are taken at most")


def bomb(size: list[int], by: str) -> onnx.ModelProto:
    """A picture times the sum of a tensor of this size, said at once or found from the picture's values."""
    node = helper.make_node
    nodes = [
        node("ReduceMin", ["image"], ["least"], keepdims=0),
        node("Mul", ["least", "nought"], ["none"]),
        node("Cast", ["none"], ["zero"], to=TensorProto.INT64),
        node("Add", ["size", "zero" if by == "values" else "no"], ["shape"]),
        node("Expand", ["one", "shape"], ["large"]),
        node("ReduceSum", ["large"], ["sum"], keepdims=0),
        node("Mul", ["image", "sum"], ["map"]),
        node("GlobalAveragePool", ["map"], ["logits"]),
    ]
    constants = {"size": np.array(size), "one": np.ones(1, np.float32), "nought": np.zeros((), np.float32),
                 "no": np.array(0)}  # fmt: skip
    return graph(nodes, constants)


def test_a_tensor_of_absurd_shape_is_refused_before_anything_is_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("onnxruntime.InferenceSession", None)
    refused(bomb([2**17, 2**17], "constants"), r"'large' would have the shape \[131072, 131072\]")


def test_one_that_shows_only_when_it_is_run_ends_at_the_memory_of_a_trial() -> None:
    refused(bomb([2**17, 2**17], "values"), "needs more than 4 GiB for 3 images")


def test_a_loop_is_refused() -> None:
    body = helper.make_graph(
        [helper.make_node("Identity", ["going"], ["on"]), helper.make_node("Relu", ["before"], ["after"])],
        "body",
        [helper.make_tensor_value_info("turn", TensorProto.INT64, []),
         helper.make_tensor_value_info("going", TensorProto.BOOL, []),
         helper.make_tensor_value_info("before", TensorProto.FLOAT, None)],
        [helper.make_tensor_value_info("on", TensorProto.BOOL, []),
         helper.make_tensor_value_info("after", TensorProto.FLOAT, None)],
    )  # fmt: skip
    nodes = [helper.make_node("Loop", ["turns", "yes", "image"], ["logits"], body=body)]
    refused(graph(nodes, {"turns": np.array(2**62), "yes": np.array(True)}), "Loop is not run; export")


@pytest.mark.parametrize("share", [0.001, 0.2, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_refused(share: float) -> None:
    data = residual().SerializeToString()
    refused(data[: int(share * len(data))], "ONNX|onnxruntime")


def test_too_many_nodes_are_refused() -> None:
    names = ["image", *(f"t{number}" for number in range(onnx_graph.MOST_NODES)), "logits"]
    nodes = [helper.make_node("Relu", [before], [after]) for before, after in itertools.pairwise(names)]
    refused(graph(nodes, {}), f"has {onnx_graph.MOST_NODES + 1} nodes; {onnx_graph.MOST_NODES} are taken at most")


def test_a_graph_without_a_version_of_operators_is_refused() -> None:
    model = residual()
    del model.opset_import[:]
    model.opset_import.append(helper.make_opsetid("ai.onnx.ml", 3))
    refused(model, "does not say which version")


def test_a_version_from_the_future_is_refused() -> None:
    refused(residual(opset=99), "opset|version|onnxruntime|broken")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"height": 64, "width": 64}, r"\[None, 3, 32, 32\], the card's input is \[3, 64, 64\]"),
        ({"channels": 1, "mean": [0.5], "std": [0.5]}, r"the card's input is \[1, 32, 32\]"),
    ],
)
def test_an_input_that_is_fixed_to_another_shape_is_refused(changes: dict[str, Any], message: str) -> None:
    refused(residual(), message, **changes)


@pytest.mark.parametrize("shape", [["batch", 3, 32], [1, 3, 32, 32, 1], []])
def test_an_input_of_another_rank_is_refused(shape: list[Any]) -> None:
    model = residual()
    model.graph.input[0].CopyFrom(helper.make_tensor_value_info("image", TensorProto.FLOAT, shape))
    refused(model, "must be float of shape|broken")


def test_a_batch_fixed_to_very_many_is_refused() -> None:
    refused(residual(batch=2_000_000), "fixed to 2000000 images at once; export it for any number, or for 1024 at most")


def test_what_the_file_says_of_shapes_is_not_believed() -> None:
    model = residual()
    model.graph.value_info.append(helper.make_tensor_value_info("stem", TensorProto.FLOAT, ["batch", 8, 7, 7]))
    loaded = load_onnx(onnx_card(), reads(model.SerializeToString()))
    assert loaded.layer("stem").shape == (8, 32, 32)


def test_a_long_name_is_not_told_in_full() -> None:
    nodes = [helper.make_node("S" * 1_000_000, ["image"], ["logits"], domain="com.example")]
    refused(graph(nodes, {}, domain="com.example"), "SSSS.*…$")


def test_long_names_and_odd_paths_of_modules_do_no_harm() -> None:
    model = residual()
    for number, node in enumerate(model.graph.node):
        node.name = "/" * 1_000_000 + str(number)
        node.metadata_props.add(key="pkg.torch.onnx.name_scopes", value="[" * 4000)
    model.graph.node[1].output[0] = model.graph.node[2].input[0] = model.graph.node[5].input[0] = "n" * 100_000
    loaded = load_onnx(onnx_card(), reads(model.SerializeToString()))
    assert max(len(layer.name) for layer in loaded.layers) < 300
    assert loaded.layer("block").block


def test_memory_that_does_not_do_outside_of_a_trial_is_told_as_such_so_that_the_batch_is_halved() -> None:
    image = onnx_graph.OnnxInput("image", TensorProto.FLOAT, None)
    session = Session(bomb([2**20, 2**20], "values"), ["logits"], image, threads=1)
    with pytest.raises(Exception, match="llocat") as found:
        session.run(np.ones((1, 3, 32, 32), np.float32))
    assert is_out_of_memory(found.value)
