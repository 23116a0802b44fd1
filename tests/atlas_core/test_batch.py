from __future__ import annotations

import base64
import hashlib
import json
from typing import TYPE_CHECKING, Any

from atlas_core.batch import BatchRequest, as_json, image_line, plan_batch, problem_line, projection_line
from atlas_core.errors import ImageError
from atlas_core.project import project_image
from atlas_core.stages import run_chunk
from tests.tiny import LAYER, picture

if TYPE_CHECKING:
    from tests.atlas_core.conftest import TinyAtlas


def requested(parts: list[str], images: int, **changes: Any) -> BatchRequest:
    return BatchRequest(layers=None, positions="default", images=images, parts=parts).model_copy(update=changes)


def test_lines_keep_the_bytes_that_they_hold() -> None:
    assert image_line("é", b"\xff\x00") == '{"id":"é","image":"/wA="}\n'.encode()
    assert projection_line(7, b'{"x":0.10}') == b'{"id":7,"projection":{"x":0.10}}\n'
    assert problem_line("a", ImageError("no picture")) == (
        b'{"id":"a","problem":{"type":"/problems/invalid-image","detail":"no picture"}}\n'
    )


def test_a_plan_needs_the_indexes_and_answers_a_part_a_chunk(tiny_atlas: TinyAtlas) -> None:
    plan = plan_batch(tiny_atlas.plan, requested(["a" * 64, "b" * 64, "a" * 64], 48))
    assert (plan.kind, plan.atlas) == ("projections", tiny_atlas.plan.id)
    assert [(chunk.parameters["step"], chunk.parameters.get("part", "")[:1]) for chunk in plan.own] == [
        ("projected", "a"), ("projected", "b"), ("projections", ""),
    ]  # fmt: skip
    for step in ("index", "novelty"):
        assert tiny_atlas.plan.find("publish", step=step)[0].key in plan.grounded
    others = [requested(["a" * 64], 16), requested(["a" * 64], 16, positions="all")]
    assert len({plan.id, *(plan_batch(tiny_atlas.plan, other).id for other in others)}) == 3


def test_a_batch_is_answered_in_order_with_the_bytes_of_single_answers(tiny_atlas: TinyAtlas) -> None:
    images, store = [picture("disc", 1), picture("square", 2), picture("stripes", 3)], tiny_atlas.runtime.store
    bad = problem_line("unread", ImageError("the image is no base64"))
    parts = [image_line("a", images[0]) + bad + image_line(1, b"no picture"), image_line("b", images[1]),
             image_line("c", images[2])]  # fmt: skip
    plan = plan_batch(tiny_atlas.plan, requested([store.put_blob(part) for part in parts], 5, layers=[LAYER]))
    for chunk in plan.own:
        run_chunk(plan, chunk, tiny_atlas.runtime)
    record = tiny_atlas.runtime.record(plan, plan.chunks[-1].key)
    lines = store.get_blob(record["blobs"]["lines"]).splitlines(keepends=True)
    assert record["info"] == {"bytes": sum(map(len, lines)), "digest": hashlib.sha256(b"".join(lines)).hexdigest()}
    alone = [as_json(project_image(tiny_atlas.plan, tiny_atlas.runtime, image, [LAYER])) for image in images]
    assert [lines[0], lines[3], lines[4]] == [
        projection_line(name, answer) for name, answer in zip("abc", alone, strict=True)
    ]
    assert lines[1] == bad
    assert json.loads(lines[2])["problem"]["type"] == "/problems/invalid-image"
    assert base64.b64decode(json.loads(parts[1])["image"]) == images[1]
