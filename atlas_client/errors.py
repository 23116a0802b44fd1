"""What can go wrong between a caller and the service, with the exit code that the command line gives it."""

from __future__ import annotations

from typing import Any, ClassVar

GATE_FAILED = 1
COULD_NOT_RUN = 2
INCONCLUSIVE = 3
BAD_INPUT = 4


class ClientError(Exception):
    """Base of everything that the client raises on purpose.

    Args:
        detail: What is wrong and what to do.
    """

    exit_code: ClassVar[int] = COULD_NOT_RUN

    def __init__(self, detail: str) -> None:
        """Keep the text."""
        super().__init__(detail)
        self.detail = detail


class BadInputError(ClientError):
    """A file, card, picture or argument of the caller's that cannot be used."""

    exit_code = BAD_INPUT


class UnavailableError(ClientError):
    """The service, or something that it depends on, cannot be reached; try again later.

    Args:
        detail: What is wrong and what to do.
        retry_after: Seconds after which the service asks to be tried again, None where it does not say.
    """

    def __init__(self, detail: str, retry_after: float | None = None) -> None:
        """Keep the text and the seconds."""
        super().__init__(detail)
        self.retry_after = retry_after


class JobError(ClientError):
    """A job that was waited for and did not succeed.

    Args:
        detail: Why.
        state: Its last state, failed or cancelled.
    """

    def __init__(self, detail: str, state: str) -> None:
        """Keep the text and the state."""
        super().__init__(detail)
        self.state = state


class RefusedError(BadInputError):
    """The service refused a request (4xx); the fields are those of its problem+json.

    Args:
        detail: What is wrong and what to do.
        status: HTTP status.
        slug: The last part of the problem's `type`, such as `unknown-layer`.
        errors: The problem's `errors`, each with a JSON pointer.
    """

    def __init__(self, detail: str, status: int, slug: str = "", errors: tuple[dict[str, Any], ...] = ()) -> None:
        """Keep the problem."""
        super().__init__(detail)
        self.status = status
        self.slug = slug
        self.errors = errors


class NotAllowedError(RefusedError):
    """The service does not know who asks, or they may not (401, 403): a key is missing, wrong or too narrow."""


class NotFoundError(RefusedError):
    """Nothing of that name there (404)."""


class ConflictError(RefusedError):
    """The thing exists but is not in a state for this (409)."""


class UnsupportedMediaError(RefusedError):
    """Bytes that are too large or of no kind that is taken (413, 415)."""


class InvalidError(RefusedError):
    """A body that cannot work (422)."""


BY_STATUS: dict[int, type[RefusedError]] = {
    401: NotAllowedError,
    403: NotAllowedError,
    404: NotFoundError,
    409: ConflictError,
    413: UnsupportedMediaError,
    415: UnsupportedMediaError,
    422: InvalidError,
}
