"""Tiny atlases, from pictures to projection, of networks that are not the usual: tokens, other channels, no logits."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import nn
from torchvision.models.vision_transformer import VisionTransformer

from atlas_core import registry
from atlas_core.errors import SpecError
from atlas_core.icon_plan import plan_icons, resolve
from atlas_core.icons import parse_request
from atlas_core.manifest import manifest_of
from atlas_core.project import project_image
from atlas_core.pyramid import cut_icons, decode_tile
from atlas_core.runtime import Runtime
from atlas_core.store import open_store
from atlas_core.tables import unpack
from tests.atlas_core.conftest import planned, run_all

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from atlas_core.plan import Plan

CLASSES = ("bright", "dark")
IMAGES = 24
REQUEST = {"samples": 160, "levels": [3], "recipe": "fast", "layout": {"epochs": 20}}


class Plain(nn.Module):
    """Two strided convolutions; logits of their mean where there are any."""

    def __init__(self, channels: int, *, logits: bool) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, 8, 3, stride=2, padding=1)
        self.second = nn.Conv2d(8, 12, 3, padding=1)
        self.head = nn.Linear(12, len(CLASSES)) if logits else None

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        maps = torch.relu(self.second(torch.relu(self.first(pixels))))
        return maps if self.head is None else self.head(maps.mean((2, 3)))


def vit() -> nn.Module:
    """Random throughout: torchvision starts the head at nought."""
    torch.manual_seed(0)
    module: nn.Module = VisionTransformer(48, 6, num_layers=2, num_heads=2, hidden_dim=16, mlp_dim=32,
                                          num_classes=len(CLASSES))  # fmt: skip
    nn.init.normal_(module.get_parameter("heads.head.weight"))
    return module


def one_channel() -> nn.Module:
    torch.manual_seed(0)
    return Plain(1, logits=True)


def five_channels() -> nn.Module:
    torch.manual_seed(0)
    return Plain(5, logits=True)


def no_logits() -> nn.Module:
    torch.manual_seed(0)
    return Plain(3, logits=False)


@pytest.fixture(scope="module", autouse=True)
def _installed(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The networks above, installed as an operator's package would be."""
    folder = tmp_path_factory.mktemp("installed")
    information = folder / "any_model-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: any-model\nVersion: 1.0\n")
    points = "".join(f"{make.__name__} = {__name__}:{make.__name__}\n" for make in (vit, one_channel, five_channels,
                                                                                  no_logits))  # fmt: skip
    (information / "entry_points.txt").write_text(f"[atlas.models]\n{points}")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield


def image(number: int, height: int, width: int, channels: int) -> NDArray[np.uint8]:
    """Noise about a mean and slope of its own, bright and dark in turn."""
    random = np.random.default_rng(number)
    base = (150 if number % 2 == 0 else 60) + random.integers(-30, 30, channels)
    slope = np.linspace(-40, 40, width)[None, :, None] * random.uniform(-1, 1, channels)
    return np.clip(base + slope + random.normal(0, 25, (height, width, channels)), 0, 255).astype(np.uint8)


def encoded(pixels: NDArray[np.uint8]) -> bytes:
    data = io.BytesIO()
    if pixels.shape[2] == 3:
        Image.fromarray(pixels).save(data, "PNG")
    else:
        np.save(data, pixels)
    return data.getvalue()


def built(folder: Path, architecture: str, shape: tuple[int, int, int], layers: list[str], **card: Any) -> Atlas:
    channels, height, width = shape
    suffix = "png" if channels == 3 else "npy"
    for number in range(IMAGES):
        path = folder / "pictures" / CLASSES[number % 2] / f"{number}.{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded(image(number, height, width, channels)))
    save_file(globals()[architecture]().state_dict(), folder / "weights.safetensors")
    given = {"channels": channels, "height": height, "width": width, "mean": [0.5] * channels, "std": [0.25] * channels}
    model = {"name": architecture, "format": "python", "architecture": architecture, "weights": "weights.safetensors",
             "labels": list(CLASSES), "input": {**given, **card}}  # fmt: skip
    (folder / "model.json").write_text(json.dumps(model))
    (folder / "dataset.json").write_text(json.dumps({"name": "noise", "source": "pictures", "classes": list(CLASSES)}))
    return Atlas(folder, layers)


