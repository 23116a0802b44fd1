"""Sessions of browsers: signed in with a key, which is sent once and stands in no page and no script."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response
from starlette.datastructures import Headers

from service.access.admission import session_cookie
from service.access.keys import PREFIX
from service.access.principal import SCOPES, Principal, UnauthorizedError
from service.access.sessions import COOKIE
from service.dependencies import Services, ServicesDep
from service.schemas.session import Session, SessionRequest

router = APIRouter(prefix="/v1/session", tags=["session"])
UNKEPT = {"Cache-Control": "no-store"}


@router.get("", response_model=Session)
async def get_session(services: ServicesDep, response: Response) -> Any:
    """Who asks, and what they may do; 401 of nobody that is known."""
    response.headers.update(UNKEPT)
    return _told(services, services.principal)


@router.post("", response_model=Session)
async def begin_session(body: SessionRequest, request: Request, response: Response, services: ServicesDep) -> Any:
    """Sign a browser in with a key: the answer sets a cookie that scripts cannot read and other sites cannot send."""
    response.headers.update(UNKEPT)
    if services.access.is_open:
        return _told(services, services.principal)
    if not body.key.startswith(PREFIX):
        raise UnauthorizedError("this is no key: keys of this service begin with atlas_")
    who = await services.access.bearer(body.key)
    request.state.principal = who
    cookie = await services.access.sessions.begin(who.id.removeprefix("key:"))
    response.set_cookie(
        COOKIE, cookie, max_age=services.access.sessions.seconds, httponly=True, samesite="strict", path="/",
        secure=_by_tls(request),
    )  # fmt: skip
    return _told(services, who)


@router.delete("", status_code=204)
async def end_session(request: Request, response: Response, services: ServicesDep) -> None:
    """Sign out: the session is forgotten here and by the browser."""
    cookie = session_cookie(Headers(scope=request.scope))
    if cookie:
        await services.access.sessions.end(cookie)
    response.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict", secure=_by_tls(request))


def _by_tls(request: Request) -> bool:
    """Whether the browser came by TLS, to us or to the proxy before us."""
    return "https" in (request.url.scheme, request.headers.get("x-forwarded-proto", "").split(",")[0].strip())


def _told(services: Services, who: Principal) -> dict[str, Any]:
    scopes = [scope for scope in SCOPES if scope in who.scopes]
    return {"access": services.settings.access, "name": who.name, "owner": who.owner, "scopes": scopes}
