"""A batch of images, answered part by part; each image by itself, to the bytes that it has alone."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

from atlas_core.batch import as_json, problem_line, projection_line
from atlas_core.cards import file_sha256
from atlas_core.errors import ImageError
from atlas_core.project import project_image
from atlas_core.stages.step import Output

if TYPE_CHECKING:
    from atlas_core.stages.step import Step


def project_part(step: Step) -> Output:
    """Answer the images of a part, each with a line; what is a problem already stays one."""
    step.inputs("publish")  # a whole answer or none
    lines = step.runtime.store.get_blob(step.parameters["part"]).splitlines(keepends=True)
    answers = []
    for done, line in enumerate(lines):
        value = json.loads(line)
        answers.append(_answer(step, value["id"], base64.b64decode(value["image"])) if "image" in value else line)
        step.on_progress(done + 1, len(lines))
    return Output({"lines": b"".join(answers)}, {"images": len(lines)})


def _answer(step: Step, name: str | int, data: bytes) -> bytes:
    layers, positions = step.parameters["layers"], step.parameters["positions"]
    try:
        return projection_line(name, as_json(project_image(step.plan, step.runtime, data, layers, positions)))
    except ImageError as error:
        return problem_line(name, error)


def publish_projections(step: Step) -> Output:
    """Put the answers of all parts into one file, in the order of the images."""
    answered = {step.plan.by_key[key].parameters["part"]: step.runtime.record(step.plan, key)["blobs"]["lines"]
                for key in step.chunk.inputs}  # fmt: skip
    path = step.folder / "lines"
    with path.open("wb") as file:
        for part in step.parameters["parts"]:
            file.write(step.runtime.store.get_blob(answered[part]))
    return Output({"lines": path}, {"bytes": path.stat().st_size, "digest": file_sha256(path)})
