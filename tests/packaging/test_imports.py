"""What an import may load, and that what is imported is declared."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
from functools import cache
from importlib.metadata import entry_points, packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OURS = {"atlas_client", "atlas_core", "service", "workers"}
HEAVY = {"numba", "onnxruntime", "pynndescent", "sklearn", "torch", "torchvision", "umap"}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@cache
def _loaded_by(module: str) -> frozenset[str]:
    """Top-level names in sys.modules after importing one module in a process of its own."""
    program = f"import json, sys, {module}; print(json.dumps(sorted({{name.split('.')[0] for name in sys.modules}})))"
    command = [sys.executable, "-P", "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return frozenset(json.loads(done.stdout.splitlines()[-1]))


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", re.split(r"[\[<>=!~; ]", name)[0]).lower()


def _declared(*extras: str) -> set[str]:
    optional = PROJECT["optional-dependencies"]
    requirements = [*PROJECT["dependencies"], *(line for extra in extras for line in optional[extra])]
    return {_normal(line) for line in requirements}


def _third_parties(package: str) -> set[str]:
    """Top-level names that a package's files import, at any depth, from neither the standard library nor us."""
    names = set()
    for path in (ROOT / package).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module is not None and node.level == 0:
                names.add(node.module.split(".")[0])
    return names - OURS - set(sys.stdlib_module_names)


@pytest.mark.parametrize("module", ["service.main", "service.commands", "atlas_core.commands"])
def test_the_service_and_the_commands_load_nothing_heavy(module: str) -> None:
    assert _loaded_by(module) & HEAVY == set()


def test_the_workers_application_leaves_torch_to_the_child() -> None:
    assert _loaded_by("workers.app") & {"torch", "torchvision", "umap", "fastapi", "service"} == set()


def test_the_client_loads_only_what_the_bare_install_brings() -> None:
    loaded = _loaded_by("atlas_client.cli")
    assert (
        loaded & (HEAVY | {"celery", "fastapi", "mcp", "obstore", "redis", "uvicorn", "atlas_core", "service"}) == set()
    )


@pytest.mark.parametrize(
    ("package", "extras"),
    [
        ("atlas_client", ("mcp",)),
        ("service", ("service",)),
        ("workers", ("method", "worker")),
        ("atlas_core", ("method", "worker")),
    ],
)
def test_every_import_is_declared(package: str, extras: tuple[str, ...]) -> None:
    distributions = packages_distributions()
    declared = _declared(*extras)
    undeclared = {
        name
        for name in _third_parties(package)
        if not {_normal(distribution) for distribution in distributions.get(name, [name])} & declared
    }
    assert undeclared == set()


def test_the_service_needs_of_the_core_only_what_it_declares() -> None:
    """Every third party that importing the service loads through us comes with [service]."""
    for name in _third_parties("atlas_core") & _loaded_by("service.main"):
        distributions = {_normal(distribution) for distribution in packages_distributions()[name]}
        assert distributions & _declared("service"), name


def test_the_two_runtimes_of_onnx_are_never_in_one_extra() -> None:
    for extra in ("worker", "worker-gpu", "method", "service"):
        assert not {"onnxruntime", "onnxruntime-gpu"} <= _declared(extra)
    assert "onnxruntime-gpu" in _declared("worker-gpu")


def test_entry_points_are_there() -> None:
    (script,) = entry_points(group="console_scripts", name="atlas")
    assert callable(script.load())
    commands = {point.name: point for point in entry_points(group="atlas.commands")}
    assert {"core", "service"} <= set(commands)
    assert all(callable(commands[name].load()) for name in ("core", "service"))
