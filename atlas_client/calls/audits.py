"""Audits: ask for, wait for, list, and have their reports."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from atlas_client.calls.jobs import Jobs
from atlas_client.connection import Document, OnDocument, path_of

REPORTS = {"report.html": "html", "report.json": "json", "junit.xml": "xml", "audit.sarif": "sarif", "summary.md": "md"}
"""Files of a report, and the suffix of each one's address."""
SHOWN = re.compile(r"\(pictures/([\w.-]+)\.png\)")


class Audits(Jobs):
    """Asks what is wrong with models."""

    def audit(self, model: str, dataset: str, **options: Any) -> Document:
        """Ask for an audit of a model.

        Args:
            model: Id or alias of the model.
            dataset: Id or alias of a labelled dataset.
            **options: What else POST /v1/audits takes: base, baseline, drift, policy, policy_name, seed, max_minutes.

        Returns:
            The job; give it to `made_audit`.
        """
        return self.json("POST", "/v1/audits", json={"model": model, "dataset": dataset, **options})

    def made_audit(self, job: Document, on_progress: OnDocument | None = None) -> Document:
        """Wait until an audit is made; then it has a `summary`, and the document as `description`. As `made_icons`."""
        return self._made(job, on_progress)

    def all_audits(self) -> list[Document]:
        """The audits that were asked for, in time; each with its `summary`."""
        return list(self.items("/v1/audits"))

    def audit_document(self, audit: str) -> Document:
        """The job of an audit; once it is made with its `summary`, and the document as `description`."""
        return self.json("GET", path_of("audits", audit))

    def audit_summary(self, audit: str) -> tuple[str, list[bytes]]:
        """The summary of an audit that is made, as Markdown, and the pictures that it shows, as PNG."""
        summary = self.request("GET", f"{path_of('audits', audit)}.md").text
        return summary, [self.picture(path_of("audits", audit, "evidence", name)) for name in SHOWN.findall(summary)]

    def audit_reports(self, audit: str) -> dict[str, bytes]:
        """The reports of an audit that is made, by the names of their files.

        With them come the pictures that the summary shows, and repaired models.

        Args:
            audit: Its id.
        """
        files = {name: self.request("GET", f"/v1/audits/{audit}.{suffix}").content for name, suffix in REPORTS.items()}
        for name in SHOWN.findall(files["summary.md"].decode()):
            files[f"pictures/{name}.png"] = self.picture(path_of("audits", audit, "evidence", name))
        for name in repaired_models(json.loads(files["report.json"])):
            files[name] = self.request("GET", path_of("audits", audit, "models", name)).content
        return files

    def write_reports(self, audit: str, folder: Path) -> list[Path]:
        """Write the reports of an audit into a folder; gives their files."""
        written = []
        for name, data in self.audit_reports(audit).items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(data)
            written.append(folder / name)
        return written


def repaired_models(document: Document) -> list[str]:
    """Names of the repaired models that an audit's document tells of, each once."""
    findings = [finding for check in document["checks"] for finding in check["findings"]]
    remedies = [finding["remedy"] for finding in findings if finding["remedy"]]
    return list(dict.fromkeys(one["model"] for one in remedies if one["model"]))
