"""What a message may make a worker do: the tasks of this package, with ids for arguments, and nothing else.

Whoever can write to Redis can write messages. One that is no message of ours, or carries anything but ids, is logged
and gone before Celery sees it: Celery's worker ends, or waits for ever, over some of them.
"""

from __future__ import annotations

import base64
import inspect
import json
import logging
from queue import Empty
from typing import Annotated, Any, Literal

from celery import Celery, Task
from celery.worker.control import Panel
from kombu.transport import TRANSPORT_ALIASES, redis
from pydantic import BaseModel, Field, ValidationError

from atlas_core.advance import QUEUES

log = logging.getLogger(__name__)
ANSWERED = ("ping", "hello", "stats", "active")
"""Remote-control commands that only look."""
LONGEST = 16_384
"""Characters of a message's body."""

Name = Annotated[str, Field(max_length=200)]
Id = Annotated[str, Field(pattern="^[A-Za-z0-9_-]{1,64}$")]
Text = Annotated[str, Field(max_length=LONGEST)]


class Headers(BaseModel):
    """Of a task: nothing that has it wait, end early or be followed by another."""

    task: Name
    id: Name
    root_id: Name | None = None
    parent_id: Name | None = None
    timelimit: tuple[None, None] = (None, None)
    eta: None = None
    expires: None = None
    group: None = None
    retries: Literal[0] = 0
    argsrepr: Text = ""
    kwargsrepr: Text = ""
    origin: Name | None = None
    stamped_headers: None = None


class Properties(BaseModel):
    """Of a message in a queue."""

    delivery_tag: Name
    correlation_id: Name | None = None
    body_encoding: Literal["base64"]
    delivery_info: dict[str, Any]


class Message(BaseModel):
    """A message in a queue, as kombu lays it into Redis."""

    content_type: Literal["application/json"] = Field(alias="content-type")
    content_encoding: Literal["utf-8"] = Field(alias="content-encoding")
    body: Text
    headers: Headers
    properties: Properties


class Body(BaseModel):
    """What a task is run with."""

    arguments: Annotated[list[Id], Field(max_length=8)]
    named: Annotated[dict[str, Any], Field(max_length=0)]
    embedded: dict[str, None]


def fault(message: Any) -> str | None:
    """Why a message is none of ours, None where it is."""
    try:
        body = json.loads(base64.b64decode(Message.model_validate(message, strict=False).body, validate=True))
        arguments, named, embedded = body
        Body(arguments=arguments, named=named, embedded=embedded)
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        return f"{'.'.join(map(str, first['loc'])) or 'it'}: {first['msg']}"
    except (ValueError, TypeError, RecursionError):
        return "its body is no task's"
    return None


class IdTask(Task):
    """A task that runs with as many ids as it takes."""

    abstract = True

    def __call__(self, *arguments: str) -> Any:
        """Run, or say why not."""
        wanted = len(inspect.signature(self.run).parameters)
        if len(arguments) == wanted:
            return self.run(*arguments)
        log.error("a message for %s is dropped: it takes %d ids, not %d", self.name, wanted, len(arguments))
        return None


class Guarded:
    """A transport that passes on what is ours."""

    def _deliver(self, message: Any, queue: str) -> None:
        wrong = fault(message) if queue in QUEUES else None
        if wrong is None:
            super()._deliver(message, queue)  # type: ignore[misc]
        else:
            log.error("a message in the queue %s is dropped: %s", queue, wrong)


class Patient:
    """A channel that survives what is no JSON."""

    def _brpop_read(self, **options: Any) -> Any:
        try:
            return super()._brpop_read(**options)  # type: ignore[misc]
        except (ValueError, RecursionError):
            log.error("a message is dropped: it is no JSON")
            raise Empty from None


class Channel(Patient, redis.Channel):
    """Of a Redis."""


class SentinelChannel(Patient, redis.SentinelChannel):
    """Of a Redis that Sentinel watches over."""


class Transport(Guarded, redis.Transport):
    """`redis://` and `rediss://`."""

    Channel = Channel


class SentinelTransport(Guarded, redis.SentinelTransport):
    """`sentinel://`."""

    Channel = SentinelChannel


def guard(app: Celery) -> None:
    """Have an application's worker do what its own tasks do, and nothing else.

    Celery brings tasks that run others, and remote-control commands that stop a worker or change what it does.
    """
    TRANSPORT_ALIASES.update(
        redis=f"{__name__}:Transport", rediss=f"{__name__}:Transport", sentinel=f"{__name__}:SentinelTransport"
    )
    app.on_after_finalize.connect(_only_ours, weak=False)
    for name in set(Panel.data) - set(ANSWERED):
        del Panel.data[name]


def _only_ours(sender: Any, **_: object) -> None:
    for name in [name for name in sender.tasks if name.startswith("celery.")]:
        sender.tasks.unregister(name)
