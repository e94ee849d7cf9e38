"""What may import what, and what an import costs. CPU seconds of a fresh interpreter, so that load does not matter."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
BANNED = ("sqlite3", "asyncpg", "xllamacpp", "pydantic", "httpx", "openai", "starlette", "numpy", "huggingface_hub")
PROBE = """
import json, resource, sys
def cpu():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
import freehold.gateway.door
print(json.dumps({"cpu": cpu(), "modules": sorted(sys.modules)}))
"""


def cpu_of(*command: str, tries: int = 3) -> float:
    """Return the least CPU seconds that the command took, over a few tries."""
    least = float("inf")
    for _ in range(tries):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, check=True, capture_output=True, cwd=ROOT)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        least = min(least, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return least


def test_rooms_import_one_way() -> None:
    from importlinter.cli import lint_imports

    assert lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True) == 0


def test_version_is_cheap() -> None:
    assert cpu_of(sys.executable, "-m", "freehold", "--version") < 0.100


def test_the_door_imports_fast_and_light() -> None:
    answers = []
    for _ in range(3):
        done = subprocess.run((sys.executable, "-c", PROBE), check=True, capture_output=True, cwd=ROOT)
        answers.append(json.loads(done.stdout))
    assert min(answer["cpu"] for answer in answers) < 0.300
    assert [name for name in BANNED if name in answers[0]["modules"]] == []


def test_help_is_cheap() -> None:
    assert cpu_of(sys.executable, "-m", "freehold", "--help") < 0.250
