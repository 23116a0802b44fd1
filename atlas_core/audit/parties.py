"""Who takes part in an audit: what a request names, looked up, and checked for what an audit needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, TypeVar

from pydantic import Field

from atlas_core import registry
from atlas_core.aliases import AliasKind, resolve
from atlas_core.audit.policy import MOST_CHARACTERS
from atlas_core.cards import Card
from atlas_core.errors import CardError, NotFoundError, SpecError
from atlas_core.facts import DatasetFacts, ModelFacts

if TYPE_CHECKING:
    from atlas_core.store import Store

LEAST_IMAGES = 100
"""Of those that are mapped, and of the base images: method.md, section 9."""
FORWARD_SECONDS = 0.05
"""Of a model whose forward pass could not be measured."""
Reference = Annotated[str, Field(min_length=1, max_length=200)]
Facts = TypeVar("Facts", ModelFacts, DatasetFacts)


class AuditRequest(Card):
    """A model to audit on a labelled dataset.

    Half of the images, by hashed id, is mapped and the other half tested on; with `base`, another labelled dataset, all
    of `dataset` is mapped and tests run on `base`. `baseline` is the model of the last release, audited alike; `drift`
    a dataset to compare with `dataset`. `policy` is the text of one; `seed` and `max_minutes` stand in for its own.
    """

    model: Reference
    dataset: Reference
    base: Reference | None = None
    baseline: Reference | None = None
    drift: Reference | None = None
    policy: str | None = Field(default=None, max_length=MOST_CHARACTERS)
    policy_name: str = Field(default="policy.toml", min_length=1, max_length=200)
    seed: int | None = Field(default=None, ge=0, le=2**63 - 1)
    max_minutes: float | None = Field(default=None, gt=0, le=24 * 60)


@dataclass(frozen=True)
class Parties:
    """What an audit is about, registered and ready.

    Attributes:
        model: The model that is audited.
        dataset: That its atlas is made of.
        base: Of the base images, None where these are the other half of `dataset`.
        baseline: The model that it is compared with.
        drift: A dataset that is compared with `dataset`.
        forward_seconds: What a forward pass of the model took when it was inspected.
    """

    model: ModelFacts
    dataset: DatasetFacts
    base: DatasetFacts | None
    baseline: ModelFacts | None
    drift: DatasetFacts | None
    forward_seconds: float

    @property
    def mapped(self) -> int:
        """Images that the atlas is made of at most."""
        return self.dataset.images if self.base is not None else self.dataset.images // 2

    @property
    def tested(self) -> int:
        """Base images at most."""
        return self.dataset.images - self.mapped if self.base is None else self.base.images

    @property
    def hindrance(self) -> str | None:
        """Why nothing can be said whatever the model does; None where something can."""
        if min(self.mapped, self.tested) >= LEAST_IMAGES:
            return None
        if self.base is None:
            return (f"the dataset {self.dataset.name!r} has {self.dataset.images} images; an audit takes "
                    f"{2 * LEAST_IMAGES} or more, half of them to look for faults in and half to test on")  # fmt: skip
        few = self.dataset if self.mapped < LEAST_IMAGES else self.base
        return f"the dataset {few.name!r} has {few.images} images; an audit takes {LEAST_IMAGES} or more of each"


def find_parties(store: Store, request: AuditRequest) -> Parties:
    """Look up what a request names, by id or alias.

    Raises:
        CardError: Something is not there; the pointer says which.
        ConflictError: Something is still being inspected.
        SpecError: The model has no logits, or a dataset has no labels or not the model's classes.
        InputError: Something was refused.
    """

    def found(field: str, kind: AliasKind, facts: Callable[[Store, str], Facts]) -> Facts | None:
        name = getattr(request, field)
        try:
            return None if name is None else facts(store, resolve(store, kind, name))
        except NotFoundError as error:
            raise CardError(error.detail, pointer=f"/{field}") from None

    model, baseline = (found(field, "model", registry.model_facts) for field in ("model", "baseline"))
    dataset, base, drift = (found(field, "dataset", registry.dataset_facts) for field in ("dataset", "base", "drift"))
    if model is None or dataset is None:
        raise CardError("an audit takes a model and a dataset")  # the request's own fields: it names both
    if base is not None and base.digest == dataset.digest:
        base = None  # the images that the atlas is made of are no test of what was found on it
    for field, one in (("model", model), ("baseline", baseline)):
        if one is not None and one.classes is None:
            raise SpecError(f"the model {one.card.name!r} has no logits; an audit compares predictions with labels",
                            pointer=f"/{field}")  # fmt: skip
    for field, labelled in (("dataset", dataset), ("base", base)):
        if labelled is not None:
            _check_labels(labelled, model, f"/{field}")
    cost = registry.document(store, "models", model.id).get("cost") or {}
    return Parties(model, dataset, base, baseline, drift, cost.get("forward_seconds") or FORWARD_SECONDS)


def _check_labels(dataset: DatasetFacts, model: ModelFacts, pointer: str) -> None:
    if not dataset.class_counts:
        raise SpecError(f"the dataset {dataset.name!r} has no labels, with which an audit compares predictions; name "
                        "its classes in its card, see docs/datasets.md", pointer=pointer)  # fmt: skip
    if len(dataset.classes or ()) > (model.classes or 0):
        raise SpecError(f"the dataset {dataset.name!r} has {len(dataset.classes or ())} classes, the model "
                        f"{model.card.name!r} tells {model.classes}; list the dataset's in the model's order",
                        pointer=pointer)  # fmt: skip
