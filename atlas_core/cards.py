"""Cards: the form in which the command line and the API take a model and a dataset.

On disk `weights`, `source`, `labels` and `classes` are paths relative to the card. A resolved card, the only kind that
travels and is stored, names blobs (`sha256:HEX`) or, for a dataset that stays where it is, `file:///path` or
`store://NAME/path`, and holds its labels and classes inline.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from atlas_core.errors import CardError, InputError
from atlas_core.keys import digest

Name = Annotated[str, Field(min_length=1, max_length=200)]
PutBlob = Callable[[Path], str]
RESOLVED = ("sha256:", "file:", "store:")


class Card(BaseModel):
    """Frozen, and strict about fields it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class InputCard(Card):
    """What a model takes, and how a picture becomes it.

    `mean` and `std` are per channel, on pixels scaled to 0..1. `shown` are the channels, counted from 0 in the
    network's order, that people are shown as red, green and blue, or one of them as grey.
    """

    channels: int = Field(ge=1, le=64)
    height: int = Field(ge=8, le=4096)
    width: int = Field(ge=8, le=4096)
    resize: int | None = Field(default=None, ge=8, le=8192, description="shorter side after resizing, in pixels")
    crop: Literal["center"] | None = None
    order: Literal["RGB", "BGR"] = "RGB"
    mean: list[float]
    std: list[Annotated[float, Field(gt=0)]]
    shown: list[Annotated[int, Field(ge=0)]] | None = None

    @model_validator(mode="after")
    def _one_statistic_a_channel(self) -> InputCard:
        if len(self.mean) != self.channels or len(self.std) != self.channels:
            raise ValueError(f"mean and std need one value for each of the {self.channels} channels")
        if self.shown is not None and (len(self.shown) not in (1, 3) or max(self.shown) >= self.channels):
            raise ValueError(f"shown names one or three of the channels 0 to {self.channels - 1}")
        return self

    @property
    def visible(self) -> tuple[int, ...]:
        """The channels that people are shown: three as red, green and blue, or one as grey."""
        if self.shown is not None:
            return tuple(self.shown)
        channels = range(self.channels)[::-1] if self.order == "BGR" else range(self.channels)
        return tuple(channels[:3] if self.channels >= 3 else channels[:1])


class ModelCard(Card):
    """A model: where its bytes are, what it takes, what its outputs are called.

    `architecture` is torchvision's name of it or, for `python`, that of an installed entry point of `atlas.models`.
    """

    name: Name
    format: Literal["torchvision", "onnx", "python"]
    architecture: str | None = None
    arguments: dict[str, int | float | bool | str] = Field(default_factory=dict)
    weights: str | None = None
    source: str | None = None
    output: str | None = None
    input: InputCard
    labels: list[str] | str | None = None

    @model_validator(mode="after")
    def _format_names_its_files(self) -> ModelCard:
        if self.format != "onnx" and not (self.architecture and self.weights):
            raise ValueError(f"a {self.format} model needs `architecture` and `weights`")
        if self.format == "onnx" and not self.source:
            raise ValueError("an ONNX model needs `source`")
        return self

    @property
    def id(self) -> str:
        """Digest of everything but the name: the same content is the same model."""
        content = self.model_dump(mode="json", exclude={"name"})
        if self.input.shown is None:  # cards from before there was such a field keep their ids
            del content["input"]["shown"]
        return digest(content)[:24]

    @property
    def class_names(self) -> list[str]:
        """Names of its classes, none where a resolved card gives none."""
        return self.labels if isinstance(self.labels, list) else []


class DatasetCard(Card):
    """A dataset: pictures in a folder, an archive, shards or a manifest; docs/datasets.md has an example of each.

    `format` left out is told by the source. `root` is where the keys of a manifest lie, its own folder by default.
    `revision` tells a registered store's data from what lay at the same place before.
    """

    name: Name
    source: str
    prefix: str = ""
    classes: list[str] | str | None = None
    format: Literal["folder", "zip", "tar", "webdataset", "csv", "parquet"] | None = None
    root: str | None = None
    revision: str | None = Field(default=None, max_length=200)


