"""What /openapi.json lets be asked, asked of a live service with values that schemathesis makes up."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

import requests
from hypothesis import HealthCheck, Phase, given, seed as seeded, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode, openapi
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

CHECKS = [
    not_a_server_error, status_code_conformance, content_type_conformance, response_headers_conformance,
    response_schema_conformance,
]  # fmt: skip
SECONDS = 60
MODES = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
READS = ("GET", "HEAD")


def wrong_answers(
    url: str, known: Mapping[str, str], examples: int, *, seed: int = 0, in_turn: bool = False
) -> tuple[int, set[str]]:
    """Ask every operation, and hold each answer against its description.

    Args:
        url: Of the service.
        known: Path parameters that name something there, for every second request that only reads.
        examples: For each operation and mode.
        seed: Of what is made up.
        in_turn: Ask one operation as is described, the next as is not, and so on; else each both ways.

    Returns:
        How many operations were asked, and what was wrong with answers: a 5xx, or what is not described.
    """
    wrong: set[str] = set()
    asked = 0
    with requests.Session() as session:
        schema = openapi.from_dict(session.get(f"{url}/openapi.json", timeout=SECONDS).json())
        found: Any
        for found in schema.get_all_operations():
            operation = found.ok()
            asked += 1
            for mode in MODES[asked % 2 :][:1] if in_turn else MODES:
                ask = _asking(operation.label, known, partial(_called, session, url), wrong)
                cases = operation.as_strategy(generation_mode=mode)
                plain: Any = settings(max_examples=examples, database=None, deadline=None, phases=[Phase.generate],
                                      suppress_health_check=list(HealthCheck))  # fmt: skip
                given_cases: Any = given(cases)
                asking = seeded(seed)(plain(given_cases(ask)))
                with suppress(Unsatisfiable):  # an operation without parameters cannot be asked wrongly
                    asking()
    return asked, wrong


def _called(session: requests.Session, url: str, case: Any) -> Any:
    return case.call(base_url=url, session=session, timeout=SECONDS)


def _asking(label: str, known: Mapping[str, str], call: Callable[[Any], Any], wrong: set[str]) -> Callable[[Any], None]:
    number = 0

    def ask(case: Any) -> None:
        nonlocal number
        number += 1
        if number % 2 and case.method.upper() in READS:
            named = {name: known[name] for name in case.path_parameters or {} if name in known}
            case.path_parameters = {**(case.path_parameters or {}), **named}
        answer = call(case)
        try:
            case.validate_response(answer, checks=CHECKS)
        except FailureGroup as group:
            wrong.update(f"{label}: {answer.status_code} {_said(failure)}" for failure in group.exceptions)
        except Failure as failure:
            wrong.add(f"{label}: {answer.status_code} {_said(failure)}")

    return ask


def _said(failure: BaseException) -> str:
    return " ".join(f"{getattr(failure, 'title', '')}: {failure}".split())[:600]
