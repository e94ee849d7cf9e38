"""The scripts behind `make`: what they say when something is missing, and that they leave nothing half done."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what the scripts look at."""
    for name in ("scripts", "requirements", "web"):
        ignore = shutil.ignore_patterns("node_modules")
        shutil.copytree(ROOT / name, tmp_path / name, ignore=ignore)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def run(checkout: Path, *command: str, **values: str) -> subprocess.CompletedProcess[str]:
    tools = checkout / "tools"
    tools.mkdir(exist_ok=True)
    for name in ("sh", "cat", "cksum", "basename", "dirname", "mkdir", "rm", "env", "id"):
        found = shutil.which(name)
        if found is not None and not (tools / name).exists():
            (tools / name).symlink_to(found)
    environment = {"PATH": str(tools), "HOME": "", **values}
    return subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True, timeout=60)


def program(checkout: Path, name: str, text: str) -> None:
    path = checkout / "tools" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def test_python_too_old(checkout: Path) -> None:
    old = 'case "$1" in --version) echo Python 3.9.2;; *) exit 1;; esac'
    program(checkout, "python3", old)
    done = run(checkout, "sh", "scripts/install.sh", ".venv", "requirements/base.txt")
    assert done.returncode == 1
    assert "no Python 3.11 or newer found (Python 3.9.2)" in done.stderr
    assert "what to do: install Python 3.11+" in done.stderr
    assert not (checkout / ".venv").exists()


def test_a_venv_that_fails_leaves_nothing(checkout: Path) -> None:
    program(checkout, "python3", 'case "$*" in *venv*) mkdir -p .venv/bin; exit 1;; *) exit 0;; esac')
    done = run(checkout, "sh", "scripts/install.sh", ".venv", "requirements/base.txt")
    assert done.returncode == 1
    assert "python3-venv" in done.stderr
    assert not (checkout / ".venv").exists()


def fake_python(checkout: Path, pip: str) -> None:
    """A Python whose venv works and whose pip does as `pip` says."""
    inner = f'case "$*" in *require-hashes*) {pip};; esac; exit 0'
    make = f"mkdir -p .venv/bin; printf '#!/bin/sh\\n%s\\n' '{inner}' > .venv/bin/python; chmod +x .venv/bin/python"
    program(checkout, "python3", f'case "$*" in *venv*) {make};; esac; exit 0')
    for name in ("chmod", "printf"):
        link = checkout / "tools" / name
        if not link.exists():
            link.symlink_to(str(shutil.which(name)))


def test_no_network_is_said_and_not_stamped(checkout: Path) -> None:
    fake_python(checkout, "echo WARNING: Retrying >&2; echo no network >&2; exit 1")
    done = run(checkout, "sh", "scripts/install.sh", ".venv", "requirements/base.txt")
    assert done.returncode == 1
    assert "no network\n" in done.stderr
    assert "WARNING" not in done.stderr
    assert "run it again" in done.stderr
    assert "WARNING: Retrying" in (checkout / ".venv/pip.log").read_text()
    assert not (checkout / ".venv/.stamp-base").exists()


def test_a_second_run_does_nothing(checkout: Path) -> None:
    fake_python(checkout, "echo ran >> ran")
    first = run(checkout, "sh", "scripts/install.sh", ".venv", "requirements/base.txt")
    assert first.returncode == 0, first.stderr
    second = run(checkout, "sh", "scripts/install.sh", ".venv", "requirements/base.txt")
    assert (second.returncode, second.stdout, second.stderr) == (0, "", "")
    assert (checkout / "ran").read_text() == "ran\n"
    (checkout / "requirements/base.txt").write_text("# changed\n")
    assert run(checkout, "sh", "scripts/install.sh", ".venv", "requirements/base.txt").returncode == 0
    assert (checkout / "ran").read_text() == "ran\nran\n"


def test_npm_missing(checkout: Path) -> None:
    done = run(checkout, "sh", "scripts/browser.sh")
    assert done.returncode == 1
    assert "npm is not installed" in done.stderr


def test_continuous_integration_runs_all_tests() -> None:
    path = ROOT / ".ci" / "run"
    assert os.access(path, os.X_OK)
    assert "exec make test" in path.read_text()