class ReceptiveField(Card):
    """Receptive field in input pixels, (vertical, horizontal); pixel p covers [p, p + 1).

    The centre of position i lies at `start + i * jump`.
    """

    size: tuple[float, float]
    jump: tuple[float, float]
    start: tuple[float, float]


class LayerInfo(Card):
    """A place in a model where activations are read; shape is (channels, height, width).

    `block` marks outputs of blocks, the most useful layers: they are listed before all others. `fixed` marks layers
    that can be computed from inputs of the card's size alone, as behind a transformer's position embedding, and
    `silent` those that the logits do not depend on, which have no attribution; both are known once a model is inspected
    and has gradients.
    """

    name: str
    shape: tuple[int, int, int]
    receptive_field: ReceptiveField | None = None
    block: bool = False
    fixed: bool = False
    silent: bool = False


AnyCard = TypeVar("AnyCard", bound=Card)


def validated(kind: type[AnyCard], value: Any, refused: type[InputError], what: str = "") -> AnyCard:
    """Validate a value, with an error that names its first bad field.

    Args:
        kind: What the value should be.
        value: Plain JSON values.
        refused: The error to raise.
        what: Said before the field.

    Raises:
        InputError: Of the kind `refused`, with the field's pointer.
    """
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        pointer = "/" + "/".join(str(part) for part in first["loc"])
        raise refused(f"{what}{pointer}: {first['msg']}", pointer=pointer) from None


def parse_card(kind: type[AnyCard], value: Any) -> AnyCard:
    """Validate a card, with an error that names the field.

    Raises:
        CardError: The value is no card of this kind.
    """
    return validated(kind, value, CardError, "the card's ")


def read_card(kind: type[AnyCard], path: Path) -> AnyCard:
    """Read a card from a JSON file.

    Raises:
        CardError: The file is missing, is no JSON or is no card of this kind.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CardError(f"cannot read the card {path.name}: {error.strerror}") from None
    except ValueError as error:
        raise CardError(f"the card {path.name} is no JSON: {error}") from None
    return parse_card(kind, value)


def _lines(value: list[str] | str | None, base: Path) -> list[str] | None:
    if not isinstance(value, str):
        return value
    try:
        text = (base / value).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise CardError(f"cannot read the list {value!r} that the card names") from None
    return [line.strip() for line in text.splitlines() if line.strip()]


def resolve_model_card(path: Path, put_blob: PutBlob) -> ModelCard:
    """Read a model card and store the bytes it names.

    Args:
        path: The card.
        put_blob: Stores a file and returns its SHA-256 in hex.

    Raises:
        CardError: The card or a file that it names cannot be read.
    """
    card = read_card(ModelCard, path)
    changes: dict[str, Any] = {"labels": _lines(card.labels, path.parent)}
    for field in ("weights", "source"):
        value = getattr(card, field)
        if value is not None and not value.startswith("sha256:"):
            changes[field] = _stored(path.parent / value, value, put_blob)
    return card.model_copy(update=changes)


def _stored(file: Path, name: str, put_blob: PutBlob) -> str:
    if not file.is_file():
        raise CardError(f"the file {name!r} that the card names is not there")
    return "sha256:" + put_blob(file)


def resolve_dataset_card(path: Path) -> DatasetCard:
    """Read a dataset card; its pictures stay where they are, named by an absolute `file://` URI.

    Raises:
        CardError: The card, its class list, its source or its root cannot be read.
    """
    card = read_card(DatasetCard, path)
    changes: dict[str, Any] = {"classes": _lines(card.classes, path.parent)}
    for field in ("source", "root"):
        value = getattr(card, field)
        if value is not None and not value.startswith(RESOLVED):
            place = (path.parent / value).resolve()
            if not (place.parent if "{" in place.name else place).exists():
                raise CardError(f"the dataset's {field} {value!r} is not there", pointer=f"/{field}")
            changes[field] = place.as_uri()
    return card.model_copy(update=changes)


def file_sha256(path: Path) -> str:
    """SHA-256 of a file in hex, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
