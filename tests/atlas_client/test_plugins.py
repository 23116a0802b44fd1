from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import EntryPoint
from typing import TYPE_CHECKING

import pytest

from atlas_client import plugins
from atlas_client.cli import run

if TYPE_CHECKING:
    import typer


def _install(monkeypatch: pytest.MonkeyPatch, *entries: EntryPoint) -> None:
    monkeypatch.setattr(plugins, "entry_points", lambda group: list(entries) if group == "atlas.commands" else [])


@pytest.mark.parametrize(
    ("arguments", "extra"),
    [
        (["build", "--model", "m.json"], "worker"),
        (["open", "--help"], "worker"),
        (["up"], "service"),
        (["demo", "--no-serve"], "service"),
    ],
)
def test_a_missing_extra_is_named_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], extra: str
) -> None:
    _install(monkeypatch)
    assert run(arguments) == 2
    command = f"atlas {arguments[0]}"
    expected = f"atlas: error: `{command}` needs the extra `{extra}`: pip install 'activation-atlas[{extra}]'\n"
    assert capsys.readouterr().err == expected


def test_projecting_on_a_folder_needs_the_worker(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], corners: object
) -> None:
    _install(monkeypatch)
    assert run(["project", str(corners), "x.png"]) == 2
    assert "needs the extra `worker`" in capsys.readouterr().err


def _registers(command: Callable[[], None]) -> EntryPoint:
    """An entry point whose register adds one command named build."""

    class Entry(EntryPoint):
        def load(self) -> Callable[[typer.Typer], None]:
            def register(app: typer.Typer) -> None:
                app.command("build")(command)

            return register

    return Entry("core", "atlas_core.commands:register", "atlas.commands")


def test_what_is_installed_registers_its_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    ran = []
    _install(monkeypatch, _registers(lambda: ran.append("build")))
    assert run(["build"]) == 0
    assert ran == ["build"]


def test_a_library_that_is_missing_only_when_it_is_needed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def build() -> None:
        raise ModuleNotFoundError("No module named 'torch'", name="torch")

    _install(monkeypatch, _registers(build))
    assert run(["build"]) == 2
    assert "needs the extra `worker`" in capsys.readouterr().err


def test_a_mistake_of_ours_is_not_taken_for_a_missing_extra(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def build() -> None:
        raise ModuleNotFoundError("No module named 'atlas_core.stagse'", name="atlas_core.stagse")

    _install(monkeypatch, _registers(build))
    assert run(["build"]) == 2
    assert "failed unexpectedly (ModuleNotFoundError)" in capsys.readouterr().err


def test_the_client_loads_nothing_of_the_others() -> None:
    code = (
        "import sys, atlas_client.atlas, atlas_client.cli;"
        "print(sorted({'torch', 'umap', 'atlas_core', 'service', 'workers'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[]\n", "")
