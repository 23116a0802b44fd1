"""Audits over the wire."""

from __future__ import annotations

from pydantic import BaseModel

from atlas_core.audit.findings import Audit, CheckName, Verdict
from service.schemas.jobs import Job


class AuditSummary(BaseModel):
    """An audit in short."""

    verdict: Verdict
    reason: str
    checks: dict[CheckName, Verdict]
    exit_code: int


class AuditJob(Job):
    """An audit that was asked for; what it found in short once it is made."""

    summary: AuditSummary | None = None


class AuditAnswer(AuditJob):
    """An audit; its document once it is made."""

    description: Audit | None = None
