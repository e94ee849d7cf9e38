"""The command line as a shell sees it: exit codes, streams, JSON, pipes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from freehold import __version__
from freehold.app import main as app
from freehold.app.cli.parser import Context
from freehold.app.main import main


def freehold(*arguments: str, cwd: Path, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    source = str(Path(app.__file__).resolve().parents[2])
    environment = {"PATH": os.environ["PATH"], "HOME": "", "PYTHONPATH": source}
    command = (sys.executable, "-m", "freehold", *arguments)
    return subprocess.run(command, cwd=cwd, env=environment, input=stdin, capture_output=True, text=True, timeout=30)


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"freehold {__version__}\n"


def test_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert main(["nonsense"]) == 2
    assert main(["keys", "create"]) == 2
    assert capsys.readouterr().out == ""


def test_a_command_that_is_missing_or_unknown_is_answered_with_what_there_is(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["keys"]) == 2
    err = capsys.readouterr().err
    assert "make a key and show it" in err
    assert "one of create, list, revoke" in err
    assert main(["kyes"]) == 2
    assert "did you mean `keys`?" in capsys.readouterr().err
    assert main(["keys", "create", "a", "b"]) == 2
    assert "freehold: unrecognized arguments: b" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["bogus"], [], ["keys"], ["keys", "create"], ["check", "--bogus"]])
def test_wrong_usage_is_json_for_machines_too(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--json", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    error = json.loads(err)["error"]
    assert error["code"] == "usage"
    assert error["message"]
    assert error["hint"]


def test_each_problem_of_a_file_is_told_apart_to_machines(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "freehold.toml").write_text("[server]\nlisen = 1\nworkers = 0\n")
    assert main(["check", "--json"]) == 3
    problems = {each["where"]: each for each in json.loads(capsys.readouterr().err)["error"]["problems"]}
    assert set(problems) == {"server.lisen", "server.workers"}
    assert problems["server.lisen"]["hint"] == "did you mean `listen`?"


def test_configuration_errors_are_3_and_one_clear_text(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "freehold.toml").write_text("[server]\nlisen = 1\n")
    assert main(["check"]) == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert "server.lisen: no such setting (did you mean `listen`?)" in err
    assert "what to do:" in err
    assert "Traceback" not in err


def test_errors_are_json_for_machines(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--json"]) == 4
    out, err = capsys.readouterr()
    assert out == ""
    assert json.loads(err)["error"]["code"] == "not_running"


def test_options_stand_before_or_behind_the_command(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "a.toml").write_text("[server]\nworkers = 3\n")
    for arguments in (["--config", "a.toml", "--json", "check"], ["check", "--json", "--config", "a.toml"]):
        assert main(arguments) == 0
        settings = {row["setting"]: row for row in json.loads(capsys.readouterr().out)["settings"]}
        assert settings["server.workers"] == {"setting": "server.workers", "value": 3, "origin": "file"}
        assert settings["server.listen"]["origin"] == "default"


def test_check_never_shows_a_secret(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_KEY", "sk-secret")
    (here / "freehold.toml").write_text(
        '[deployments.a]\nkind = "openai"\nendpoint = "https://example.org/v1"\nmodel = "m"\nkey = { env = "A_KEY" }\n'
    )
    assert main(["check"]) == 0
    out, err = capsys.readouterr()
    assert re.search(r"^deployments\.a\.key +\"env:A_KEY\" +env A_KEY$", out, re.MULTILINE)
    assert "sk-secret" not in out + err


def test_check_shows_what_is_not_as_by_default(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check"]) == 0
    settings = [line.split()[0] for line in capsys.readouterr().out.splitlines()[1:]]
    names = ("all-minilm-l6-v2", "smollm2-135m-instruct")
    assert settings == [f"deployments.{name}.{key}" for name in names for key in ("kind", "model")] + ["store.url"]
    (here / "freehold.toml").write_text("[server]\nworkers = 1\n")
    assert main(["check"]) == 0
    out = capsys.readouterr().out
    assert re.search(r"^server\.workers +1 +file$", out, re.MULTILINE)
    assert "server.listen" not in out
    assert main(["check", "--all"]) == 0
    assert re.search(r'^server\.listen +"127.0.0.1:8080" +default$', capsys.readouterr().out, re.MULTILINE)


def test_check_builds_what_serve_builds(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("cert.pem", "key.pem"):
        (here / name).write_text("not PEM")
    (here / "freehold.toml").write_text('[server]\ntls = { cert = "cert.pem", key = "key.pem" }\n')
    for command in ("check", "serve", "doctor"):
        assert main([command]) == (1 if command == "doctor" else 3)
        out, err = capsys.readouterr()
        assert "server.tls: The certificate" in out + err
        assert "PEM files that belong together" in out + err


def test_doctor_has_a_line_for_each_problem(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "freehold.toml").write_text("[server]\nlisen = 1\nworkers = 0\n")
    assert main(["doctor"]) == 1
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("configuration")]
    assert [line.split()[2] for line in lines] == ["server.lisen:", "server.workers:"]
    assert max(map(len, lines)) < 200


def test_keys_from_making_to_ending(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keys", "create", "ci", "--limit", "requests=5/minute", "--expires", "90d", "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert made["key"].startswith("fh-")
    assert made["limits"] == ["requests=5/minute"]
    assert main(["keys", "list", "--json"]) == 0
    out = capsys.readouterr().out
    assert made["key"] not in out
    assert [key["id"] for key in json.loads(out)] == [made["id"]]
    assert main(["keys", "create", "ci"]) == 1
    assert main(["keys", "revoke", "ci"]) == 0
    assert main(["keys", "revoke", "ci"]) == 1
    capsys.readouterr()
    assert main(["keys", "list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []
    assert (here / ".freehold").stat().st_mode & 0o077 == 0


def test_the_secret_alone_goes_to_stdout(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keys", "create", "ci"]) == 0
    out, err = capsys.readouterr()
    assert re.fullmatch(r"fh-[A-Za-z0-9_-]{43}\n", out)
    assert out.strip() not in err


def test_a_key_is_made_for_routes_that_exist(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keys", "create", "ci", "--route", "smollm2-135m-instrct"]) == 1
    assert "did you mean `smollm2-135m-instruct`?" in capsys.readouterr().err


def test_default_limits_and_their_absence(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "freehold.toml").write_text('[access]\ndefault_limits = ["tokens=1000/day"]\n')
    assert main(["keys", "create", "one", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["limits"] == ["tokens=1000/day"]
    assert main(["keys", "create", "two", "--limit", "requests=1/minute", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["limits"] == ["requests=1/minute"]


def test_teams(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["teams", "create", "red", "--limit", "budget=10.00/month"]) == 0
    assert main(["keys", "create", "ci", "--team", "red"]) == 0
    assert main(["teams", "set", "red", "--limit", "budget=20.00/month", "--disable"]) == 0
    capsys.readouterr()
    assert main(["teams", "list", "--json"]) == 0
    (team,) = json.loads(capsys.readouterr().out)
    assert team["limits"] == ["budget=20.00 USD/month"]
    assert team["disabled"] is not None
    assert main(["teams", "set", "red", "--enable", "--no-limits"]) == 0
    assert main(["teams", "set", "red"]) == 2
    assert main(["teams", "set", "red", "--limit", "foo"]) == 2
    assert main(["teams", "set", "blue", "--enable"]) == 1


def test_a_bug_is_one_line_and_a_traceback_on_demand(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: Context) -> int:
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr("freehold.app.cli.configuration.check", broken)
    assert main(["check"]) == 1
    assert "ZeroDivisionError: by zero" in capsys.readouterr().err
    with pytest.raises(ZeroDivisionError):
        main(["check", "--debug"])


def test_system_errors_say_what_to_do(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: Context) -> int:
        raise OSError(28, "No space left on device", "/srv/freehold.db")

    monkeypatch.setattr("freehold.app.cli.configuration.check", full)
    assert main(["check"]) == 1
    err = capsys.readouterr().err
    assert "/srv/freehold.db: No space left on device" in err
    assert "free some space" in err


def test_an_interrupt_is_130(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: Context) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("freehold.app.cli.configuration.check", interrupted)
    assert main(["check"]) == 130


def shell(script: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a line of bash in which FREEHOLD stands for the command."""
    source = str(Path(app.__file__).resolve().parents[2])
    environment = {"PATH": os.environ["PATH"], "HOME": "", "PYTHONPATH": source}
    command = script.replace("FREEHOLD", f"{sys.executable} -m freehold")
    return subprocess.run(("bash", "-c", command), cwd=cwd, env=environment, capture_output=True, text=True, timeout=30)


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("schema | head -c 10", 0),
        ("schema | true", 0),
        ("check --help | true", 0),
        ("--version | true", 0),
        ("check --config bad.toml 2>&1 | true", 3),
        ("nonsense 2>&1 | true", 2),
        ("check >&- 2>&-", 0),
    ],
)
def test_a_reader_that_went_away_changes_no_exit_code(here: Path, command: str, code: int) -> None:
    (here / "bad.toml").write_text("[server\n")
    done = shell(f"FREEHOLD {command}; exit ${{PIPESTATUS[0]}}", here)
    assert done.stderr == ""
    assert done.returncode == code


def test_a_full_disk_behind_stdout_is_a_failure(here: Path) -> None:
    done = shell("FREEHOLD schema > /dev/full", here)
    assert done.returncode == 1
    assert done.stderr.startswith("freehold: No space left on device")


def test_as_a_module_from_a_strange_folder(here: Path) -> None:
    done = freehold("check", "--json", "--quiet", cwd=here)
    assert done.returncode == 0
    assert done.stderr == ""
    assert json.loads(done.stdout)["file"] is None


def test_a_folder_that_cannot_be_written_to_is_named(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / ".freehold").write_text("")
    assert main(["keys", "list"]) == 3
    assert "is a file, not a folder" in capsys.readouterr().err
