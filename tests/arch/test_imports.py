"""What may import what, and that what starts often starts light. Its cost in CPU: bench/startup.py."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
HEAVY = ("sqlite3", "asyncpg", "xllamacpp", "pydantic", "httpx", "openai", "starlette", "numpy", "huggingface_hub")
FOR_CALLS = ("asyncio", "httptools", "msgspec", "ssl", "uvloop", "freehold.gateway", "freehold.ledger")


def loaded(statement: str) -> set[str]:
    """Return the modules that a fresh interpreter has after `statement`."""
    program = f"import sys, json\n{statement}\nprint(json.dumps(sorted(sys.modules)), file=sys.stderr)"
    done = subprocess.run((sys.executable, "-c", program), check=True, capture_output=True, cwd=ROOT, text=True)
    return set(json.loads(done.stderr.splitlines()[-1]))


def test_rooms_import_one_way() -> None:
    """In a process of its own: the linter sets up logging, which silences the loggers that other tests listen to."""
    program = (
        "from importlinter.cli import lint_imports\nraise SystemExit(lint_imports('pyproject.toml', no_cache=True))"
    )
    done = subprocess.run((sys.executable, "-c", program), capture_output=True, cwd=ROOT, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_door_imports_no_heavy_module() -> None:
    assert sorted(loaded("import freehold.gateway.door").intersection(HEAVY)) == []


def test_the_version_is_told_without_loading_what_calls_need() -> None:
    modules = loaded("from freehold.app.main import main\nassert main(['--version']) == 0")
    assert "freehold" in modules
    assert sorted(modules.intersection(HEAVY + FOR_CALLS)) == []


def test_help_loads_nothing_heavy() -> None:
    modules = loaded("from freehold.app.main import main\nassert main(['--help']) == 0")
    assert sorted(modules.intersection({*HEAVY, "uvloop", "httptools", "freehold.gateway", "freehold.ledger"})) == []
