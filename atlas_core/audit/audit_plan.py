"""From a request for an audit to a plan: an atlas of half of the images, what each check measures, and the verdict."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from atlas_core.audit import remedy
from atlas_core.audit.base import NAME as BASE, base_chunks
from atlas_core.audit.checks import CHECKS, module_of, others_of
from atlas_core.audit.context import Context
from atlas_core.audit.policy import DEFAULT_NAME, Policy, PolicyError, Problem, default_policy, parse_policy
from atlas_core.build import plan, samples_of
from atlas_core.errors import SpecError, UnknownLayerError
from atlas_core.facts import DatasetFacts, ModelFacts
from atlas_core.keys import digest
from atlas_core.plan import Chunk, Other, Plan
from atlas_core.spec import HEALTHY_SAMPLES, AtlasSpec

if TYPE_CHECKING:
    from datetime import date

    from atlas_core.audit.findings import CheckName
    from atlas_core.audit.parties import AuditRequest, Parties
    from atlas_core.audit.toml_lines import KeyPath

AUDIT_VERSION = 4
"""Raised whenever the same measures would be judged otherwise."""
BASELINE = "baseline"
DEPTH = 2 / 3
"""Of the earlier of the two layers that are looked at by default, among the blocks of a model with one grid."""


@dataclass(frozen=True)
class Asked:
    """A request with everything filled in that it leaves out, and its policy as it holds today.

    Attributes:
        request: Names ids, a policy, a seed and a number of minutes.
        policy: Read.
        expired: Acceptances, counted from 0, that no longer hold.
    """

    request: AuditRequest
    policy: Policy
    expired: tuple[int, ...]

    @property
    def id(self) -> str:
        """Id of the job: the same request is one, until an acceptance expires."""
        return digest(["audit", AUDIT_VERSION, self.request.model_dump(mode="json"), self.expired])[:24]


def resolve(request: AuditRequest, parties: Parties, today: date) -> Asked:
    """Fill in what a request leaves out, and check its policy against the model.

    Args:
        request: As asked.
        parties: What it names.
        today: Day on which acceptances must still hold.

    Raises:
        PolicyError: The policy cannot be used, or names a layer or class that the model does not have.
    """
    given = request.policy is not None
    name = request.policy_name if given else DEFAULT_NAME
    policy = parse_policy(str(request.policy) if given else default_policy(), name)
    problems = [*_unknown_layers(policy, parties.model), *_unknown_classes(policy, parties.model)]
    if problems:
        raise PolicyError(name, problems)
    ids = {field: None if facts is None else facts.id for field, facts in _named(parties).items()}
    seed = policy.audit.seed if request.seed is None else request.seed
    minutes = request.max_minutes
    if minutes is None and policy.audit.passes is None:
        minutes = policy.audit.max_minutes
    filled = {**ids, "policy": policy.text, "policy_name": name, "seed": seed, "max_minutes": minutes}
    return Asked(request.model_copy(update=filled), policy, policy.expired(today))


def _named(parties: Parties) -> dict[str, ModelFacts | DatasetFacts | None]:
    return {"model": parties.model, "dataset": parties.dataset, "base": parties.base, "baseline": parties.baseline,
            "drift": parties.drift}  # fmt: skip


def _unknown_layers(policy: Policy, model: ModelFacts) -> Iterable[Problem]:
    named: list[tuple[str, KeyPath]] = [(layer, ("audit", "layers")) for layer in policy.audit.layers or ()]
    named += [(one.layer, ("accepted", number, "layer")) for number, one in enumerate(policy.accepted) if one.layer]
    for layer, path in named:
        try:
            model.layer(layer)
        except UnknownLayerError as error:
            yield Problem(policy.lines.of(path), error.detail)


def _unknown_classes(policy: Policy, model: ModelFacts) -> Iterable[Problem]:
    told = model.card.labels
    known = list(told) if isinstance(told, list) else list(map(str, range(model.classes or 0)))
    for number, one in enumerate(policy.accepted):
        if one.class_name is not None and one.class_name not in known:
            near = difflib.get_close_matches(one.class_name, known, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            yield Problem(policy.lines.of(("accepted", number, "class")),
                          f"the model {model.card.name!r} has no class {one.class_name!r}{hint}")  # fmt: skip


def layers_of(policy: Policy, model: ModelFacts) -> list[str]:
    """The layers that are looked at: the policy's, else the last block and the last one on the next finer grid.

    At the coarsest grid a position sees most of the picture, so that a thing lies in cells of what it lies beside; on
    the finer one it lies in cells of its own, with pictures of several classes. Of a network with one grid these are
    the block two thirds deep and the last.

    Raises:
        SpecError: No layer of the model has positions inside a border.
    """
    if policy.audit.layers is not None:
        return list(policy.audit.layers)
    usable = [layer for layer in model.layers if min(layer.shape[1:]) >= 3 and not layer.silent]
    blocks = [layer for layer in usable if layer.block] or usable
    if not blocks:
        raise SpecError(f"no layer of the model {model.card.name!r} has positions inside a border, and an audit looks "
                        "for faults in places", pointer="/model")  # fmt: skip
    last_of = {tuple(layer.shape[1:]): layer for layer in blocks}
    ends = [layer for layer in blocks if last_of[tuple(layer.shape[1:])] is layer]
    chosen = ends[-2:] if len(ends) > 1 else [blocks[round(DEPTH * (len(blocks) - 1))], blocks[-1]]
    return list(dict.fromkeys(layer.name for layer in chosen))


def atlas_of(asked: Asked, parties: Parties, model: ModelFacts) -> Plan:
    """The atlas that an audit of a model looks for faults in: an ordinary one, which anybody may ask for.

    Args:
        asked: From `resolve`.
        parties: What it names.
        model: The model, or its baseline.

    Raises:
        SpecError: It cannot be made.
    """
    table, dataset = asked.policy.audit, parties.dataset
    icons = table.icons if table.privacy == "standard" or table.icons == "pure" else "none"
    spec = AtlasSpec(
        model=model.id, dataset=dataset.id, layers=layers_of(asked.policy, model), samples=table.samples,
        seed=asked.request.seed or 0, recipe="none" if model.unconvertible else icons, privacy=table.privacy,
        images=None if parties.base is not None else parties.mapped, allow_sparse=True,
    )  # fmt: skip
    samples = min(samples_of(spec, model, dataset, layer) for layer in spec.layers)
    side = max(2, min(table.side, int((samples / HEALTHY_SAMPLES) ** 0.5)))
    return plan(spec.model_copy(update={"levels": [side]}), model, dataset)


@dataclass(frozen=True)
class Measuring:
    """What is measured of one model.

    Attributes:
        context: What its checks were planned with.
        base: The chunks that run it over the base images.
        checks: Those of each check; the last of them holds what it measured.
        others: What some of them are about in place of the atlas's model and dataset.
        remedies: Those that try remedies for what the shortcut audit finds, of the model that is audited.
    """

    context: Context
    base: list[Chunk]
    checks: dict[CheckName, list[Chunk]]
    others: tuple[Other, ...]
    remedies: list[Chunk] = field(default_factory=list)

    @property
    def own(self) -> list[Chunk]:
        """All of them, each once, in order."""
        chunks = (*self.base, *(chunk for made in self.checks.values() for chunk in made), *self.remedies)
        return list({chunk.key: chunk for chunk in chunks}.values())

    def ground(self, chunks: Iterable[Chunk]) -> tuple[Chunk, ...]:
        """The chunks of the model's atlas that some chunks are made of."""
        atlas = self.context.atlas
        return atlas.needed([key for chunk in chunks for key in chunk.inputs if key in atlas.by_key])

    @property
    def layouts(self) -> dict[str, str]:
        """Keys of the layouts of the layers that are looked at."""
        return {layer: self.context.atlas.layout_of(layer).key for layer in self.context.layers}

    @property
    def last(self) -> dict[CheckName, str]:
        """Key of the chunk that holds what each check measured."""
        return {name: made[-1].key for name, made in self.checks.items()}


