"""Batches of images: the lines that they come and go as, and the plan of a batch that nobody waits for.

Such a batch is a job on the ordinary queues. Its images lie in the store in parts, a blob of lines for each; a chunk
answers a part, and the last one puts the answers into one blob.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from atlas_core.cards import Card
from atlas_core.keys import digest
from atlas_core.plan import Chunk, Plan

if TYPE_CHECKING:
    from atlas_core.errors import AtlasError

MOST_IMAGES = 10_000
PART_IMAGES = 16
PART_BYTES = 16 << 20
"""A part has no more images than fit, but for a single larger one."""
BATCH_VERSION = 1
"""Raised whenever the same images would give other answers."""
Name = str | int


class BatchRequest(Card):
    """A batch as its job knows it; `parts` are blobs of lines with the images, `images` says how many there are."""

    kind: Literal["projections"] = "projections"
    layers: list[str] | None
    positions: Literal["default", "all"]
    images: Annotated[int, Field(ge=0)]
    parts: list[str]


def image_line(name: Name, data: bytes) -> bytes:
    """An image of a batch as a line."""
    return _line(name, "image", json.dumps(base64.b64encode(data).decode("ascii")).encode())


def projection_line(name: Name, answer: bytes) -> bytes:
    """The answer to an image, JSON, as a line; it keeps its bytes."""
    return _line(name, "projection", answer)


def problem_line(name: Name, error: AtlasError) -> bytes:
    """Why an image has no answer, as a line."""
    return _line(name, "problem", as_json({"type": f"/problems/{error.slug}", "detail": error.detail}))


def as_json(value: dict[str, Any]) -> bytes:
    """The bytes of an answer."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def _line(name: Name, what: str, value: bytes) -> bytes:
    return b'{"id":' + json.dumps(name, ensure_ascii=False).encode() + b',"' + what.encode() + b'":' + value + b"}\n"


def plan_batch(atlas: Plan, request: BatchRequest) -> Plan:
    """Plan a batch: the chunks of the atlas that its answers rest on, done as a rule, and its own.

    Args:
        atlas: The atlas's plan.
        request: Its layers are the atlas's.
    """
    made = [chunk.key for chunk in atlas.find("publish", step="index")
            if request.layers is None or chunk.parameters["layer"] in request.layers]  # fmt: skip
    made += [chunk.key for chunk in atlas.find("publish", step="novelty")]
    ground = atlas.needed(made)
    asked = {"layers": request.layers, "positions": request.positions, "version": BATCH_VERSION}
    parts = [Chunk.of("publish", {"step": "projected", "part": part, **asked}, made) for part in request.parts]
    parts = list({chunk.key: chunk for chunk in parts}.values())  # equal parts are answered once
    content = request.model_dump(mode="json")
    last = Chunk.of("publish", {"step": "projections", "parts": request.parts}, [part.key for part in parts])
    name = digest(["projections", atlas.id, content])[:24]
    return Plan(id=name, kind="projections", spec=atlas.spec, model=atlas.model, dataset=atlas.dataset,
                chunks=(*ground, *parts, last), anchor=atlas.anchor, atlas=atlas.id, request=content,
                ground=len(ground), others=atlas.others)  # fmt: skip
