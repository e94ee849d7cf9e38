"""The shape of the tree: sizes, names, hosts, paths, one door to the environment."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
SOURCE = ROOT / "src" / "freehold"
FILES = sorted(path for path in SOURCE.rglob("*.py"))
CODE = sorted(p for folder in ("src", "tests", "scripts", "bench") for p in (ROOT / folder).rglob("*.py"))
TEXT = (".py", ".md", ".toml", ".txt", ".in", ".json", ".sh", ".js", ".mjs", ".css", ".html", ".yml", ".yaml", "")


def tracked() -> list[Path]:
    """Return the files that git knows of, or that it would add."""
    command = ("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout.decode().split("\0")
    return [ROOT / name for name in listed if name and (ROOT / name).is_file()]


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_no_file_is_long(path: Path) -> None:
    assert len(path.read_text("utf-8").splitlines()) <= 500


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_no_function_is_long_and_every_module_says_what_it_knows(path: Path) -> None:
    tree = ast.parse(path.read_text("utf-8"))
    assert ast.get_docstring(tree), "a module opens with what it knows and what it refuses to know"
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            assert length <= 60, f"{node.name} has {length} lines"


def test_no_drawers() -> None:
    drawers = {"utils", "util", "helpers", "helper", "common", "misc"}
    found = [name_of(path) for path in CODE if drawers & {path.stem, *path.relative_to(ROOT).parts}]
    assert found == []


def test_rooms_are_at_most_two_deep() -> None:
    deep = [name_of(path) for path in FILES if len(path.relative_to(SOURCE).parts) > 3]
    assert deep == []


def test_the_environment_is_read_in_one_file() -> None:
    found = []
    for path in FILES:
        if path == SOURCE / "app" / "environment.py":
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv", "environb"):
                found.append(f"{name_of(path)}:{node.lineno}")
    assert found == []


def test_nothing_happens_at_import() -> None:
    """No module opens, runs or connects to anything while it is imported."""
    acts = {"open", "run", "Popen", "connect", "socket", "urlopen", "read_text", "read_bytes", "mkdir", "getaddrinfo"}
    found = []
    for path in FILES:
        for statement in ast.parse(path.read_text("utf-8")).body:
            if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.If)):
                continue
            for node in ast.walk(statement):
                if isinstance(node, ast.Call):
                    called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                    if called in acts:
                        found.append(f"{name_of(path)}:{node.lineno} {called}")
    assert found == []


@pytest.mark.parametrize("path", sorted((ROOT / "requirements").glob("*.txt")), ids=name_of)
def test_lock_files_hold_exact_versions_and_hashes_and_no_host(path: Path) -> None:
    text = path.read_text("utf-8")
    assert "://" not in text
    assert not re.search(r"^\s*--(?!hash)", text, re.MULTILINE), "no index and no other option"
    for entry in re.split(r"\n(?=[A-Za-z0-9])", text):
        if re.match(r"[A-Za-z0-9]", entry):
            first = entry.split("\n", 1)[0]
            assert re.match(r"[A-Za-z0-9._-]+(\[[^]]+\])?==\S+ ", first), first
            assert "--hash=sha256:" in entry, first


@pytest.mark.parametrize(
    "path", [ROOT / f"{folder}/package-lock.json" for folder in ("web", "tests/node", "tests/node/oidc")], ids=name_of
)
def test_node_lock_files_hold_integrity_and_no_registry(path: Path) -> None:
    import json

    packages = json.loads(path.read_text("utf-8"))["packages"]
    for name, package in packages.items():
        assert "resolved" not in package, name
        assert not name or package["integrity"].startswith("sha512-"), name


def test_base_install_is_small() -> None:
    """At most twelve distributions beyond the interpreter, the extras not counted."""
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    locked = set(re.findall(r"^([A-Za-z0-9._-]+)==", (ROOT / "requirements/base.txt").read_text("utf-8"), re.MULTILINE))
    wanted = {re.split(r"[<>=\[ ]", each)[0] for each in project["dependencies"]}
    assert wanted <= locked
    assert len(wanted) <= 12


def test_no_path_of_a_machine_stands_in_the_tree() -> None:
    # Put together here, so that this file does not find itself
    paths = [f"/{folder}/" for folder in ("root", "work", "home")] + ["/tmp" + "/lab"]
    pattern = re.compile(r"(?<![\w./~}-])(" + "|".join(map(re.escape, paths)) + r")(?!user|you\b)")
    found = []
    for path in tracked():
        if path.suffix in TEXT and path.name != "LICENSE":
            for number, line in enumerate(path.read_text("utf-8", errors="replace").splitlines(), 1):
                if pattern.search(line):
                    found.append(f"{name_of(path)}:{number}: {line.strip()[:100]}")
    assert found == []


def test_no_generated_file_is_tracked() -> None:
    command = ("git", "ls-files", "-z", "--cached", "--ignored", "--exclude-standard")
    assert subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout == b""