def plan_audit(asked: Asked, parties: Parties) -> Plan:
    """Plan an audit: the chunks of the atlas that it needs, those that measure, and the one that judges.

    Of too few images nothing is measured, and the verdict says so.

    Args:
        asked: From `resolve`.
        parties: What it names.

    Raises:
        SpecError: The atlas cannot be made.
    """
    atlas = atlas_of(asked, parties, parties.model)
    before = audited = None
    if parties.hindrance is None and parties.baseline is not None:
        before = _measuring(asked, parties, atlas_of(asked, parties, parties.baseline), None)
    if parties.hindrance is None:
        audited = _with_remedies(asked.policy, _measuring(asked, parties, atlas, before))
    last = _judging(asked, parties, audited, before)
    own = [*([] if audited is None else audited.own), last]
    ground = () if audited is None else audited.ground(own)
    theirs = [] if before is None else [*before.ground([*before.own, *own]), *before.own]
    chunks = {chunk.key: chunk for chunk in (*ground, *theirs, *own)}
    others = [] if audited is None else [*_baseline(before, theirs), *_base(parties, atlas, audited), *audited.others]
    return Plan(id=asked.id, kind="audit", spec=atlas.spec, model=atlas.model, dataset=atlas.dataset,
                chunks=tuple(chunks.values()), atlas=None if audited is None else atlas.id,
                request=asked.request.model_dump(mode="json"), ground=len(ground), others=tuple(others))  # fmt: skip


