"""Requests to one service and their answers, whatever they are about."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self, TypeAlias
from urllib.parse import quote

import httpx

from atlas_client.cards import file_sha256
from atlas_client.errors import BadInputError, UnavailableError
from atlas_client.problems import check, reaching
from atlas_client.token import auth_of
from atlas_client.uploads import OnBytes, Upload

DEFAULT_URL = "http://127.0.0.1:8000"

Document: TypeAlias = dict[str, Any]
OnDocument: TypeAlias = Callable[[Document], None]


def path_of(*names: str | int) -> str:
    """The path below a service's URL that goes by these names, which may hold any character."""
    return "/v1/" + "/".join(quote(str(name), safe="") for name in names)


class Connection:
    """One service, spoken to over HTTP.

    Args:
        url: Where it is, such as `http://127.0.0.1:8000`.
        timeout: Seconds to wait for each answer.
        token: A key or token to show; by default what the environment names, see `token.auth_of`.
        transport: Another way to reach it, for tests.
        on_upload: Called with bytes sent and bytes in all while a file is uploaded.
    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        timeout: float = 60.0,
        *,
        token: str | None = None,
        transport: httpx.BaseTransport | None = None,
        on_upload: OnBytes | None = None,
    ) -> None:
        """Open the connection pool; nothing is sent yet."""
        if not url.startswith(("http://", "https://")):
            raise BadInputError(f"{url!r} is no URL of a service; write it as http://host:port")
        self.url = url.rstrip("/")
        self._on_upload = on_upload
        self._http = httpx.Client(
            base_url=self.url, timeout=timeout, transport=transport, follow_redirects=True, auth=auth_of(token)
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection pool."""
        self._http.close()

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send a request and read the answer.

        Args:
            method: HTTP method.
            path: Path below the service's URL, its parts already percent-encoded.
            **options: As for `httpx.Client.request`.

        Raises:
            RefusedError: The service refuses it.
            UnavailableError: The service cannot be reached or cannot work.
        """
        return check(self.ask(method, path, **options))

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send a request and read the answer whatever its status; arguments of `request`.

        Raises:
            UnavailableError: The service cannot be reached.
        """
        with reaching(self.url):
            return self._http.request(method, path, **options)

    def json(self, method: str, path: str, **options: Any) -> Document:
        """Send a request whose answer is a JSON object; arguments and errors of `request`."""
        try:
            value = self.request(method, path, **options).json()
        except ValueError:
            raise UnavailableError(f"what answers at {self.url}{path} is no atlas service") from None
        if not isinstance(value, dict):
            raise UnavailableError(f"what answers at {self.url}{path} is no atlas service")
        return value

    def lines(self, path: str) -> Iterator[bytes]:
        """The lines of an answer, as they come; errors of `request`, also of one that breaks off."""
        rest = b""
        with reaching(self.url), self._http.stream("GET", path) as response:
            for piece in check(response).iter_bytes():
                *whole, rest = (rest + piece).split(b"\n")
                yield from whole

    def items(self, path: str, **filters: str) -> Iterator[Document]:
        """Everything of a list, or what its filters let through, page by page; errors of `request`."""
        token: str | None = None
        while True:
            page = self.json("GET", path, params=filters | ({"page_token": token} if token else {}))
            yield from page["items"]
            token = page.get("next_page_token")
            if not token:
                return

    def upload(self, file: Path) -> str:
        """Upload a file unless the service has its bytes already; gives its SHA-256 in hex.

        A large one goes straight into the store where that can be, else in parts, from where an earlier upload ended.

        Raises:
            BadInputError: The file cannot be read, or the service refuses it.
            UnavailableError: The service cannot be reached, or for too long.
        """
        try:
            digest, size = file_sha256(file), file.stat().st_size
        except OSError as error:
            raise BadInputError(f"cannot read {file}: {error.strerror}") from None
        Upload(self, file, digest, size, self._on_upload).run()
        return digest

    def picture(self, url: str) -> bytes:
        """The bytes of a picture by its URL below the service's."""
        return self.request("GET", url).content
