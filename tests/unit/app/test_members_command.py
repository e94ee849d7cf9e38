"""`freehold members`: what is made, shown and ended, where a password comes from, what is on record."""

from __future__ import annotations

import asyncio
import io
import json
import os
import pty
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from freehold import store
from freehold.access import Sessions, members, passwords
from freehold.app.environment import Environment
from freehold.app.load import load
from freehold.app.main import main
from freehold.ledger import Query, entries
from freehold.store import Store

GOOD = "correct horse battery"


def run(here: Path, work: Any) -> Any:
    async def opened() -> Any:
        place = await store.open(load(None, Environment({}), here).store_url)
        try:
            return await work(place)
        finally:
            await place.close()

    return asyncio.run(opened())


def notes(here: Path) -> list[dict[str, Any]]:
    async def work(place: Store) -> list[dict[str, Any]]:
        found = entries(place, Query(kinds=("admin",), order="oldest"))
        return [json.loads(each.entry.note) async for each in found]

    made: list[dict[str, Any]] = run(here, work)
    return made


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    assert main([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Any:
    def feed(text: str) -> None:
        monkeypatch.setattr("sys.stdin", io.StringIO(text))

    return feed


def test_a_member_from_beginning_to_end(here: Path, capsys: pytest.CaptureFixture[str], typed: Any) -> None:
    first = told(capsys, "members", "link")
    assert first["setup"] is True and first["url"].startswith("http://127.0.0.1:8080/#setup=")
    code = here / ".freehold" / "run" / "setup-code"
    assert first["url"].endswith(code.read_text().strip()) and stat.S_IMODE(code.stat().st_mode) == 0o600
    assert told(capsys, "members", "link") == first, "the same as long as it is good"
    typed(GOOD + "\n")
    olga = told(capsys, "members", "create", "Olga@Example.org", "--role", "owner", "--display", "Olga")
    assert olga["name"] == "olga@example.org" and olga["has_password"] and olga["link"] is None
    assert not code.exists()
    assert told(capsys, "members", "link") == {"url": "http://127.0.0.1:8080/", "setup": False}
    ann = told(capsys, "members", "create", "ann", "--link")
    assert ann["link"].startswith("http://127.0.0.1:8080/#invite=fi-") and ann["role"] == "member"
    again = told(capsys, "members", "link", "ann")["url"]
    assert again != ann["link"]
    assert told(capsys, "members", "role", "ann", "admin")["role"] == "admin"
    run(here, lambda place: _session(place, "ann"))
    (session,) = told(capsys, "members", "sessions")
    assert session["member"] == "ann" and session["kind"] == "browser"
    assert told(capsys, "members", "revoke", session["id"]) == {"ended": 1}
    run(here, lambda place: _session(place, "ann"))
    assert told(capsys, "members", "disable", "ann")["disabled"]
    assert told(capsys, "members", "sessions", "ann") == []
    assert told(capsys, "members", "enable", "ann")["disabled"] is None
    typed("another horse, another battery\n")
    assert told(capsys, "members", "password", "ann")["ended"] == 0
    kept = run(here, lambda place: members.with_password(place, "ann"))[1]
    assert passwords.fits("another horse, another battery", kept) and not passwords.fits(GOOD, kept)
    assert [row["name"] for row in told(capsys, "members", "list")] == ["olga@example.org", "ann"]
    acts = notes(here)
    assert [each["act"] for each in acts] == [
        "member.create", "member.create", "invitation.create", "member.role", "session.revoke", "member.disable",
        "member.enable", "password.reset",
    ]  # fmt: skip
    assert {each["by"] for each in acts} == {"command line"}
    assert "horse" not in str(acts)


async def _session(place: Store, name: str) -> None:
    await Sessions(place, 10**15).begin(await members.find(place, name), name="Firefox, Linux")


def test_people_read_a_table(here: Path, capsys: pytest.CaptureFixture[str], typed: Any) -> None:
    assert main(["members", "list"]) == 0
    assert "members link" in capsys.readouterr().err
    typed(GOOD)
    assert main(["members", "create", "olga", "--role", "owner"]) == 0
    assert "olga" in capsys.readouterr().out
    assert main(["members", "list"]) == 0
    head, line = capsys.readouterr().out.splitlines()
    assert head.split()[:3] == ["name", "display", "role"] and "owner" in line and "never" in line
    run(here, lambda place: _session(place, "olga"))
    assert main(["members", "sessions"]) == 0
    assert "Firefox, Linux" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "stdin", "code", "says"),
    [
        (("create", "no spaces"), "", 2, "cannot be a name"),
        (("create", "ann", "--role", "king"), "", 2, "invalid choice"),
        (("create", "ann"), "", 2, "no password was given"),
        (("create", "ann"), "short\n", 1, "fewer than 12"),
        (("create", "ann", "--link"), "", 1, "owner"),
        (("create", "ann", "--link", "--team", "nobody", "--role", "owner"), "", 1, "nobody"),
        (("role", "nobody", "admin"), "", 1, "nobody"),
        (("disable", "nobody"), "", 1, "nobody"),
        (("password", "nobody"), GOOD, 1, "nobody"),
        (("revoke", "ses_unknown"), "", 1, "no such session"),
        (("link", "nobody"), "", 1, "nobody"),
        (("sessions", "nobody"), "", 1, "nobody"),
    ],
)
def test_what_cannot_be_is_said(
    here: Path, capsys: pytest.CaptureFixture[str], typed: Any, arguments: tuple[str, ...], stdin: str, code: int,
    says: str,
) -> None:  # fmt: skip
    typed(stdin)
    assert main(["members", *arguments]) == code
    assert says in capsys.readouterr().err


def test_the_last_owner_stays(here: Path, capsys: pytest.CaptureFixture[str], typed: Any) -> None:
    typed(GOOD)
    assert main(["members", "create", "olga", "--role", "owner"]) == 0
    for arguments in (("role", "olga", "member"), ("disable", "olga")):
        assert main(["members", *arguments]) == 1
        assert "last owner" in capsys.readouterr().err


def test_at_a_terminal_the_password_is_typed_twice_and_not_seen(here: Path) -> None:
    for second, status in ((GOOD, 0), ("something else entirely", 2)):
        parent, child = pty.openpty()
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TERM": "dumb"}
        name = f"olga{status}"
        with subprocess.Popen(
            [sys.executable, "-m", "freehold", "members", "create", name, "--role", "owner"],
            stdin=child, stdout=child, stderr=child, env=environment, cwd=here, start_new_session=True,
        ) as process:  # fmt: skip
            os.close(child)
            shown = _until(parent, b"Password:")
            os.write(parent, GOOD.encode() + b"\n")
            shown += _until(parent, b"Once more:")
            os.write(parent, second.encode() + b"\n")
            shown += _until(parent, None)
            assert process.wait(60) == status, shown
        os.close(parent)
        assert b"horse" not in shown


def _until(terminal: int, sign: bytes | None) -> bytes:
    """Read what is shown, up to `sign` or the end."""
    shown = b""
    while sign is None or sign not in shown:
        try:
            piece = os.read(terminal, 4096)
        except OSError:
            break
        if not piece:
            break
        shown += piece
    return shown
