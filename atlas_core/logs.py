"""Logs on the standard error: lines of text or JSON, each with the request, job and chunk that it is about."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING

from atlas_core import origin

if TYPE_CHECKING:
    from atlas_core.settings import Settings

TEXT = "%(asctime)s %(levelname)s %(name)s: %(message)s%(about)s"
OTHERS = ("uvicorn", "uvicorn.error", "uvicorn.access")
"""That bring handlers of their own."""
CHATTY = ("uvicorn.access", "celery.app.trace", "celery.worker.strategy", "httpx")
"""That tell of every request or message what we tell with its ids."""


class _About(logging.Filter):
    """Adds what is said of the work to a record."""

    def filter(self, record: logging.LogRecord) -> bool:
        said = {name: value for name, value in origin.said().items() if name != origin.TRACEPARENT}
        if parent := origin.said().get(origin.TRACEPARENT):
            said["trace"] = parent.split("-")[1]
        for name, value in said.items():
            setattr(record, name, value)
        record.about = " [" + " ".join(f"{name}={value}" for name, value in said.items()) + "]" if said else ""
        return True


def configure(settings: Settings) -> None:
    """Have this process log as the settings say.

    Args:
        settings: `log_format` and `log_level`.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(_About())
    handler.setFormatter(_json() if settings.log_format == "json" else logging.Formatter(TEXT))
    logging.basicConfig(handlers=[handler], level=settings.log_level.upper(), force=True)
    logging.captureWarnings(True)
    for name in OTHERS:
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True
    for name in CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)


def _json() -> logging.Formatter:
    from pythonjsonlogger.json import JsonFormatter

    return JsonFormatter(
        "%(levelname)s %(name)s %(message)s", rename_fields={"levelname": "level", "name": "logger"},
        reserved_attrs=[*vars(logging.makeLogRecord({})), "about", "message", "asctime"], timestamp=True,
    )  # fmt: skip
