"""`[tools.NAME]`: what may stand there, what is said of the rest, and what the tools are handed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from freehold.app.config import Problems
from freehold.app.environment import Environment
from freehold.app.load import effective, load
from freehold.app.settings import Config
from freehold.app.tooling import servers

ROOT = Path(__file__).resolve().parent.parent.parent.parent


def loaded(tmp_path: Path, text: str, **values: str) -> Config:
    (tmp_path / "freehold.toml").write_text(text)
    return load(None, Environment({"PATH": "/usr/bin", **values}), tmp_path)


def problems(tmp_path: Path, text: str) -> dict[str, str]:
    with pytest.raises(Problems) as caught:
        loaded(tmp_path, text)
    found: dict[str, str] = {}
    for problem in caught.value.problems:
        found[problem.where] = f"{found.get(problem.where, '')} {problem.message}"
    return found


def test_the_sample_of_the_guide(tmp_path: Path) -> None:
    sample = re.search(r"```toml\n(.*?)```", (ROOT / "docs/guides/tools.md").read_text("utf-8"), re.DOTALL)
    assert sample is not None
    config = loaded(tmp_path, sample[1], WIKI_TOKEN="Bearer sk-1")
    wiki, time = servers(config)
    assert (wiki.name, wiki.kind, wiki.url) == ("wiki", "http", "https://wiki.example.org/mcp")
    assert wiki.headers == {"authorization": "Bearer sk-1"}
    assert (wiki.allow, wiki.teams, wiki.timeout) == ("ask", ("research",), 60.0)
    assert time.command == ("uvx", "mcp-server-time")
    assert time.env == {"PATH": "/usr/bin", "HOME": "/var/lib/tools"}
    assert (time.allow, time.configured("set_clock"), time.configured("tell")) == ("always", "never", "always")
    assert (time.timeout, time.cwd) == (30.0, str(tmp_path))
    told = effective(config)
    assert told["tools.wiki.headers.authorization"] == "env:WIKI_TOKEN"
    assert told["tools.time.env.HOME"] == "/var/lib/tools"
    assert "sk-1" not in str(told)


def test_a_path_of_ones_own_goes_before_ours(tmp_path: Path) -> None:
    text = '[tools.a]\nkind = "stdio"\ncommand = ["x"]\nenv = { PATH = "/opt" }\n'
    assert servers(loaded(tmp_path, text))[0].env == {"PATH": "/opt"}


@pytest.mark.parametrize(
    ("text", "where", "message"),
    [
        ('[tools.a]\nkind = "http"', "tools.a.url", "is missing"),
        ('[tools.a]\nkind = "http"\nurl = "ftp://x"', "tools.a.url", "is no URL"),
        ('[tools.a]\nkind = "http"\nurl = "http://u:p@x/"', "tools.a.url", "user name"),
        ('[tools.a]\nkind = "http"\nurl = "http://x/"\ncommand = ["y"]', "tools.a.command", "no such setting"),
        ('[tools.a]\nkind = "stdio"', "tools.a.command", "is missing"),
        ('[tools.a]\nkind = "stdio"\ncommand = ["x"]\nurl = "http://x"', "tools.a.url", "no such setting"),
        ('[tools.a]\nkind = "stdio"\ncommand = "x y"', "tools.a.command", "must be a list"),
        ('[tools.a]\nkind = "stdio"\ncommand = ["x"]\ncwd = "nowhere"', "tools.a.cwd", "is no folder"),
        ('[tools.a]\nkind = "stdio"\ncommand = ["x"]\nenv = { "A=B" = "c" }', "tools.a", "cannot be handed"),
        ('[tools.a]\nkind = "pigeon"', "tools.a.kind", "is none of"),
        ('[tools.memory]\nkind = "stdio"\ncommand = ["x"]', "tools.memory", "our own"),
        ('[tools."a b"]\nkind = "stdio"\ncommand = ["x"]', 'tools."a b"', "cannot be the name"),
        ('[tools.a]\nkind = "stdio"\ncommand = ["x"]\nallow = "maybe"', "tools.a.allow", "is none of"),
        ('[tools.a]\nkind = "stdio"\ncommand = ["x"]\ntools = { t = "maybe" }', "tools.a.tools.t", "is none of"),
        ('[tools.a]\nkind = "stdio"\ncommand = ["x"]\nroles = ["king"]', "tools.a.roles[0]", "is none of"),
        ('[tools.a]\nkind = "stdio"\ncommand = ["x"]\ntimeout = 0', "tools.a.timeout", ">"),
        (
            '[tools.a]\nkind = "http"\nurl = "http://x"\nheaders = { a = { env = "GONE" } }',
            "tools.a.headers.a",
            "not set",
        ),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, text: str, where: str, message: str) -> None:
    found = problems(tmp_path, text)
    assert where in found, found
    assert message in found[where]
