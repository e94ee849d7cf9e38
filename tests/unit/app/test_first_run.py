"""What `up` prepares and prints: folders for one user, one key that is shown, first calls that work as pasted."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.unit.app.door import KEY

from freehold import access, store
from freehold.app import first_run
from freehold.app.environment import Environment
from freehold.app.first_run import Welcome
from freehold.app.load import load
from freehold.app.settings import Config
from freehold.core.errors import ConfigError

Opened = tuple[str, list[dict[str, Any]]]


@pytest.fixture
def config(here: Path) -> Config:
    return load(None, Environment({}), here)


def pasted(command: tuple[str, ...], script: str, **values: str) -> str:
    environment = {"PATH": os.environ["PATH"], **values}
    done = subprocess.run(command, input=script, env=environment, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    return done.stdout


def parts(text: str) -> tuple[str, str]:
    """Return the curl line and the Python snippet of the printed lines."""
    lines = text.splitlines()
    (curl,) = [line for line in lines if line.startswith("curl")]
    start = next(index for index, line in enumerate(lines) if line.startswith("import"))
    return curl, "\n".join(lines[start:]) + "\n"


def test_the_first_calls_work_as_pasted(door: Opened) -> None:
    url, calls = door
    curl, python = parts(first_run.text(Welcome(url, "smollm2-135m-instruct", KEY, "key_1")))
    assert "whole: Say hello." in pasted(("bash",), curl)
    assert pasted((sys.executable, "-"), python) == "whole: Say hello.\n"
    assert [call["model"] for call in calls] == ["smollm2-135m-instruct"] * 2


def test_the_first_calls_of_a_second_run_take_the_key_from_the_environment(door: Opened) -> None:
    text = first_run.text(Welcome(door[0], "smollm2-135m-instruct"))
    assert "FREEHOLD_KEY" in text
    curl, python = parts(text)
    assert "whole: Say hello." in pasted(("bash",), curl, FREEHOLD_KEY=KEY)
    assert pasted((sys.executable, "-"), python, FREEHOLD_KEY=KEY) == "whole: Say hello.\n"


def test_with_a_certificate_of_ones_own_the_calls_say_so() -> None:
    text = first_run.text(Welcome("https://127.0.0.1:8443", "m", KEY), Path("/srv/my cert.pem"))
    curl, python = parts(text)
    assert "--cacert '/srv/my cert.pem'" in curl
    compile(python, "snippet", "exec")
    assert "cafile='/srv/my cert.pem'" in python


async def test_the_first_key_is_made_once_and_recorded(config: Config) -> None:
    first_run.folders(config)
    welcome = await first_run.greet(config)
    assert welcome.key is not None
    assert welcome.model == "smollm2-135m-instruct"
    assert (await first_run.greet(config)).key is None
    opened = await store.open(config.store_url)
    try:
        (key,) = await access.list_keys(opened)
        assert (key.name, key.id) == ("first", welcome.key_id)
        assert (await opened.fetch("SELECT COUNT(*) FROM entry"))[0][0] == 1
        await access.revoke(opened, "first")
    finally:
        await opened.close()
    assert (await first_run.greet(config)).key is not None


def test_folders_are_for_this_user_alone(config: Config) -> None:
    config.data.mkdir(mode=0o755)
    first_run.folders(config)
    for folder in (config.data, config.run):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_folder_that_is_a_file(config: Config) -> None:
    config.data.touch()
    with pytest.raises(ConfigError, match="is a file"):
        first_run.folders(config)


@pytest.mark.parametrize(
    ("address", "url"),
    [
        (("127.0.0.1", 8080), "http://127.0.0.1:8080"),
        (("0.0.0.0", 80), "http://127.0.0.1:80"),
        (("::", 80), "http://[::1]:80"),
        (("192.0.2.7", 443), "http://192.0.2.7:443"),
    ],
)
def test_the_address_that_is_shown_can_be_reached(config: Config, address: tuple[str, int], url: str) -> None:
    import msgspec

    assert first_run.base_url(msgspec.structs.replace(config, address=address)) == url


def test_the_example_asks_a_model_that_chats(here: Path) -> None:
    (here / "freehold.toml").write_text(
        '[deployments.e]\nkind = "llamacpp"\nmodel = "all-minilm-l6-v2"\n'
        '[deployments.v]\nkind = "openai"\nendpoint = "https://example.org/v1"\nmodel = "*"\n'
    )
    assert first_run.chat_model(load(None, Environment({}), here)) is None
    assert "curl" not in first_run.text(Welcome("http://127.0.0.1:1", None, KEY))