class Atlas:
    """An atlas that was planned and run in this process."""

    def __init__(self, folder: Path, layers: list[str]) -> None:
        self.folder, self.layers = folder, layers
        self.store = open_store(str(folder / "store"))
        self.runtime = Runtime(self.store)
        self.plan = self.planned()
        registry.add_job(self.store, self.plan)
        run_all(self.plan, self.runtime)
        self.manifest = manifest_of(self.plan, self.store)

    def planned(self, **changes: Any) -> Plan:
        request = {**REQUEST, "layers": self.layers, **changes}
        return planned(self.store, self.folder / "model.json", self.folder / "dataset.json", **request)

    def blob(self, stage: str, name: str, **parameters: Any) -> bytes:
        """A blob of the first chunk of a stage that has it."""
        records = [self.runtime.record(self.plan, chunk.key) for chunk in self.plan.find(stage, **parameters)]
        return self.store.get_blob(next(record["blobs"][name] for record in records if name in record["blobs"]))

    def icons(self, layer: str) -> NDArray[np.uint8]:
        """Icons of the level of side 3, RGB as served."""
        tile = decode_tile(self.blob("render", "tile", layer=layer))
        cells = json.loads(self.blob("publish", "cells", layer=layer, step="level"))
        places = np.array([(cell["column"], cell["row"]) for cell in cells], np.int32)
        size = self.manifest["layers"][layer]["levels"][0]["icon_size"]
        return cut_icons(tile, places, size)

    def cells(self, layer: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.blob("publish", "cells", layer=layer, step="level"))
        return found

    def project(self, pixels: NDArray[np.uint8]) -> dict[str, Any]:
        return project_image(self.plan, self.runtime, encoded(pixels))


def check_qualities(atlas: Atlas, layer: str) -> None:
    """Icons follow their cells: what was rendered excites the layer in the cell's direction."""
    icons = atlas.manifest["layers"][layer]["levels"][0]["icons"]
    assert icons["whitened_cosine"] > 0.2
    assert icons["contrast"] > 0.02


def check_icons_on_request(atlas: Atlas, layer: str, pixels: NDArray[np.uint8]) -> None:
    """Every kind is made, in the size and the channels of the model."""
    card, visible = atlas.plan.model.card.input, len(atlas.plan.model.card.input.visible)
    blob, cell = atlas.store.put_blob(encoded(pixels)), atlas.cells(layer)[0]
    place = {"column": cell["column"], "row": cell["row"]}
    kinds: dict[str, dict[str, Any]] = {
        "channels": {"channels": [1]},
        "grid": {"image": blob},
        "dream": {"image": blob, "target": {"of": "cell", **place}, "steps": 6},
        "composition": {"cells": [{**place, "x": 0.5, "y": 0.5}]},
    }
    if atlas.plan.model.classes is not None:
        kinds["classes"] = {"classes": ["dark"], "of": "logit"}
    for kind, fields in kinds.items():
        request = resolve(parse_request({"kind": kind, "layer": layer, **fields}), atlas.plan,
                          lambda name, _: atlas.cells(name))  # fmt: skip
        made = plan_icons(atlas.plan, request)
        run_all(made, atlas.runtime)
        record = atlas.runtime.record(made, made.chunks[-1].key)
        first = json.loads(atlas.store.get_blob(record["blobs"]["description"]))["pictures"][0]
        shown = decode_tile(atlas.store.get_blob(first["sha256"]))[..., :3]
        assert shown.shape[:2] == (first["height"], first["width"])
        if kind in ("dream", "classes"):
            assert shown.shape[:2] == (card.height, card.width)
        if visible == 1:
            assert (shown == shown[..., :1]).all()


