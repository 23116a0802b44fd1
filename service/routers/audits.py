"""Audits: a policy run against a model; a job of its own, whose result is a document in several forms."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Path, Request, Response

from atlas_core import registry
from atlas_core.audit.audit_plan import atlas_of, plan_audit, resolve
from atlas_core.audit.findings import Audit
from atlas_core.audit.parties import AuditRequest, find_parties
from atlas_core.audit.remedy import is_model
from atlas_core.errors import NotFoundError
from atlas_core.keys import digest
from atlas_core.reports.formats import FORMATS, render
from atlas_core.reports.told import Told, told
from service.accept import preferred
from service.asked import Made, ask_as_planned, picture, summarised, summary_of
from service.dependencies import PagingDep, ServicesDep
from service.errors import described as problem_described
from service.idempotency import IDEMPOTENT, IdempotentRoute
from service.routers.atlases import described
from service.routers.levels import PNG, REVALIDATE, Version, matches, unchanged
from service.schemas.audits import AuditAnswer, AuditJob
from service.schemas.jobs import Job
from service.schemas.pages import Page

router = APIRouter(prefix="/v1/audits", tags=["audits"], route_class=IdempotentRoute)
SUFFIXES = {"json": "json", "xml": "junit", "sarif": "sarif", "md": "markdown", "html": "html"}
"""Form of the document by the suffix of its address."""
PICTURE = PNG | {304: {"description": "It has not changed"}}
FORMS: dict[int | str, dict[str, Any]] = {
    200: {"content": {form.media_type: {} for name, form in FORMATS.items() if name != "json"}},
    304: {"description": "It has not changed"},
    406: problem_described("It comes in no form that `Accept` names"),
}
TYPES: dict[str, str | None] = {"application/json": None} | {
    form.media_type: name for name, form in FORMATS.items() if name != "json"
}
"""Form of the document by its media type; None is the job, with the document in it."""

ONNX: dict[int | str, dict[str, Any]] = {200: {"content": {"application/octet-stream": {}}}}


def _made(audit: Annotated[str, Path(description="id of the job")], services: ServicesDep) -> Made:
    return Made(services, "audit", audit)


MadeDep = Annotated[Made, Depends(_made)]


@router.post("", status_code=202, response_model=Job, dependencies=[IDEMPOTENT])
def add_audit(body: Annotated[AuditRequest, Body()], response: Response, services: ServicesDep) -> Any:
    """Audit a model; the same request twice is the same job. The atlas that it looks for faults in is made too."""
    parties = find_parties(services.store, body)
    asked = resolve(body, parties, datetime.now(UTC).date())
    owner, audited = services.principal.owner, None
    if parties.hindrance is None:
        audited = atlas_of(asked, parties, parties.model).owned_by(owner)
        services.submit(audited, f"audit of {parties.model.card.name}"[:200])
    plan = plan_audit(asked, parties).owned_by(owner, None if audited is None else audited.id)
    return ask_as_planned(services, plan, response)


@router.get("", response_model=Page[AuditJob])
def list_audits(services: ServicesDep, paging: PagingDep) -> Any:
    """All audits, in order of submission, each with its result in short."""
    jobs = [job for job in registry.documents(services.store, "jobs")
            if job["kind"] == "audit" and not job.get("deleted")]  # fmt: skip
    return summarised(services, paging, jobs)


@router.get("/{audit}", response_model=AuditAnswer | Audit, responses=FORMS)
def get_audit(audit: str, request: Request, response: Response, services: ServicesDep) -> Any:
    """The job, and once it has succeeded the document; as JUnit XML, SARIF, Markdown or HTML by Accept or suffix.

    With the suffix `.json` the document alone. The ETag is of what is told, so who asks again is told 304.
    """
    name, _, suffix = audit.partition(".")
    made = Made(services, "audit", name)
    form = _form(suffix, request.headers.get("accept", ""))
    if form is not None:
        body = _rendered(made, form, str(request.base_url).rstrip("/"))
        answer: Any = Response(body, media_type=FORMATS[form].media_type)
        tag = hashlib.sha256(body).hexdigest()
    else:
        told = {"summary": summary_of(services, made.job), "description": made.description}
        answer = described(services, made.job) | told
        tag = digest(answer)
    headers = {"ETag": f'"{tag}"', "Cache-Control": REVALIDATE, "Vary": "Accept"}
    if matches(request, headers["ETag"]):
        return unchanged(headers)
    (answer if isinstance(answer, Response) else response).headers.update(headers)
    return answer


@router.get("/{audit}/evidence/{name}", responses=PICTURE, response_class=Response)
def get_evidence(made: MadeDep, name: str, request: Request, v: Version = None) -> Response:
    """A picture that a finding rests on."""
    blob = _pictures(_complete(made)).get(name)
    if blob is None:
        raise NotFoundError(f"this audit shows no picture {name[:80]!r}; its document names them")
    return picture(lambda: made.services.store.get_blob(blob), digest(blob), request, v)


@router.get("/{audit}/told", response_model=Told)
def get_told(made: MadeDep) -> Any:
    """What the reports say, in words and in order, for pages that show it themselves."""
    return told(_document(made))


@router.get("/{audit}/models/{name}", responses=ONNX, response_class=Response)
def get_model(made: MadeDep, name: str) -> Response:
    """A repaired model as an ONNX file: what a remedy of the document names."""
    blob = _blobs(_complete(made)).get(name)
    if blob is None or not is_model(name):
        raise NotFoundError(f"this audit repaired no model {name[:80]!r}; the remedies of its document name them")
    headers = {"ETag": f'"{blob}"', "Content-Disposition": f'attachment; filename="{name}"'}
    return Response(made.services.store.get_blob(blob), media_type="application/octet-stream", headers=headers)


@router.delete("/{audit}", status_code=204)
def delete_audit(made: MadeDep) -> None:
    """Drop an audit; one that still runs is cancelled. The atlas that it looked at stays."""
    made.drop()


def _form(suffix: str, accept: str) -> str | None:
    """The form that is asked for by suffix, else by Accept; None for the job."""
    if suffix:
        if suffix not in SUFFIXES:
            raise NotFoundError(f"an audit comes as {', '.join(f'.{one}' for one in SUFFIXES)}, not as .{suffix[:20]}")
        return SUFFIXES[suffix]
    return TYPES[preferred(accept, list(TYPES))]


def _complete(made: Made) -> Made:
    """The audit, which has a document.

    Raises:
        NotFoundError: It has none, or none yet.
    """
    if made.job["state"] != "succeeded":
        raise made.services.artifacts.missing(made.plan, "the document of this audit is not made yet")
    return made


def _rendered(made: Made, form: str, service: str) -> bytes:
    pictures = {name: made.services.store.get_blob(blob) for name, blob in _pictures(made).items()}
    return render(_document(made), form, pictures, service=service)


def _document(made: Made) -> Audit:
    """What an audit says; raises NotFoundError where it has not said it yet."""
    found = _complete(made).description
    if found is None:
        raise made.services.artifacts.missing(made.plan, "the document of this audit is not made yet")
    return Audit.model_validate(found)


def _blobs(made: Made) -> dict[str, str]:
    """What an audit has besides its document, by name; nothing of one that is not complete."""
    record = made.record if made.job["state"] == "succeeded" else None
    return {} if record is None else {name: blob for name, blob in record["blobs"].items() if name != "description"}


def _pictures(made: Made) -> dict[str, str]:
    """Blobs of the pictures of an audit by name."""
    return {name: blob for name, blob in _blobs(made).items() if not is_model(name)}
