"""The checks there are, and what each of them offers an audit.

A check is a module of this package under its own name. It has

- `Options`, a Card: what is measured and how; part of the keys of its chunks, so no threshold belongs here;
- `Thresholds`, a Card: what its judge compares with;
- `chunks(context, options)`: what measures, the last of them with a blob `measured`; none where there is nothing to
  compare with;
- `judge(measured, thresholds)`: a `CheckResult`, cheap and free of torch;
- and, where some of its chunks are about another dataset, `others(context, options)`.

A policy's table of the check's name holds the fields of both cards, all with defaults; so no name may be in both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol, cast

if TYPE_CHECKING:
    from atlas_core.audit.context import Context
    from atlas_core.audit.findings import CheckName, CheckResult
    from atlas_core.cards import Card
    from atlas_core.plan import Chunk, Other


class CheckModule(Protocol):
    """What a check's module offers."""

    Options: type[Card]
    Thresholds: type[Card]

    def chunks(self, context: Context, options: Any) -> Sequence[Chunk]:
        """The chunks that measure, in order."""
        ...

    def judge(self, measured: Any, thresholds: Any) -> CheckResult:
        """What the measures say under these thresholds."""
        ...


@dataclass(frozen=True)
class Check:
    """A check of the registry.

    Attributes:
        share: Of the audit's forward passes, against the other checks' shares.
        strength: The statistic that tells by how much a finding has become worse than the baseline's; an interval's
            middle counts.
        needs: What a request must name for it, if anything.
    """

    share: float
    strength: str
    needs: str | None = None


CHECKS: Mapping[CheckName, Check] = MappingProxyType({
    "shortcuts": Check(share=0.6, strength="flips"),
    "properties": Check(share=0.3, strength="flips"),
    "regions": Check(share=0.08, strength="error"),
    "versions": Check(share=0.01, strength="lost", needs="baseline"),
    "drift": Check(share=0.01, strength="discrepancy", needs="drift"),
})  # fmt: skip
"""In the order in which they are run and reported."""


def others_of(module: CheckModule, context: Context, options: Card) -> Sequence[Other]:
    """What some chunks of a check are about in place of the atlas's model and dataset; most checks have none."""
    told: Sequence[Other] = getattr(module, "others", lambda context, options: ())(context, options)
    return told


def module_of(name: str) -> CheckModule:
    """The module of a check of the registry."""
    return cast("CheckModule", import_module(f"atlas_core.audit.{name}"))
