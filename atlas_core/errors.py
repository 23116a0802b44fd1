"""What can go wrong, said so that the reader knows what to do.

Every error has a stable `slug` (the last part of a problem's `type`) and a `detail` that names the thing, the limit
and the remedy. `InputError` and below are the caller's to mend; `DependencyError` is the deployment's.
"""

from __future__ import annotations

from typing import ClassVar


class AtlasError(Exception):
    """Base of everything this project raises on purpose.

    Args:
        detail: What is wrong and what to do, fit to be shown to a user: no host paths, no secrets.
        pointer: JSON pointer of the offending field of a request or card, such as `/layers/0`.
    """

    slug: ClassVar[str] = "internal"

    def __init__(self, detail: str, *, pointer: str | None = None) -> None:
        """Keep the text and the place."""
        super().__init__(detail)
        self.detail = detail
        self.pointer = pointer


class InputError(AtlasError):
    """Bad input: the caller can mend it."""

    slug = "invalid-input"


class CardError(InputError):
    """A model or dataset card that cannot be read or does not say enough."""

    slug = "invalid-card"


class ModelError(InputError):
    """A model that cannot be loaded: wrong weights, a pickle, a broken graph."""

    slug = "invalid-model"


class UnknownLayerError(InputError):
    """A layer the model does not have."""

    slug = "unknown-layer"


class UnsupportedOperatorError(ModelError):
    """An ONNX operator that cannot be converted for gradients."""

    slug = "unsupported-operator"


class DatasetError(InputError):
    """A dataset that is missing, empty, mislabelled or too broken."""

    slug = "invalid-dataset"


class ImageError(InputError):
    """Bytes that are no picture we take."""

    slug = "invalid-image"


class SpecError(InputError):
    """An atlas that cannot be made as asked, a level too fine for its samples for one."""

    slug = "invalid-spec"


class LayoutError(InputError):
    """Points or activations from which no layout can be made."""

    slug = "invalid-layout"


class NotFoundError(AtlasError):
    """Nothing of that name here."""

    slug = "not-found"


class ConflictError(AtlasError):
    """The thing exists but is not in a state for this."""

    slug = "conflict"


class CancelledError(AtlasError):
    """The job was cancelled; what is finished is kept."""

    slug = "cancelled"


class IntegrityError(AtlasError):
    """Stored bytes that do not match their digest."""

    slug = "integrity"


class MemoryLimitError(AtlasError):
    """Not even one item of a batch fits into memory."""

    slug = "out-of-memory"


class MissingInputError(AtlasError):
    """What a chunk reads is gone from the store, or damaged there; whoever made it has to make it again.

    Args:
        detail: As in `AtlasError`.
        chunks: Keys of the chunks that made it; their records are deleted already.
    """

    slug = "missing-input"

    def __init__(self, detail: str, chunks: tuple[str, ...] = ()) -> None:
        """Keep the keys."""
        super().__init__(detail)
        self.chunks = chunks


class DependencyError(AtlasError):
    """Redis, the store or the service cannot be reached; try again later."""

    slug = "dependency-down"


class VersionError(DependencyError):
    """Work or a document of another version of this software: the processes of that version see to it."""

    slug = "other-version"
