"""The workflows under examples/ci are what the two hosts take, and name commands and files that there are."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from atlas_client.audit import audit
from atlas_core.reports.formats import FORMATS

ROOT = Path(__file__).parents[2]
CI = ROOT / "examples" / "ci"


@pytest.mark.parametrize(("name", "schema"), [("github", "github-workflows"), ("gitlab", "gitlab-ci")])
def test_a_workflow_follows_its_hosts_schema(name: str, schema: str) -> None:
    binary = Path(sys.executable).with_name("check-jsonschema")
    asked = [str(binary), "--builtin-schema", f"vendor.{schema}", str(CI / f"{name}.yml")]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_workflows_are_tidy() -> None:
    binary = Path(sys.executable).with_name("yamllint")
    done = subprocess.run([str(binary), "--strict", str(CI)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def commands(value: Any) -> str:
    """All that a workflow runs, each of its texts on a line."""
    if isinstance(value, dict):
        value = list(value.values())
    return "\n".join(map(commands, value)) if isinstance(value, list) else str(value)


@pytest.mark.parametrize("name", ["github", "gitlab"])
def test_a_failed_and_an_undecided_audit_both_stop_it_and_reports_are_kept(name: str) -> None:
    document = yaml.safe_load((CI / f"{name}.yml").read_text("utf-8"))
    text = commands(document)
    (command,) = re.findall(r"^atlas audit .*$", text, re.MULTILINE)
    assert "||" not in command
    assert "allow_failure" not in text
    assert "continue-on-error" not in (CI / f"{name}.yml").read_text("utf-8")
    assert "--policy policy.toml --out audit" in command
    files = {form.file for form in FORMATS.values()}
    assert set(re.findall(r"audit/([a-z]+\.[a-z]+)", text)) <= files
    assert ("junit.xml" if name == "gitlab" else "audit.sarif") in text


@pytest.mark.parametrize("name", ["github", "gitlab"])
def test_a_workflow_names_only_options_that_the_command_has(name: str) -> None:
    (command,) = re.findall(
        r"^atlas audit .*$", commands(yaml.safe_load((CI / f"{name}.yml").read_text("utf-8"))), re.M
    )
    options = {f"--{name.replace('_', '-')}" for name in inspect.signature(audit).parameters}
    assert set(re.findall(r"--[a-z-]+", command)) <= options
    assert {"--model", "--dataset", "--out"} <= set(re.findall(r"--[a-z-]+", command))


def test_workflows_set_only_what_the_client_reads() -> None:
    read = "".join(file.read_text("utf-8") for file in (ROOT / "atlas_client").rglob("*.py"))
    for file in CI.glob("*.yml"):
        assert all(f'"{name}"' in read for name in re.findall(r"ATLAS_[A-Z_]+", file.read_text("utf-8"))), file.name
