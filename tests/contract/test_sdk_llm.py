"""The `llm` command, unchanged, with the door in its extra-openai-models.yaml."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.contract.doors import Door


@pytest.fixture
def folder(door: Door, tmp_path: Path) -> Path:
    (tmp_path / "extra-openai-models.yaml").write_text(
        f"- model_id: house\n  model_name: {door.model}\n  api_base: {door.v1}\n  api_key_name: house\n"
        "  supports_schema: true\n  supports_tools: true\n"
        f"- model_id: house-text\n  model_name: {door.model}\n  api_base: {door.v1}\n  api_key_name: house\n"
        "  completion: true\n"
    )
    (tmp_path / "keys.json").write_text(json.dumps({"house": door.key}))
    return tmp_path


def llm(folder: Path, *words: str) -> str:
    env = {"PATH": os.environ["PATH"], "HOME": str(folder), "LLM_USER_PATH": str(folder)}
    done = subprocess.run([sys.executable, "-m", "llm", *words], env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.rstrip("\n")


def test_streamed_and_whole(folder: Path) -> None:
    assert llm(folder, "-m", "house", "hello house") == "You said: hello house"
    assert llm(folder, "-m", "house", "--no-stream", "hello house") == "You said: hello house"


def test_system_prompt_and_options(folder: Path, door: Door) -> None:
    said = llm(
        folder, "-m", "house", "-s", "be brief", "-o", "temperature", "0.2", "-o", "max_tokens", "3", "hello you all"
    )
    assert said.strip() == "You said: hello"
    assert door.vendor is not None
    assert door.vendor.seen[-1].json()["messages"][0] == {"role": "system", "content": "be brief"}


def test_schema(folder: Path) -> None:
    made = json.loads(llm(folder, "-m", "house", "--schema", "name, age int", "somebody"))
    assert made == {"name": "somebody", "age": 7}


def test_tool(folder: Path) -> None:
    code = "def llm_double(x: int) -> int:\n    'Doubles x'\n    return x * 2\n"
    said = llm(folder, "-m", "house", "--functions", code, "--td", "--chain-limit", "2", "--no-stream", "plain words")
    assert "You said: plain words" in said


def test_completion_model(folder: Path) -> None:
    assert llm(folder, "-m", "house-text", "once").strip() == "You said: once"
