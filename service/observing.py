"""What is told of every request: counted by route and status, and a line in the log."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from atlas_core.tracing import span

if TYPE_CHECKING:
    from atlas_core.meters import Meters

log = logging.getLogger(__name__)
UNMATCHED = "none"
"""Route of what is nowhere: paths are the caller's to choose, and would each be a series of its own."""
STREAMED = "/events"
"""End of the routes whose answers last as long as a job."""


class Observing:
    """Counts requests and the time to the end of their answers.

    Args:
        app: The application.
        meters: What counts.
    """

    def __init__(self, app: ASGIApp, meters: Meters) -> None:
        """Wrap the application."""
        self._app, self._meters = app, meters

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.monotonic(), 500

        async def seen(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        with span(scope["method"], "SERVER", parent=Headers(scope=scope).get("traceparent")) as made:
            try:
                await self._app(scope, receive, seen)
            finally:
                route = getattr(scope.get("route"), "path", UNMATCHED)
                if made is not None:
                    made.update_name(f"{scope['method']} {route}")
                    made.set_attributes({"http.route": route, "http.response.status_code": status})
                self._tell(scope, route, status, time.monotonic() - began)

    def _tell(self, scope: Scope, route: str, status: int, seconds: float) -> None:
        method = scope["method"] if route != UNMATCHED else "any"
        self._meters.count("atlas_http_requests_total", method, route, str(status))
        if not route.endswith(STREAMED):
            self._meters.observe("atlas_http_request_seconds", seconds, method, route)
        log.info("%s %s %d %.0f ms", scope["method"], scope["path"], status, 1e3 * seconds)
