"""The reader of tables: what it takes, what it refuses, how much it says at once."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.app.config import Problems, Reader, Secret, find, join, parse, quantity, suggest
from freehold.app.environment import Environment
from freehold.app.settings import Deployment, DoorLimits, Engines, File, Route, Server, Timeouts
from freehold.core.errors import ConfigError


def reader(tmp_path: Path, **values: str) -> Reader:
    return Reader(tmp_path, Environment(values))


def problems_of(tmp_path: Path, shape: type[msgspec.Struct], raw: Any, where: str = "t") -> dict[str, str]:
    found = reader(tmp_path)
    found.table(shape, raw, where)
    return {problem.where: f"{problem.message} | {problem.hint}" for problem in found.problems}


def test_defaults_stand_where_nothing_is_said(tmp_path: Path) -> None:
    assert reader(tmp_path).table(File, {}, "") == File()


def test_an_unknown_name_is_an_error_that_suggests_the_nearest(tmp_path: Path) -> None:
    found = problems_of(tmp_path, Server, {"lisen": "x"}, "server")
    assert found == {"server.lisen": "no such setting | did you mean `listen`?"}


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    raw = {"server": {"workers": "4", "log": "jsn"}, "ledger": {"flush_ms": 0}, "routes": {"r": {}}, "stor": {}}
    found = problems_of(tmp_path, File, raw, "")
    assert set(found) == {"server.workers", "server.log", "ledger.flush_ms", "routes.r.deployments", "stor"}
    assert "did you mean `json`?" in found["server.log"]
    assert "got text" in found["server.workers"]


def test_one_bad_value_does_not_hide_the_good_ones(tmp_path: Path) -> None:
    table = reader(tmp_path).table(Server, {"workers": "4", "access_log": True}, "server")
    assert table is not None
    assert (table.workers, table.access_log) == (1, True)


def test_fractions_are_exact_where_they_are_money_and_floats_where_they_are_time(tmp_path: Path) -> None:
    path = tmp_path / "f.toml"
    path.write_text('kind = "openai"\nmodel = "m"\nprice = { input = 0.1 }\ntimeout = { connect = 0.1, total = 3 }\n')
    table = reader(tmp_path).table(Deployment, parse(path), "deployments.a")
    assert table is not None
    assert table.price == {"input": Decimal("0.1")}
    assert table.timeout == Timeouts(connect=0.1, total=3.0)
    assert isinstance(table.timeout.connect, float)


@pytest.mark.parametrize(
    ("text", "unit", "amount"),
    [("5m", "seconds", 300), ("250 ms", "seconds", 0.25), ("12 GiB", "bytes", 12 * 2**30), ("1.5 kB", "bytes", 1500)],
)
def test_quantities_have_units(text: str, unit: str, amount: float) -> None:
    assert quantity(text, unit) == amount


@pytest.mark.parametrize("text", ["5", "m", "5 parsecs", "-1 s", "1e3 s", ""])
def test_a_quantity_without_a_unit_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="seconds"):
        quantity(text, "seconds")


@given(st.integers(min_value=0, max_value=10**6), st.sampled_from(["kB", "MB", "KiB", "mib", "gib"]))
def test_whole_sizes_stay_whole(number: int, unit: str) -> None:
    table = Reader(Path(), Environment({})).table(Engines, {"memory": f"{number} {unit}"}, "engines")
    assert table is not None
    assert isinstance(table.memory, int)
    assert table.memory == quantity(f"{number} {unit}", "bytes")


def test_limits_are_held(tmp_path: Path) -> None:
    found = problems_of(tmp_path, DoorLimits, {"depth": 3, "header_seconds": -1, "headers": 0})
    assert set(found) == {"t.depth", "t.header_seconds", "t.headers"}


def test_a_route_may_name_deployments_short_or_whole(tmp_path: Path) -> None:
    route = reader(tmp_path).table(Route, {"deployments": ["a", {"name": "b", "weight": 0}]}, "routes.r")
    assert route is not None
    assert [(target.name, target.weight) for target in route.deployments] == [("a", 100), ("b", 0)]


class TestSecrets:
    def read(self, tmp_path: Path, raw: object, **values: str) -> tuple[Secret | None, Reader]:
        found = reader(tmp_path, **values)
        return found.secret(raw, "deployments.a.key"), found

    def test_from_the_environment(self, tmp_path: Path) -> None:
        secret, found = self.read(tmp_path, {"env": "K"}, K=" sk-1\n")
        assert secret == Secret("sk-1", "env:K")
        assert found.origins == {"deployments.a.key": "env K"}
        assert "sk-1" not in repr(secret)

    def test_from_a_file_beside_the_configuration(self, tmp_path: Path) -> None:
        (tmp_path / "key").write_text("sk-2\n")
        secret, _ = self.read(tmp_path, {"file": "key"})
        assert secret is not None
        assert secret.value == "sk-2"

    @pytest.mark.parametrize(
        ("raw", "says"),
        [
            ("sk-3", "must not stand in the file"),
            ({"env": "NONE"}, "NONE is not set"),
            ({"file": "none"}, "cannot be read"),
            ({"file": "empty"}, "is empty"),
            ({"vault": "x"}, "cannot come from"),
            ({}, "names no secret"),
            ({"env": "A", "file": "b"}, "names no secret"),
            (7, "names no secret"),
        ],
    )
    def test_anything_else_is_refused_and_never_repeated(self, tmp_path: Path, raw: object, says: str) -> None:
        (tmp_path / "empty").write_text("\n")
        secret, found = self.read(tmp_path, raw)
        assert secret is None
        (problem,) = found.problems
        assert says in problem.message
        assert problem.hint
        assert "sk-3" not in str(problem)


class TestFind:
    def test_the_order(self, tmp_path: Path) -> None:
        home = tmp_path / "home"
        users = home / ".config" / "freehold" / "freehold.toml"
        users.parent.mkdir(parents=True)
        cwd = tmp_path / "here"
        cwd.mkdir()
        plain = Environment({"HOME": str(home)})
        assert find(None, plain, cwd) is None
        users.touch()
        assert find(None, plain, cwd) == users
        (cwd / "freehold.toml").touch()
        assert find(None, plain, cwd) == cwd / "freehold.toml"
        (cwd / "other.toml").touch()
        assert find(None, Environment({"FREEHOLD_CONFIG": "other.toml"}), cwd) == cwd / "other.toml"
        assert find("freehold.toml", Environment({"FREEHOLD_CONFIG": "other.toml"}), cwd) == cwd / "freehold.toml"

    def test_a_named_file_must_exist(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="no such file") as caught:
            find("none.toml", Environment({}), tmp_path)
        assert "--config" in caught.value.hint


class TestParse:
    def test_a_syntax_error_has_its_place(self, tmp_path: Path) -> None:
        path = tmp_path / "f.toml"
        path.write_text("[server]\nlisten = \n")
        with pytest.raises(ConfigError, match="line 2"):
            parse(path)

    def test_other_encodings_are_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "f.toml"
        path.write_bytes(b'a = "\xff"')
        with pytest.raises(ConfigError, match="UTF-8 at byte 5"):
            parse(path)


def test_names_are_quoted_where_toml_asks_for_it() -> None:
    assert join("deployments", "gpt-4") == "deployments.gpt-4"
    assert join("deployments", "gpt 4.1") == 'deployments."gpt 4.1"'


def test_suggestions() -> None:
    assert suggest("opnai", ["openai", "azure"]) == "did you mean `openai`?"
    assert suggest("zzz", ["b", "a"]) == "known: a, b"
    assert suggest("zzz", []) == ""


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.decimals() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
        max_leaves=12,
    )
)
def test_nothing_that_toml_can_say_makes_it_fall(raw: object) -> None:
    """Any value anywhere gives a table or problems, never another exception."""
    for key in File.__struct_fields__:
        found = Reader(Path(), Environment({}))
        found.table(File, {key: raw}, "")
        found.table(Deployment, {"kind": raw, "key": raw, "timeout": raw, "price": raw, "ca": raw}, "deployments.a")
        assert all(problem.where and problem.message for problem in found.problems)


def test_problems_are_one_error_that_lists_them(tmp_path: Path) -> None:
    found = reader(tmp_path)
    found.note("a.b", "is wrong", "mend it")
    found.note("c", "is missing")
    error = Problems(tmp_path / "f.toml", found.problems)
    assert "2 problems" in error.message
    assert "a.b: is wrong (mend it)" in error.message
    assert isinstance(error, ConfigError)
