"""`atlas audit`: find what is wrong with a model, write the reports, and stop a release that fails its policy."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from atlas_client.client import Client
from atlas_client.connection import DEFAULT_URL, Document
from atlas_client.errors import BadInputError
from atlas_client.options import Json, Url
from atlas_client.output import put, put_json
from atlas_client.plugins import core_commands
from atlas_client.progress import inspection_bar, job_bars, upload_bar

SHOWN = 5
SAID = {"pass": "PASS", "fail": "FAIL", "inconclusive": "INCONCLUSIVE"}


def audit(
    model: Annotated[str, typer.Option(help="A model card; or an id or alias of a model of the service.")],
    dataset: Annotated[str, typer.Option(help="A card of a labelled dataset; or an id or alias of one.")],
    out: Annotated[Path, typer.Option(help="Folder of the reports; made where it is missing.", file_okay=False)],
    url: Url = DEFAULT_URL,
    local: Annotated[bool, typer.Option("--local", help="Work on this machine, without a service.")] = False,
    baseline: Annotated[str | None, typer.Option(help="The model of the last release: alias, id or card.")] = None,
    policy: Annotated[Path | None, typer.Option(help="A policy; a sensible one by default.", dir_okay=False)] = None,
    base: Annotated[str | None, typer.Option(help="Test on this labelled dataset, and map all of the other.")] = None,
    drift: Annotated[str | None, typer.Option(help="Compare this dataset with the model's own.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of all that is random; the policy's by default.")] = None,
    max_minutes: Annotated[float | None, typer.Option(help="Of forward passes; the policy's by default.")] = None,
    processes: Annotated[int | None, typer.Option(min=1, help="With --local; as many as cores by default.")] = None,
    as_json: Json = False,
) -> None:
    """Audit a model: exit 0 it passes, 1 it fails, 3 too little to go by, 4 bad input, 2 it could not run."""
    options: dict[str, Any] = {"seed": seed, "max_minutes": max_minutes}
    if policy is not None:
        options |= {"policy": _text(policy), "policy_name": policy_name(policy)}
    options = {name: value for name, value in options.items() if value is not None}
    others = {"base": base, "baseline": baseline, "drift": drift}
    named = {"model": model, "dataset": dataset} | {name: value for name, value in others.items() if value is not None}
    if local:
        found: Document = core_commands("audit").audit_locally(named, options, out, processes)
    else:
        found = _audited(url, named, options, out)
    put_json(found) if as_json else _put(found, out)
    raise typer.Exit(found["exit_code"])


def policy_name(policy: Path) -> str:
    """A policy's file as it was named, so that a code host finds its lines; of one elsewhere its name alone."""
    elsewhere = policy.is_absolute() or ".." in policy.parts
    return policy.name if elsewhere else policy.as_posix()


def _text(policy: Path) -> str:
    try:
        return policy.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise BadInputError(f"cannot read the policy {policy}") from None


def _audited(url: str, named: dict[str, str], options: dict[str, Any], out: Path) -> Document:
    with upload_bar() as on_upload, Client(url, on_upload=on_upload) as client:
        ids: dict[str, str] = {}
        for field in sorted(named, key=lambda field: field in ("model", "baseline")):  # these are measured on it
            ids[field] = _registered(client, field, named[field], ids.get("dataset"))
        job = client.audit(**ids, **options)
        with job_bars() as on_progress:
            made = client.made_audit(job, on_progress)
        try:
            client.write_reports(job["id"], out)
        except OSError as error:
            raise BadInputError(f"cannot write into {out}: {error.strerror}") from None
    document: Document = made["description"]
    return document


def _registered(client: Client, field: str, name: str, dataset: str | None) -> str:
    """The id of what is named by a card, which is uploaded as far as it is missing, or by an id or alias."""
    kind = "models" if field in ("model", "baseline") else "datasets"
    if Path(name).suffix == ".json" or Path(name).is_file():
        document = client.add_model(name, dataset) if kind == "models" else client.add_dataset(name)
    else:
        document = client.model(name) if kind == "models" else client.dataset(name)
    with inspection_bar() as on_progress:
        return str(client.wait_ready(kind, document["id"], on_progress)["id"])


def _put(found: Document, out: Path) -> None:
    """The verdict, each check's, and the findings that come first."""
    put(f"{SAID[found['verdict']]}: {found['reason']}")
    for check in found["checks"]:
        put(f"  {check['check']}: {check['verdict']}, {check['coverage']:.0%} looked at; {check['reason']}")
        if check["needs"]:
            put(f"    to be sure: {check['needs']}")
    for name, reason in found["skipped"].items():
        put(f"  {name}: left out, {reason}")
    findings = [finding for check in found["checks"] for finding in check["findings"]]
    for number, finding in enumerate(sorted(findings, key=lambda one: not one["gate"])[:SHOWN], start=1):
        put(f"{number}. {finding['title']} ({_standing(finding)}; {found['policy']['name']}, line "
            f"{finding['policy_line']})")  # fmt: skip
    if len(findings) > SHOWN:
        put(f"and {len(findings) - SHOWN} more")
    for warning in found["warnings"]:
        put(f"warning: {warning}")
    put(f"reports in {out}: report.html, report.json, junit.xml, audit.sarif, summary.md")


def _standing(finding: Document) -> str:
    if finding["accepted"]:
        return "accepted"
    if finding["gate"]:
        return "fails"
    return "the baseline has it too" if finding["known_in_baseline"] else "reported"
