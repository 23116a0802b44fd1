"""The audit log: a line of JSON for everything that was changed or refused, on the stream `atlas.audit`.

A line names who, what and how it ended; never a key, a token, a cookie, a query or a body.
"""

from __future__ import annotations

import json
import logging
import sys
from typing import Any

from atlas_core import registry
from service.access.principal import Principal

STREAM = "atlas.audit"
LONGEST = 500


def audit_logger() -> logging.Logger:
    """The stream: on the standard output, each line as it is; whoever gave it a handler before has it as they want."""
    logger = logging.getLogger(STREAM)
    if not logger.handlers:
        handler = logging.StreamHandler(sys.stdout)
        handler.setFormatter(logging.Formatter("%(message)s"))
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        logger.propagate = False
    return logger


def tell(who: Principal, action: str, thing: str, status: int, request_id: str | None, client: str | None) -> None:
    """Log what somebody did.

    Args:
        who: Did it.
        action: Name of the operation, such as `delete_atlas`; the method where no operation was found.
        thing: Path of what it was done to, without its query.
        status: HTTP status of the answer.
        request_id: Of the request.
        client: Address that it came from, as far as the server knows.
    """
    outcome = "done" if status < 400 else "refused" if status in (401, 403, 429) else "failed"
    line: dict[str, Any] = {
        "stream": STREAM, "when": registry.now(), "who": who.id, "name": who.name, "owner": who.owner, "action": action,
        "thing": thing[:LONGEST], "outcome": outcome, "status": status, "request_id": request_id, "client": client,
    }  # fmt: skip
    audit_logger().info("%s", json.dumps(line, ensure_ascii=True))
