"""A policy: what an audit looks at, what stops a release, and what is accepted, in one TOML file."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from importlib import resources
from typing import Annotated, Any, Literal, NamedTuple, TypeVar

from pydantic import Field, ValidationError, field_validator, model_validator

from atlas_core.audit.checks import CHECKS, module_of
from atlas_core.audit.directions import unpack_direction
from atlas_core.audit.findings import CheckName
from atlas_core.audit.toml_lines import KeyLines, KeyPath, TomlError
from atlas_core.cards import Card
from atlas_core.errors import InputError

MOST_CHARACTERS = 256 * 1024
DEFAULT_NAME = "default-policy.toml"
AnyCard = TypeVar("AnyCard", bound=Card)


class Problem(NamedTuple):
    """One thing that is wrong with a policy, and the line, from 1, where."""

    line: int
    detail: str


class PolicyError(InputError):
    """A policy that cannot be used.

    Args:
        name: Of its file.
        problems: All that is wrong, in the order of the lines.
    """

    slug = "invalid-policy"

    def __init__(self, name: str, problems: list[Problem]) -> None:
        """Tell every problem with its line."""
        told = "; ".join(f"line {one.line}: {one.detail}" for one in sorted(problems))
        super().__init__(f"{name}: {told}", pointer="/policy")
        self.problems = tuple(sorted(problems))


class AuditTable(Card):
    """`[audit]`: what is looked at.

    `layers` left out are two of the model's blocks, one two thirds deep and the last. `passes` are forward passes in
    place of `max_minutes`: the same work on any machine. An audit with too little to go by ends in exit code 3; with
    `inconclusive = "allow"` in 0.
    """

    checks: list[CheckName] = Field(default_factory=lambda: list(CHECKS), min_length=1)
    layers: list[Annotated[str, Field(min_length=1, max_length=300)]] | None = Field(
        default=None, min_length=1, max_length=8
    )
    samples: int = Field(default=20_000, ge=100, le=1_000_000)
    side: int = Field(default=20, ge=2, le=80)
    icons: Literal["fast", "detail", "vivid", "pure", "none"] = "fast"
    privacy: Literal["standard", "strict"] = "standard"
    seed: int = Field(default=0, ge=0, le=2**63 - 1)
    max_minutes: float = Field(default=10, gt=0, le=24 * 60)
    passes: int | None = Field(default=None, ge=1000, le=100_000_000)
    coverage: float = Field(default=0.8, ge=0, le=1)
    inconclusive: Literal["fail", "allow"] = "fail"


class BaselineTable(Card):
    """`[baseline]`: what becomes of findings that the baseline has too.

    With `known = "report"` they do not fail the audit, unless they have become stronger by more than `worse`.
    """

    known: Literal["report", "fail"] = "report"
    worse: float = Field(default=0.1, ge=0, le=1)


class Acceptance(Card):
    """An `[[accepted]]` finding: known, looked at and let pass until a day.

    It stands for a finding of this check, class and layer with a direction nearer than cosine .9; of findings without a
    direction, for the one of this `id`. It has the one or the other.
    """

    check: CheckName
    reason: str = Field(min_length=1, max_length=1000)
    expires: date | None = None
    class_name: str | None = Field(default=None, alias="class")
    layer: str | None = None
    direction: str | None = None
    id: str | None = None

    @field_validator("direction")
    @classmethod
    def _is_direction(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                unpack_direction(value)
            except InputError as error:
                raise ValueError(error.detail) from None
        return value

    @model_validator(mode="after")
    def _says_which(self) -> Acceptance:
        if (self.direction is None) == (self.id is None):
            raise ValueError("needs the finding's `direction`, or its `id` where it has none")
        return self


@dataclass(frozen=True)
class Policy:
    """A policy that was read.

    Attributes:
        name: Of its file.
        text: As it was written.
        lines: Where its keys stand.
        audit: What is looked at.
        baseline: What becomes of findings that are not new.
        accepted: Findings let pass.
        options: Of each check that is asked for, what it measures.
        thresholds: And what its judge compares with.
    """

    name: str
    text: str
    lines: KeyLines
    audit: AuditTable
    baseline: BaselineTable
    accepted: tuple[Acceptance, ...]
    options: Mapping[CheckName, Card]
    thresholds: Mapping[CheckName, Card]

    def line_of(self, key: str) -> int:
        """The line of a key such as `shortcuts.margin`; where it is left to its default, of its table, else 1."""
        return self.lines.of(tuple(key.split(".")))

    def expired(self, today: date) -> tuple[int, ...]:
        """The acceptances, counted from 0, that no longer hold on a day."""
        return tuple(number for number, one in enumerate(self.accepted) if one.expires and one.expires < today)

    def warnings(self, expired: tuple[int, ...]) -> list[str]:
        """What is to be said of acceptances that no longer hold."""
        return [f"{self.name}, line {self.lines.of(('accepted', number))}: this acceptance expired on "
                f"{self.accepted[number].expires}; what it stood for counts again" for number in expired]  # fmt: skip


def default_policy() -> str:
    """The text of the policy that holds where none is named."""
    return resources.files("atlas_core.audit").joinpath(DEFAULT_NAME).read_text(encoding="utf-8")


def parse_policy(text: str, name: str = "policy.toml") -> Policy:
    """Read a policy.

    Args:
        text: TOML.
        name: Of its file, for errors and reports.

    Raises:
        PolicyError: It cannot be used; names every line that is wrong.
    """
    if len(text) > MOST_CHARACTERS:
        raise PolicyError(name, [Problem(1, f"a policy has at most {MOST_CHARACTERS:,} characters")])
    try:
        lines = KeyLines(text)
    except TomlError as error:
        raise PolicyError(name, [Problem(error.line, error.detail)]) from None
    reading = _Reading(lines)
    audit = reading.card(AuditTable, "audit")
    baseline = reading.card(BaselineTable, "baseline")
    accepted = reading.cards(Acceptance, "accepted")
    options, thresholds = reading.checks()
    reading.unknown(lines.value, ("audit", "baseline", "accepted", *CHECKS), ())
    if reading.problems or audit is None or baseline is None:
        raise PolicyError(name, reading.problems)
    return Policy(name, text, lines, audit, baseline, tuple(accepted), options, thresholds)


class _Reading:
    """Reads the tables of a policy and gathers all that is wrong with them.

    Args:
        lines: The text, and where its keys stand.
    """

    def __init__(self, lines: KeyLines) -> None:
        self._lines = lines
        self.problems: list[Problem] = []

    def card(self, kind: type[AnyCard], name: str) -> AnyCard | None:
        """A table as a card of its fields, None where it is wrong; one that is left out is empty."""
        return self._validated(kind, self._lines.value.get(name, {}), (name,))

    def cards(self, kind: type[AnyCard], name: str) -> list[AnyCard]:
        """The entries of an array of tables."""
        entries = self._lines.value.get(name, [])
        if not isinstance(entries, list):
            self._note((name,), f"{name} is an array of tables: write [[{name}]]")
            return []
        found = [self._validated(kind, entry, (name, number)) for number, entry in enumerate(entries)]
        return [entry for entry in found if entry is not None]

    def checks(self) -> tuple[dict[CheckName, Card], dict[CheckName, Card]]:
        """The options and the thresholds of every check, from one table each."""
        options: dict[CheckName, Card] = {}
        thresholds: dict[CheckName, Card] = {}
        for check in CHECKS:
            module, table = module_of(check), self._lines.value.get(check, {})
            if not isinstance(table, dict):
                self._note((check,), f"{check} is a table: write [{check}]")
                continue
            for kind, found in ((module.Options, options), (module.Thresholds, thresholds)):
                own = {name: value for name, value in table.items() if name in kind.model_fields}
                card = self._validated(kind, own, (check,))
                if card is not None:
                    found[check] = card
            self.unknown(table, (*module.Options.model_fields, *module.Thresholds.model_fields), (check,))
        return options, thresholds

    def unknown(self, table: Mapping[str, Any], known: tuple[str, ...], path: KeyPath) -> None:
        """Note the keys of a table that mean nothing, each with the nearest that does."""
        for name in table:
            if name not in known:
                self._note((*path, name), _unknown(path, name, known))

    def _validated(self, kind: type[AnyCard], value: Any, path: KeyPath) -> AnyCard | None:
        try:
            return kind.model_validate_json(json.dumps(value, default=str), strict=True)
        except ValidationError as error:
            for one in error.errors():
                self._note((*path, *one["loc"]), _told(kind, path, one))
            return None

    def _note(self, path: KeyPath, detail: str) -> None:
        self.problems.append(Problem(self._lines.of(path), detail))


def _told(kind: type[Card], path: KeyPath, error: Any) -> str:
    """A mistake in words: of which key, what it should be, and what it is."""
    place, name = (*path, *error["loc"]), str(error["loc"][-1]) if error["loc"] else ""
    if error["type"] == "extra_forbidden":
        return _unknown(path, name, tuple(_names(kind)))
    if error["type"] == "missing":
        return f"{_written(path)} needs `{name}`"
    message = error["msg"].removeprefix("Value error, ").removeprefix("Input ")
    return f"{_written(place)} {message}{_given(error)}"


def _given(error: Any) -> str:
    shown = repr(error["input"])
    return f", not {shown}" if error["type"] != "value_error" and len(shown) <= 60 else ""


def _names(kind: type[Card]) -> Iterator[str]:
    """The fields of a card as they are written."""
    return (field.alias or name for name, field in kind.model_fields.items())


def _unknown(path: KeyPath, name: str, known: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"did you mean `{near[0]}`?" if near else f"there are {', '.join(known)}"
    return f"unknown key `{_written((*path, name))}`; {hint}"


def _written(path: KeyPath) -> str:
    """A path of keys as one reads it; entries of arrays are counted from 1."""
    text = ""
    for part in path:
        text += f"[{part + 1}]" if isinstance(part, int) else f".{part}" if text else part
    return text or "the policy"
