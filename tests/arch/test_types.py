"""The page's types: every script of ours passes TypeScript's compiler, strict, as the JavaScript that it is."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
COMPILER = ROOT / "web" / "node_modules" / ".bin" / "tsc"
STATIC = ROOT / "src" / "freehold" / "console" / "static"


def test_the_page_has_no_fault_of_types() -> None:
    if not COMPILER.is_file():
        pytest.fail("TypeScript is not installed: run scripts/test-needs.sh", pytrace=False)
    command = (str(COMPILER), "-p", str(ROOT / "web" / "tsconfig.json"), "--pretty", "false")
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout[:4000] + done.stderr[:1000]


def test_no_script_opts_out() -> None:
    words = ("@ts-nocheck", "@ts-ignore")
    found = [path.name for path in STATIC.rglob("*.js") for word in words if word in path.read_text("utf-8")]
    assert found == []
