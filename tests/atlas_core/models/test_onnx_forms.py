"""Where an ONNX graph's tensors have their grid, and what each position of them sees."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from onnx import helper

from atlas_core.models.onnx import load_onnx
from atlas_core.models.onnx_forms import forms
from atlas_core.models.onnx_graph import read_onnx, static_shapes
from atlas_core.models.tokens import LAST, MAPS, TOKENS, Form
from atlas_core.models.traced import trace_model
from tests.atlas_core.models.exports import exported
from tests.atlas_core.models.families import TINY
from tests.atlas_core.models.nets import graph, onnx_card, pixels, reads

if TYPE_CHECKING:
    from onnx import NodeProto

    from atlas_core.models.onnx import OnnxModel

node = helper.make_node
RANDOM = np.random.default_rng(0)
PATCHES = node("Conv", ["image", "kernel"], ["patches"], kernel_shape=[8, 8], strides=[8, 8])
KERNEL = RANDOM.normal(size=(6, 3, 8, 8)).astype(np.float32)


def held(nodes: list[NodeProto], **constants: Any) -> dict[str, Form]:
    """The forms of a graph's tensors for three images, whose picture has become 4 x 4 `patches` of 6 channels."""
    numbers = {name: np.array(value) for name, value in constants.items()}
    model = read_onnx(graph([PATCHES, *nodes], {"kernel": KERNEL, **numbers}, output="end").SerializeToString())
    return forms(model, "image", static_shapes(model, "image", (3, 3, 32, 32)))


TO_TOKENS = [
    node("Reshape", ["patches", "flat"], ["flattened"]),
    node("Transpose", ["flattened"], ["tokens"], perm=[0, 2, 1]),
]


def test_patches_become_tokens_behind_a_class_token_and_maps_again() -> None:
    found = held(
        [
            *TO_TOKENS,
            node("Concat", ["token", "tokens"], ["all"], axis=1),
            node("Softmax", ["all"], ["soft"], axis=-1),
            node("Slice", ["soft", "one", "many", "one"], ["rest"]),
            node("Gather", ["soft", "nought"], ["first"], axis=1),
            node("Transpose", ["rest"], ["turned"], perm=[0, 2, 1]),
            node("Reshape", ["turned", "maps"], ["end"]),
        ],
        flat=[0, 6, 16], one=[1], many=[2**31], nought=0, maps=[0, 6, 4, 4], token=np.ones((3, 1, 6), np.float32),
    )  # fmt: skip
    assert found["tokens"] == Form(TOKENS, 4, 4)
    assert found["all"] == found["soft"] == Form(TOKENS, 4, 4, leading=1)
    assert found["rest"] == Form(TOKENS, 4, 4)
    assert found["first"].axes == ()
    assert found["end"] == Form(MAPS, 4, 4)


def test_products_of_tensors_lose_the_grid_and_a_sum_with_one_that_has_it_finds_it() -> None:
    found = held(
        [
            *TO_TOKENS,
            node("MatMul", ["tokens", "flattened"], ["scores"]),
            node("MatMul", ["scores", "tokens"], ["mixed"]),
            node("MatMul", ["mixed", "square"], ["projected"]),
            node("Add", ["projected", "tokens"], ["end"]),
        ],
        flat=[0, 6, 16], square=np.eye(6, dtype=np.float32),
    )  # fmt: skip
    assert [found[name].readable for name in ("scores", "mixed", "projected", "end")] == [False, False, False, True]
    assert found["end"] == Form(TOKENS, 4, 4)