def test_a_vision_transformer(tmp_path: Path) -> None:
    first, last = "encoder.layers.encoder_layer_0", "encoder.layers.encoder_layer_1"
    atlas = built(tmp_path, "vit", (3, 48, 48), [first, last])
    table = unpack(atlas.blob("collect", f"layer {first}"))
    model = atlas.runtime.model(atlas.plan.model.card)
    assert model.layer(first).shape == (16, 8, 8)
    # the samples are the grid's tokens, row by row behind the class token, as the module itself gives them
    module, kept = vit().eval(), []
    module.load_state_dict({name: value.clone() for name, value in vit().state_dict().items()})
    module.get_submodule(first).register_forward_hook(lambda _, __, output: kept.append(output))
    place = int(table["image"][0])
    listing = atlas.runtime.dataset(atlas.plan).listing
    number = int(listing.images[place].rpartition("/")[2].removesuffix(".png"))
    with torch.no_grad():
        module(torch.from_numpy(image(number, 48, 48, 3)).permute(2, 0, 1)[None] / 127.5 * 2 - 2)
    token = 1 + int(table["row"][0]) * 8 + int(table["column"][0])
    np.testing.assert_allclose(table["activations"][0].astype(np.float32), kept[0][0, token], rtol=2e-3, atol=2e-3)
    check_qualities(atlas, first)
    check_icons_on_request(atlas, first, image(3, 48, 48, 3))
    assert atlas.icons(first).shape[1] == 48  # the whole picture: positions are embedded for it alone
    # the class token has heard what it will of the last block's others
    assert atlas.manifest["layers"][first]["attribution_method"] == "ablation"
    assert atlas.manifest["layers"][last]["attribution_method"] == "none"
    assert atlas.cells(first)[0]["classes"]
    assert atlas.cells(last)[0]["classes"] == []
    assert atlas.plan.unattributed(last) == "the logits of 'vit' do not depend on the layer " + repr(last)
    with pytest.raises(SpecError, match="do not depend on the layer"):
        atlas.planned(attribution="jvp")
    placed = atlas.project(image(3, 48, 48, 3))
    assert len(placed["layers"][first]["positions"]) == 36
    assert {one["name"] for one in placed["classes"]} == set(CLASSES)


def test_one_channel_is_grey_all_the_way(tmp_path: Path) -> None:
    atlas = built(tmp_path, "one_channel", (1, 24, 40), ["second"])
    assert unpack(atlas.blob("collect", "layer second"))["thumbnails"].shape[1:] == (20, 20, 1)
    check_qualities(atlas, "second")
    check_icons_on_request(atlas, "second", image(3, 24, 40, 1))
    icons = atlas.icons("second").astype(int)
    assert np.abs(icons - icons[..., :1]).max() <= 3  # WebP's own rounding
    colours = np.repeat(image(3, 24, 40, 1), 3, axis=2)
    assert atlas.project(colours)["layers"] == atlas.project(image(3, 24, 40, 1))["layers"]


def test_five_channels_show_three_of_them(tmp_path: Path) -> None:
    atlas = built(tmp_path, "five_channels", (5, 40, 24), ["second"], shown=[4, 2, 0])
    assert unpack(atlas.blob("collect", "layer second"))["thumbnails"].shape[1:] == (20, 20, 5)
    assert atlas.manifest["layers"]["second"]["shape"] == [12, 20, 12]
    assert atlas.manifest["model"]["input"]["shown"] == [4, 2, 0]
    check_qualities(atlas, "second")
    check_icons_on_request(atlas, "second", image(3, 40, 24, 5))
    assert atlas.icons("second").shape[-1] == 3
    placed = atlas.project(image(3, 40, 24, 5))
    assert placed["layers"]["second"]["grid"] == [20, 12]
    assert {one["name"] for one in placed["classes"]} == set(CLASSES)


def test_without_logits_there_are_maps_and_no_classes(tmp_path: Path) -> None:
    atlas = built(tmp_path, "no_logits", (3, 24, 24), ["first"])
    assert atlas.plan.spec.attribution == "none"
    assert atlas.plan.find("attribute") == []
    assert atlas.manifest["layers"]["first"]["attribution_method"] == "none"
    check_qualities(atlas, "first")
    check_icons_on_request(atlas, "first", image(3, 24, 24, 3))
    assert all(cell["classes"] == [] for cell in atlas.cells("first"))
    assert atlas.project(image(3, 24, 24, 3))["classes"] == []
    assert atlas.plan.unattributed("first") == "the model 'no_logits' has no logits"
    with pytest.raises(SpecError, match="the model 'no_logits' has no logits; ask for `auto`"):
        atlas.planned(attribution="ablation")
