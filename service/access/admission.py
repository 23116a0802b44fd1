"""Who comes in: every request is known by its key, token or session, or is refused, before its body is read."""

from __future__ import annotations

import ipaddress
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from fastapi import Request
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope as Connection, Send

from atlas_core.errors import AtlasError
from service.access import audit_log
from service.access.keys import PREFIX, KeyRing
from service.access.limits import Limits
from service.access.principal import NOBODY, OPEN, ForbiddenError, Principal, Scope, UnauthorizedError
from service.access.quotas import Quotas
from service.access.scopes import READING, scope_of
from service.access.sessions import COOKIE, Sessions
from service.access.tokens import Tokens
from service.errors import answered

if TYPE_CHECKING:
    from atlas_core.store import Store
    from service.settings import ServiceSettings

TELL = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS)


class Access:
    """Knows who asks.

    Args:
        settings: What is trusted.
        store: Where the keys are.
    """

    def __init__(self, settings: ServiceSettings, store: Store) -> None:
        """Nothing is asked yet."""
        self.settings = settings
        self.is_open = settings.access == "open"
        self.keys = KeyRing(store, settings.key_cache_seconds)
        self.sessions = Sessions(settings.redis_url, round(settings.session_hours * 3600))
        self.limits = Limits(settings)
        self.quotas = Quotas(settings, self.limits, store)
        self.tokens = None
        if settings.oidc_issuer and settings.oidc_audience:
            self.tokens = Tokens(settings.oidc_issuer, settings.oidc_audience, settings.oidc_rules,
                                 keys_url=settings.oidc_keys_url, leeway=settings.oidc_leeway_seconds)  # fmt: skip

    async def close(self) -> None:
        """Let go of the connections."""
        await self.sessions.close()
        await self.limits.close()
        self.quotas.close()

    async def bearer(self, token: str) -> Principal:
        """Who has a key or token.

        Raises:
            UnauthorizedError: Nobody that is known.
            ForbiddenError: A token that may do nothing here.
            DependencyError: The store or the issuer cannot be asked.
        """
        if token.startswith(PREFIX):
            identity = token.removeprefix(PREFIX).partition("_")[0]
            fresh = self.keys.is_fresh(identity)
            found = self.keys.find(token) if fresh else await run_in_threadpool(self.keys.find, token)
            if found is None:
                raise UnauthorizedError("the key is unknown, expired or revoked; ask the operator for another")
            return found
        if self.tokens is None:
            raise UnauthorizedError("this is no key, which begin with atlas_, and no issuer of tokens is trusted "
                                    "here")  # fmt: skip
        return await run_in_threadpool(self.tokens.find, token)

    async def session(self, cookie: str) -> Principal:
        """Who has a session; errors as `bearer`."""
        identity = await self.sessions.key(cookie)
        found = None if identity is None else await run_in_threadpool(self.keys.by_id, identity)
        if found is None:
            raise UnauthorizedError("the session has ended; sign in again")
        return found

    async def who(self, headers: Headers) -> Principal:
        """Who asks, by the headers of a request; errors as `bearer`."""
        kind, _, token = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and token.strip():
            return await self.bearer(token.strip())
        if cookie := session_cookie(headers):
            return await self.session(cookie)
        raise UnauthorizedError("this service asks for a key: send it as `Authorization: Bearer atlas_…`, or set "
                                "ATLAS_TOKEN for the client and the command")  # fmt: skip


def session_cookie(headers: Headers) -> str | None:
    """The session's cookie, where there is one."""
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return None
    return found.value if found else None


def check_origin(headers: Headers) -> None:
    """Refuse what a page of another origin has a browser do: browsers say by themselves where a request comes from.

    Raises:
        ForbiddenError: It comes from elsewhere.
    """
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    foreign = (
        site not in ("same-origin", "none")
        if site
        else bool(origin) and (urlsplit(origin).netloc != headers.get("host"))
    )
    if foreign:
        raise ForbiddenError("a page of another origin may change nothing here; send a key as `Authorization: Bearer`")


def check_loopback(connection: Connection) -> None:
    """Refuse who comes from beyond this machine while access is open.

    Raises:
        ForbiddenError: The address that was asked is none of loopback.
    """
    server = connection.get("server")
    try:
        local = server is None or ipaddress.ip_address(server[0]).is_loopback
    except ValueError:  # the name of a test's
        local = True
    if not local:
        raise ForbiddenError("access is open, which is for this machine alone, but the service listens beyond it: take "
                             "ATLAS_ACCESS=open away and make keys with `atlas keys create`")  # fmt: skip


class Admission:
    """Lets in who may, and has what they do logged.

    Args:
        app: The application.
        access: Knows who asks.
    """

    def __init__(self, app: ASGIApp, access: Access) -> None:
        """Wrap the application."""
        self._app, self._access = app, access

    async def __call__(self, scope: Connection, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = scope["path"].removeprefix(scope.get("root_path", "").rstrip("/")) or "/"
        wanted = scope_of(scope["method"], path, metrics_public=self._access.settings.metrics_public)
        state = scope.setdefault("state", {})
        state["principal"] = OPEN if self._access.is_open else NOBODY
        status = HTTPStatus.INTERNAL_SERVER_ERROR.value

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._admit(scope, wanted)
            app = self._app
        except AtlasError as error:
            app = answered(Request(scope), error)
        try:
            await app(scope, receive, noted)
        finally:
            if (
                wanted == "write"
                or (path == "/v1/session" and scope["method"] in ("POST", "DELETE"))
                or status in TELL
                or (self._access.settings.audit_reads and wanted is not None)
            ):
                _tell(scope, path, status)

    async def _admit(self, connection: Connection, wanted: Scope | None) -> None:
        headers = Headers(scope=connection)
        if self._access.is_open:
            check_loopback(connection)
        if connection["method"] not in READING and "authorization" not in headers:
            check_origin(headers)
        if wanted is None or self._access.is_open:
            return
        who = await self._access.who(headers)
        connection["state"]["principal"] = who
        who.check(wanted)
        await self._access.limits.pace(who)


def _tell(connection: Connection, path: str, status: int) -> None:
    endpoint, state = connection.get("endpoint"), connection["state"]
    action = str(getattr(endpoint, "__name__", connection["method"]))
    client = connection.get("client")
    audit_log.tell(state["principal"], action, path, status, state.get("request_id"), client and client[0])