def test_windows_of_a_rolled_grid_are_not_taken_for_its_positions() -> None:
    nodes = [
        node("Transpose", ["patches"], ["last"], perm=[0, 2, 3, 1]),
        node("Slice", ["last", "two", "many", "one"], ["below"]),
        node("Slice", ["last", "nought", "two", "one"], ["above"]),
        node("Concat", ["below", "above"], ["rolled"], axis=1),
        node("Reshape", ["rolled", "windows"], ["cut"]),
        node("Reshape", ["cut", "whole"], ["back"]),
        node("Add", ["back", "last"], ["end"]),
    ]
    numbers = {"nought": [0], "one": [1], "two": [2], "many": [2**31], "windows": [3, 2, 2, 2, 2, 6],
               "whole": [3, 4, 4, 6]}  # fmt: skip
    found = held(nodes, **numbers)
    assert found["below"] == Form(LAST, 2, 4)
    assert [found[name].readable for name in ("rolled", "cut", "back", "end")] == [False, False, False, True]
    straight = held([nodes[0], node("Reshape", ["last", "windows"], ["cut"]), *nodes[5:]], **numbers)
    assert straight["back"] == Form(LAST, 4, 4)


def test_heads_beside_images_are_no_images() -> None:
    found = held(
        [
            *TO_TOKENS,
            node("Reshape", ["tokens", "heads"], ["split"]),
            node("Transpose", ["split"], ["turned"], perm=[0, 2, 1, 3]),
            node("Reshape", ["turned", "joined"], ["end"]),
        ],
        flat=[0, 6, 16], heads=[0, 16, 2, 3], joined=[6, 16, 3],
    )  # fmt: skip
    assert found["turned"].axes == ("n", "c", "t", "c")
    assert not found["end"].readable


def merging() -> OnnxModel:
    """Four neighbours put together in channels-last maps, by slices of every second row and column."""
    cuts = []
    for row, column in ((0, 0), (1, 0), (0, 1), (1, 1)):
        cuts.append(node("Slice", ["last", f"n{row}", "many", "one", "two"], [f"row{row}{column}"]))
        cuts.append(node("Slice", [f"row{row}{column}", f"n{column}", "many", "two", "two"], [f"cut{row}{column}"]))
    nodes = [
        PATCHES,
        node("Transpose", ["patches"], ["last"], perm=[0, 2, 3, 1]),
        *cuts,
        node("Concat", ["cut00", "cut10", "cut01", "cut11"], ["merged"], axis=-1),
        node("Slice", ["patches", "n0", "many", "one", "one"], ["cropped"]),
        node("ReduceMean", ["merged"], ["logits"], axes=[1, 2], keepdims=0),
    ]
    numbers = {"n0": [0], "n1": [1], "one": [1], "two": [2], "many": [2**31]}
    kernel = RANDOM.normal(size=(6, 3, 4, 4)).astype(np.float32)
    nodes[0] = node("Conv", ["image", "kernel"], ["patches"], kernel_shape=[4, 4], strides=[4, 4])
    constants = {"kernel": kernel, **{name: np.array(value) for name, value in numbers.items()}}
    return load_onnx(onnx_card(), reads(graph(nodes, constants, output="logits").SerializeToString()))


def test_merged_patches_are_a_coarser_grid_and_read_as_maps() -> None:
    model = merging()
    layer = model.layer("merged")
    assert layer.shape == (24, 4, 4)
    assert layer.receptive_field is not None
    assert (layer.receptive_field.size, layer.receptive_field.jump, layer.receptive_field.start) == (
        (8, 8), (8, 8), (4, 4),
    )  # fmt: skip
    given = pixels(2)
    read, _ = model.activations(given, ["patches", "merged"], logits=False)
    np.testing.assert_array_equal(read["merged"][:, :6], read["patches"][:, :, ::2, ::2])
    np.testing.assert_array_equal(read["merged"][:, 18:], read["patches"][:, :, 1::2, 1::2])


@pytest.mark.parametrize("name", ["resnet", "mobilenet", "vit", "convnext"])
def test_blocks_have_the_fields_that_torch_gives_them(name: str) -> None:
    family = TINY[name]
    module = family.make()
    traced = trace_model(module, family.card())
    card = family.card(format="onnx", architecture=None, weights=None, source="sha256:00")
    converted = load_onnx(card, reads(exported(module, family.shape, "legacy")))
    found = [(layer.shape, layer.receptive_field) for layer in converted.layers if layer.block]
    for block in family.blocks:
        layer = traced.layer(block)
        assert layer.receptive_field is not None
        assert (layer.shape, layer.receptive_field) in found