def _measuring(asked: Asked, parties: Parties, atlas: Plan, before: Measuring | None) -> Measuring:
    model_is_audited = atlas.model.id == parties.model.id  # the dataset is compared once, with the atlas of this model
    seed = asked.request.seed or 0
    base = base_chunks(atlas, parties.base or parties.dataset, seed)
    minutes = asked.request.max_minutes
    passes = asked.policy.audit.passes if minutes is None else int(minutes * 60 / parties.forward_seconds)
    context = Context(atlas=atlas, base=tuple(chunk.key for chunk in base), layers=tuple(atlas.spec.layers),
                      side=(atlas.spec.levels or [0])[0], seed=seed, passes=passes or 0,
                      baseline=None if before is None else before.context,
                      drift=parties.drift if model_is_audited else None)  # fmt: skip
    checks = _checks(asked.policy, context)
    others = [other for name in checks for other in others_of(module_of(name), context, asked.policy.options[name])]
    return Measuring(context, base, checks, tuple(others))


def _checks(policy: Policy, context: Context) -> dict[CheckName, list[Chunk]]:
    """The chunks of every check that is asked for and has something to look at."""
    wanted = [name for name in CHECKS if name in policy.audit.checks]
    whole = sum(CHECKS[name].share for name in wanted)
    made = {}
    for name in wanted:
        passes = int(context.passes * CHECKS[name].share / whole)
        made[name] = list(module_of(name).chunks(replace(context, passes=passes), policy.options[name]))
    return {name: chunks for name, chunks in made.items() if chunks}


def _with_remedies(policy: Policy, made: Measuring) -> Measuring:
    """The same, with remedies tried for what its shortcut audit finds."""
    shortcuts = made.checks.get("shortcuts")
    if shortcuts is None:
        return made
    return replace(made, remedies=remedy.chunks(made.context, policy.thresholds["shortcuts"], shortcuts))


def _judging(asked: Asked, parties: Parties, audited: Measuring | None, before: Measuring | None) -> Chunk:
    """The chunk that reads what was measured and writes the document."""
    measuring = [made for made in (audited, before) if made is not None]
    parameters: dict[str, Any] = {
        "step": "audit", "version": AUDIT_VERSION, "id": asked.id,
        "request": asked.request.model_dump(mode="json"), "expired": list(asked.expired),
        "subjects": {name: _told(facts) for name, facts in _named(parties).items() if facts is not None},
        "hindrance": parties.hindrance,
        "measured": [{"checks": made.last, "base": list(made.context.base), "layouts": made.layouts,
                      "remedies": [chunk.key for chunk in made.remedies[-1:]]} for made in measuring],
    }  # fmt: skip
    inputs = [key for made in measuring for key in (*made.last.values(), *made.context.base, *made.layouts.values(),
                                                    *(chunk.key for chunk in made.remedies[-1:]))]  # fmt: skip
    return Chunk.of("publish", parameters, dict.fromkeys(inputs))


def _told(facts: ModelFacts | DatasetFacts) -> dict[str, Any]:
    """A model or dataset as the document names it; the ids of neither say the name."""
    if isinstance(facts, ModelFacts):
        return {"id": facts.id, "name": facts.card.name}
    return {"id": facts.id, "name": facts.name, "images": facts.images}


def _baseline(before: Measuring | None, chunks: Iterable[Chunk]) -> Iterable[Other]:
    """The baseline's model, which these chunks are about."""
    if before is not None:
        of = before.context.atlas
        keys = [chunk.key for chunk in chunks]
        yield Other(name=BASELINE, spec=of.spec, model=of.model, dataset=of.dataset, keys=keys)


def _base(parties: Parties, atlas: Plan, audited: Measuring) -> Iterable[Other]:
    """The dataset of the base images, where that is another."""
    if parties.base is not None:
        spec = atlas.spec.model_copy(update={"dataset": parties.base.id, "images": None})
        keys = list(audited.context.base)
        yield Other(name=BASE, spec=spec, model=atlas.model, dataset=parties.base, keys=keys)
