"""Projections: of one image, of many."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from atlas_client.calls.jobs import Jobs
from atlas_client.connection import Document, path_of
from atlas_client.errors import BadInputError, ConflictError, NotFoundError
from atlas_client.events import OUTAGE
from atlas_client.many import in_order, patiently
from atlas_client.pictures import Picture, media_type, picture_bytes

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
        parameters: list[tuple[str, str]] = [("layers", layer) for layer in layers or ()]
        if positions != "default":
            parameters.append(("positions", positions))
        path = path_of("atlases", atlas, "projections")
        headers = {"content-type": media_type(data)}
        answer = self.json("POST", path, content=data, params=parameters, headers=headers)
        return self._projection(atlas, image, data, answer)

    def _projection(self, atlas: str, image: Picture, data: bytes, answer: Document) -> Projection:
        from atlas_client.atlas import Atlas
        from atlas_client.projection import Projection  # loads numpy, which most commands do without

        place = self.url + path_of("atlases", atlas)
        name = Path(image).name if isinstance(image, str | Path) else ""
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
