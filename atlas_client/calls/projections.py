"""Projections: of one image, of many, of many that nobody waits for."""

from __future__ import annotations

import base64
import functools
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from atlas_client.calls.jobs import Jobs
from atlas_client.connection import Document, OnDocument, path_of
from atlas_client.errors import BadInputError, ConflictError, InvalidError, NotFoundError
from atlas_client.events import OUTAGE
from atlas_client.many import in_order, patiently
from atlas_client.pictures import Picture, media_type, picture_bytes
from atlas_client.problems import slug_of

if TYPE_CHECKING:
    from atlas_client.projection import Projection

AT_A_TIME = 8  # images projected


class Projections(Jobs):
    """Asks where images land on an atlas."""

    def project(
        self, atlas: str, image: Picture, layers: Sequence[str] | None = None, positions: str = "default"
    ) -> Projection:
        """Where the positions of an image land on an atlas; a dictionary that draws itself.

        Args:
            atlas: The atlas's id.
            image: A file, the bytes of a JPEG, PNG or WebP, or a picture.
            layers: Layers to answer for; None for all of the atlas.
            positions: `default` (at most 14 x 14 a layer) or `all`.

        Raises:
            RefusedError: The service takes it for no image.
        """
        data = picture_bytes(image)
        path, parameters = path_of("atlases", atlas, "projections"), _parameters(layers, positions)
        headers = {"content-type": media_type(data)}
        answer = self.json("POST", path, content=data, params=parameters, headers=headers)
        return self._projection(atlas, answer, data, _name(image) or "")

    def _projection(self, atlas: str, answer: Document, data: bytes, name: str) -> Projection:
        from atlas_client.atlas import Atlas
        from atlas_client.projection import Projection  # loads numpy, which most commands do without

        place = self.url + path_of("atlases", atlas)
        return Projection(answer, data, name, lambda: Atlas.open(place))

    def project_many(
        self,
        atlas: str,
        images: Iterable[Picture],
        layers: Sequence[str] | None = None,
        positions: str = "default",
        *,
        at_a_time: int = AT_A_TIME,
    ) -> Iterator[Projection | BadInputError]:
        """Project images, a few at a time; a busy service is waited for.

        Args:
            atlas: The atlas's id.
            images: As for `project`; taken as their turn comes, so there may be any number.
            layers: As for `project`.
            positions: As for `project`.
            at_a_time: Requests under way at a time.

        Yields:
            The answers in the order of the images; an image that is refused gives its error in its place.

        Raises:
            NotFoundError: There is no such atlas.
            ConflictError: It cannot place images yet.
            UnavailableError: The service cannot be reached, or is busy for too long.
        """

        def ask(image: Picture) -> Projection | BadInputError:
            try:
                return patiently(lambda: self.project(atlas, image, layers, positions), OUTAGE)
            except (NotFoundError, ConflictError):  # of the atlas, not of this image
                raise
            except BadInputError as error:
                return error

        return in_order(ask, images, at_a_time)

    def project_later(
        self, atlas: str, images: Iterable[Picture], layers: Sequence[str] | None = None, positions: str = "default"
    ) -> Document:
        """Ask where images land without waiting; they are kept by the service until they are answered.

        Args:
            atlas: The atlas's id.
            images: As for `project`, at most 10,000; each is read when it is sent, and a file's name goes with it.
            layers: As for `project`.
            positions: As for `project`.

        Returns:
            The job; give it to `projected`.

        Raises:
            BadInputError: A file cannot be read, and nothing is asked.
            RefusedError: There is no such atlas, it keeps no picture, or the batch is too large.
        """
        path, parameters = path_of("atlases", atlas, "projections"), _parameters(layers, positions)
        headers = {"content-type": "application/x-ndjson", "prefer": "respond-async"}
        return self.json("POST", path, content=map(_line, images), params=parameters, headers=headers)

    def projected(self, job: Document, on_progress: OnDocument | None = None) -> Iterator[Projection | BadInputError]:
        """Wait until images are projected; then the answers, each when it is read. As `made_icons`.

        Args:
            job: From `project_later`.
            on_progress: Called with every document seen; may raise to stop waiting.

        Returns:
            The answers as of `project_many`, without their images.
        """
        results = self._made(job, on_progress)["links"]["results"]
        return map(functools.partial(self._told, job["atlas"]), self.lines(results))

    def _told(self, atlas: str, line: bytes) -> Projection | BadInputError:
        told = json.loads(line)
        if "problem" in told:
            return InvalidError(told["problem"]["detail"], 422, slug_of(told["problem"]))
        return self._projection(atlas, told["projection"], b"", told["id"] if isinstance(told["id"], str) else "")


def _parameters(layers: Sequence[str] | None, positions: str) -> list[tuple[str, str]]:
    """What goes into the query."""
    asked = [("layers", layer) for layer in layers or ()]
    return asked if positions == "default" else [*asked, ("positions", positions)]


def _name(image: Picture) -> str | None:
    """The name of an image that is a file."""
    return Path(image).name if isinstance(image, str | Path) else None


def _line(image: Picture) -> bytes:
    """An image of a batch; without a name the service takes the line's number."""
    name, data = _name(image), base64.b64encode(picture_bytes(image)).decode()
    return json.dumps({"image": data} if name is None else {"id": name, "image": data}).encode() + b"\n"
