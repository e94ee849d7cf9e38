"""The order of deployments for a call."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.core.call import TOOLS, Call
from freehold.core.errors import NotFound, Unsupported
from freehold.routing import Deployment, Route, Table, Target, candidates


def deployment(name: str, can: frozenset[str] | None = None, model: str = "") -> Deployment:
    return Deployment(name=name, kind="openai", model=model or name + "-model", capabilities=can)


def call(asked: str = "assistant", session: str | None = None, needs: frozenset[str] = frozenset()) -> Call:
    return Call(
        id="call_1", dialect="openai", kind="chat", asked=asked, fields={}, size=2, session=session, needs=needs
    )


def table(*targets: Target, fallback: tuple[str, ...] = (), **can: frozenset[str]) -> Table:
    names = {t.name for t in targets} | set(fallback)
    return Table(
        deployments={n: deployment(n, can.get(n)) for n in names},
        routes={"assistant": Route(name="assistant", targets=targets, fallback=fallback)},
    )


def names(t: Table, c: Call, lot: float = 0.0, ill: frozenset[str] = frozenset()) -> list[str]:
    return [x.deployment.name for x in candidates(t, c, lambda n: n not in ill, lambda: lot)]


def test_unknown_name() -> None:
    with pytest.raises(NotFound) as e:
        names(table(Target(name="a")), call("nothing"))
    assert e.value.code == "model_not_found"


def test_weights_share_the_calls() -> None:
    t = table(Target(name="a", weight=3), Target(name="b", weight=1), Target(name="c", weight=0))
    first = Counter(names(t, call(), lot=i / 400)[0] for i in range(400))
    assert first == {"a": 300, "b": 100}


def test_the_others_follow_by_weight_then_the_fallbacks_once() -> None:
    t = table(Target(name="a", weight=1), Target(name="b", weight=5), Target(name="c", weight=3), fallback=("b", "d"))
    assert names(t, call(), lot=0.0) == ["a", "b", "c", "d"]


def test_weight_zero_serves_only_as_a_fallback() -> None:
    t = table(Target(name="a", weight=1), Target(name="own", weight=0), fallback=("own",))
    assert names(t, call(), lot=0.999) == ["a", "own"]


def test_open_circuits_stand_last() -> None:
    t = table(Target(name="a"), fallback=("b", "c"))
    assert names(t, call(), ill=frozenset({"a"})) == ["b", "c", "a"]


def test_a_deployment_that_cannot_is_passed_over_and_none_is_an_error() -> None:
    chat, tools = frozenset({"chat"}), frozenset({"chat", TOOLS})
    t = table(Target(name="a"), fallback=("b",), a=chat, b=tools)
    assert names(t, call(needs=frozenset({TOOLS}))) == ["b"]
    with pytest.raises(Unsupported) as e:
        names(table(Target(name="a"), a=chat), call(needs=frozenset({TOOLS})))
    assert e.value.param == "tools"


def test_a_wildcard_sends_the_rest_of_the_name() -> None:
    t = Table(
        deployments={"xai": deployment("xai", model="*")},
        routes={"xai": Route(name="xai", targets=(Target(name="xai"),))},
    )
    (only,) = candidates(t, call("xai/grok-4/fast"), lambda _: True, lambda: 0.0)
    assert only.sent == "grok-4/fast"


@given(st.text(min_size=1, max_size=20), st.floats(0, 0.999), st.floats(0, 0.999))
def test_a_session_keeps_its_deployment_whatever_the_lot(session: str, one: float, two: float) -> None:
    t = table(Target(name="a", weight=1), Target(name="b", weight=1))
    assert names(t, call(session=session), one) == names(t, call(session=session), two)


@given(st.text(min_size=1, max_size=20), st.integers(1, 99))
def test_a_ramp_moves_sessions_one_way_only(session: str, share: int) -> None:
    """Who is on the new arm at a share stays there at every greater one."""
    first = [Target(name="new", weight=share), Target(name="old", weight=100 - share)]
    then = [Target(name="new", weight=share + 1), Target(name="old", weight=99 - share)]
    if names(table(*first), call(session=session))[0] == "new":
        assert names(table(*then), call(session=session))[0] == "new"


def test_a_long_name_is_not_repeated_whole() -> None:
    with pytest.raises(NotFound) as e:
        candidates(Table({}, {}), call("m" * 10**6), lambda _: True, lambda: 0.0)
    assert len(e.value.message) < 1000
