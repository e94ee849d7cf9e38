"""The official `openai` package for Node, unchanged: runs tests/node against the door."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.contract.doors import API_VERSION, Door

FOLDER = Path(__file__).resolve().parent.parent / "node"


@pytest.fixture(scope="module")
def installed() -> Path:
    """The folder with its packages, installed from the lock file once."""
    if not (FOLDER / "node_modules" / "openai" / "package.json").exists():
        done = subprocess.run(
            ["npm", "ci", "--no-audit", "--no-fund"], cwd=FOLDER, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stderr
    return FOLDER


def test_node(door: Door, installed: Path) -> None:
    env = {
        "PATH": os.environ["PATH"],
        "FREEHOLD_URL": door.url,
        "FREEHOLD_KEY": door.key,
        "FREEHOLD_MODEL": door.model,
        "FREEHOLD_API_VERSION": API_VERSION,
    }
    done = subprocess.run(["npm", "test"], cwd=installed, env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "pass 9" in done.stdout, done.stdout
