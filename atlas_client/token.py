"""The key or token that the client shows the service: given, from the environment, or a CI runner's own.

In a GitHub workflow that may ask for tokens (`permissions: id-token: write`) none needs to be stored: with
ATLAS_AUDIENCE the runner gives a token of a few minutes for this service, and another before that one ends.
"""

from __future__ import annotations

import base64
import json
import os
import time
from collections.abc import Callable, Generator
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from atlas_client.errors import BadInputError, UnavailableError

TOKEN, TOKEN_FILE, AUDIENCE = "ATLAS_TOKEN", "ATLAS_TOKEN_FILE", "ATLAS_AUDIENCE"
RUNNER_URL, RUNNER_TOKEN = "ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"
EARLY_SECONDS = 60
"""Before a token's end that another is asked for."""


class Bearer(httpx.Auth):
    """Shows a token with every request to the service; to no other host, also where it redirects.

    Args:
        token: Gives it.
    """

    def __init__(self, token: Callable[[], str]) -> None:
        """Nothing is asked yet."""
        self._token = token

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Put it on a request."""
        request.headers["Authorization"] = f"Bearer {self._token()}"
        yield request


def auth_of(token: str | None = None) -> Bearer | None:
    """How the client shows who it is.

    Args:
        token: A key or token; by default that of ATLAS_TOKEN, else what the file ATLAS_TOKEN_FILE holds at each
            request, else with ATLAS_AUDIENCE the runner's.

    Returns:
        None where there is none: a service on this machine may ask for none.

    Raises:
        BadInputError: It can be no token, or the runner gives none.
    """
    token = token or os.environ.get(TOKEN)
    if token:
        given = _checked(token)
        return Bearer(lambda: given)
    if file := os.environ.get(TOKEN_FILE):
        return Bearer(lambda: token_in(Path(file)))
    if audience := os.environ.get(AUDIENCE):
        return Bearer(RunnerTokens(audience))
    return None


def token_in(file: Path) -> str:
    """The token that a file holds.

    Raises:
        BadInputError: The file cannot be read, or holds none.
    """
    try:
        return _checked(file.read_text())
    except (OSError, UnicodeDecodeError):
        raise BadInputError(f"the token cannot be read from {file}") from None


def _checked(token: str) -> str:
    token = token.strip()
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise BadInputError("the token is empty or holds what a token cannot; a key is one word, `atlas_…`")
    return token


class RunnerTokens:
    """Tokens that a GitHub runner gives a job, each used until shortly before its end.

    Args:
        audience: Of the service, as its ATLAS_OIDC_AUDIENCE.

    Raises:
        BadInputError: This is no job that may ask for tokens.
    """

    def __init__(self, audience: str) -> None:
        """Nothing is asked yet."""
        self._audience = audience
        self._url, self._secret = os.environ.get(RUNNER_URL, ""), os.environ.get(RUNNER_TOKEN, "")
        self._kept, self._ends = "", 0.0
        if not self._url or not self._secret:
            raise BadInputError(f"{AUDIENCE} is set, and the runner gives no tokens: the job needs the permission "
                                "`id-token: write`; elsewhere set ATLAS_TOKEN")  # fmt: skip

    def __call__(self) -> str:
        """A token that is good for another minute.

        Raises:
            UnavailableError: The runner does not give one.
        """
        if time.time() > self._ends - EARLY_SECONDS:
            self._kept = self._asked()
            self._ends = _end_of(self._kept)
        return self._kept

    def _asked(self) -> str:
        try:
            answer = httpx.get(self._url, params={**_query(self._url), "audience": self._audience}, timeout=30,
                               headers={"Authorization": f"Bearer {self._secret}"})  # fmt: skip
            return str(answer.raise_for_status().json()["value"])
        except (httpx.HTTPError, ValueError, KeyError, TypeError):
            raise UnavailableError("the runner gives no token; try the job again") from None


def _query(url: str) -> dict[str, str]:
    return dict(httpx.QueryParams(urlsplit(url).query))


def _end_of(token: str) -> float:
    """When a token ends, in seconds since 1970; now where it does not say."""
    try:
        part = token.split(".")[1]
        return float(json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))["exp"])
    except (ValueError, KeyError, IndexError, TypeError):
        return time.time()
