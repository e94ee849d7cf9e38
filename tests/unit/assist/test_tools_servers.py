"""Real servers of tools, made with the protocol's own package, over both ways to reach them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from workshop import PROGRAM, Running, child, gone, member

from freehold import store
from freehold.assist.tools import Offered, Result, ServerSettings, Tools
from freehold.assist.tools.http import Http
from freehold.assist.tools.protocol import REVISIONS, STATELESS
from freehold.assist.tools.session import Session
from freehold.core.errors import Forbidden, NotFound
from freehold.ledger import Ledger
from freehold.ledger.entry import decode
from freehold.store import Store
from freehold.wire.client import Client

Make = Callable[..., Tools]


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await store.open(f"sqlite:///{tmp_path}/house.db")
    yield opened
    await opened.close()


@pytest.fixture
async def make(place: Store) -> AsyncIterator[Make]:
    made: list[Tools] = []
    client = Client()
    book = Ledger(place)

    def one(*settings: ServerSettings) -> Tools:
        made.append(Tools(place, book, client, settings))
        return made[-1]

    yield one
    for each in made:
        await each.close()
    await client.close()
    await book.close()


@pytest.fixture(params=["stdio", "http", "json", "bare"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ServerSettings]:
    """The same server over each way."""
    if request.param == "stdio":
        yield child(cwd=str(tmp_path))
        return
    running = Running(request.param, tmp_path / "server.log")
    yield ServerSettings(name="shop", kind="http", url=running.url, title="The shop")
    running.stop()


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    server = Running("http", tmp_path / "server.log")
    yield server
    server.stop()


async def use(tools: Tools, tool: str, arguments: dict[str, Any] | None = None, **more: Any) -> Result:
    who = more.get("who", member())
    offers = {each.tool: each for each in await tools.offered(who, ["shop"])}
    return await tools.use(who, offers[tool], arguments or {}, conversation="c1", message="m1")


async def test_tools_are_offered_and_used(make: Make, settings: ServerSettings) -> None:
    tools = make(settings)
    offers = {each.tool: each for each in await tools.offered(member(), ["shop", "unknown", "shop"])}
    add = offers["add"]
    assert (add.name, add.server, add.title, add.allow) == ("shop__add", "shop", "Add", "ask")
    assert add.description == "Add two numbers."
    assert add.schema["properties"]["a"]["type"] == "integer"
    assert await use(tools, "add", {"a": 2, "b": 40}) == Result("42", False)
    assert json.loads((await use(tools, "facts")).text) == {"city": "Bern", "people": 134000}
    text = "line\n\u2028 \U0001f600 </script>"
    assert await use(tools, "echo", {"text": text}) == Result(text, False)
    seen = await use(tools, "pictures")
    assert seen.text.split("\n\n") == [
        "look:",
        "[An image, image/png, 300 bytes: it is not handed on.]",
        "[A recording, audio/wav, 300 bytes: it is not handed on.]",
        "[Resource plan, file:///plan.md: the plan]",
        "[Resource memo://1]\na memo",
    ]


async def test_what_fails_is_said_and_harms_nobody(make: Make, settings: ServerSettings) -> None:
    tools = make(settings)
    wrong = await use(tools, "add", {"a": "x"})
    assert wrong.failed and "integer" in wrong.text
    boom = await use(tools, "boom")
    assert boom.failed
    big = await use(tools, "big", {"size": 300_000})
    assert "[The result was cut here: 100000 of 300000 bytes" in big.text
    assert await use(tools, "add", {"a": 1, "b": 1}) == Result("2", False)


async def test_a_slow_use_ends_at_its_time_and_the_server_stays(make: Make, settings: ServerSettings) -> None:
    tools = make(msgspec.structs.replace(settings, timeout=1.0))
    slow = asyncio.create_task(use(tools, "slow", {"seconds": 600}))
    quick = await use(tools, "slow", {"seconds": 0})
    assert quick.text == "done"
    late = await slow
    assert late.failed and "did not answer tools/call within 1 s" in late.text
    assert (await use(tools, "add", {"a": 1, "b": 1})).text == "2"


async def test_many_uses_at_once_get_their_own_answers(make: Make, settings: ServerSettings) -> None:
    tools = make(settings)
    found = await asyncio.gather(*[use(tools, "add", {"a": n, "b": 1000}) for n in range(40)])
    assert [each.text for each in found] == [str(1000 + n) for n in range(40)]


async def test_a_use_that_is_left_is_cancelled(make: Make, settings: ServerSettings) -> None:
    tools = make(settings)
    task = asyncio.create_task(use(tools, "slow", {"seconds": 600}))
    await use(tools, "add", {"a": 1, "b": 1})
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await use(tools, "add", {"a": 1, "b": 1})).text == "2"


async def test_each_use_is_on_the_ledger_and_its_arguments_are_not(make: Make, place: Store) -> None:
    tools = make(child())
    await use(tools, "echo", {"text": "a secret word"})
    rows = await place.fetch("SELECT data FROM entry")
    entries = [decode(data) for (data,) in rows]
    assert [(e.kind, e.key, e.session, e.user) for e in entries] == [("admin", "key_ada", "c1", "mem_ada")]
    note = json.loads(entries[0].note)
    expected = {"act": "tool", "server": "shop", "tool": "echo", "member": "ada", "conversation": "c1", "message": "m1"}
    assert note == {**expected, "bytes": len('{"text":"a secret word"}')}
    assert b"secret word" not in rows[0][0]


async def test_nothing_is_sent_when_the_ledger_takes_no_entry(make: Make, place: Store, tmp_path: Path) -> None:
    client = Client()
    book = Ledger(place)
    tools = Tools(place, book, client, [child()])
    try:
        offers = {each.tool: each for each in await tools.offered(member(), ["shop"])}
        await place.write(("ALTER TABLE entry RENAME TO elsewhere", [()]))
        # The tool would end its server, were it reached.
        found = await tools.use(member(), offers["leave"], {}, conversation="c", message="m")
        assert found.failed and "records" in found.text
        await place.write(("ALTER TABLE elsewhere RENAME TO entry", [()]))
        assert [server.state for server in await tools.servers(member())] == ["ready"]
    finally:
        await tools.close()
        await client.close()
        await book.close()


async def test_rules_of_the_member_and_of_the_configuration(make: Make) -> None:
    ada, bob = member(), member("bob")
    tools = make(child(allow="ask", tools={"boom": "never", "add": "always", "learn": "never"}))
    by_tool = {each.tool: each.allow for each in await tools.offered(ada, ["shop"])}
    assert "boom" not in by_tool
    assert (by_tool["add"], by_tool["echo"]) == ("always", "ask")
    await tools.allow(ada, "shop", "echo", "always")
    await tools.allow(ada, "shop", "echo", "always")
    await tools.allow(ada, "shop", "add", "never")
    by_tool = {each.tool: each.allow for each in await tools.offered(ada, ["shop"])}
    assert by_tool["echo"] == "always"
    assert "add" not in by_tool
    others = {each.tool: each.allow for each in await tools.offered(bob, ["shop"])}
    assert (others["add"], others["echo"]) == ("always", "ask")
    with pytest.raises(Forbidden):
        await tools.allow(ada, "shop", "boom", "always")
    with pytest.raises(NotFound):
        await tools.allow(ada, "shop", "nothing", "always")
    with pytest.raises(NotFound):
        await tools.allow(ada, "nowhere", "echo", "always")
    for tool in ("boom", "add"):
        offer = Offered("x", "shop", tool, "", "", {}, "always")
        found = await tools.use(ada, offer, {}, conversation="c", message="m")
        assert found == Result(f"The tool {tool!r} may not be used.", True)
    shown = (await tools.servers(ada))[0]
    assert {t.name: (t.allow, t.fixed) for t in shown.tools if t.name in ("boom", "add", "echo")} == {
        "boom": ("never", True),
        "add": ("never", False),
        "echo": ("always", False),
    }


async def test_servers_are_only_for_those_who_may_use_them(make: Make, place: Store) -> None:
    from freehold import access

    team = await access.create_team(place, "research")
    tools = make(
        child("anyone"),
        child("named", members=("ada",)),
        child("team", teams=("research",)),
        child("boss", roles=("admin",)),
    )

    async def seen(**more: Any) -> list[str]:
        return [each.name for each in await tools.servers(member(**more))]

    assert await seen() == ["anyone", "named"]
    assert await seen(name="bob") == ["anyone"]
    assert await seen(name="eve", team=team.id) == ["anyone", "team"]
    assert await seen(name="root", role="admin") == ["anyone", "boss"]
    assert await tools.offered(member("bob"), ["named", "boss"]) == []
    offer = Offered("x", "named", "add", "", "", {}, "always")
    found = await tools.use(member("bob"), offer, {"a": 1, "b": 2}, conversation="c", message="m")
    assert found.failed and "no server of tools" in found.text


async def test_a_child_sees_only_the_environment_that_is_configured(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "sk-secret")
    tools = make(child(env={"PATH": "/usr/bin:/bin", "TOKEN": "t"}, cwd=str(tmp_path)))
    found = json.loads((await use(tools, "surroundings")).text)
    assert set(found["names"]) <= {"PATH", "TOKEN", "LC_CTYPE"}
    assert found["cwd"] == str(tmp_path)


async def test_a_child_that_ends_is_started_again(make: Make) -> None:
    tools = make(child())
    first = json.loads((await use(tools, "surroundings")).text)["pid"]
    gone = await use(tools, "leave")
    assert gone.failed and "gone" in gone.text
    assert json.loads((await use(tools, "surroundings")).text)["pid"] != first


async def test_a_change_of_tools_is_followed(make: Make) -> None:
    tools = make(child())
    assert "learned" not in {each.tool for each in await tools.offered(member(), ["shop"])}
    await use(tools, "learn")
    assert "learned" in {each.tool for each in await tools.offered(member(), ["shop"])}


async def test_a_lost_session_is_begun_anew(make: Make, running: Running) -> None:
    tools = make(ServerSettings(name="shop", kind="http", url=running.url))
    assert (await use(tools, "add", {"a": 1, "b": 1})).text == "2"
    running.stop()
    running.start()
    assert (await use(tools, "add", {"a": 2, "b": 2})).text == "4"


async def test_a_server_that_is_away_says_so_and_comes_back(make: Make, running: Running) -> None:
    tools = make(ServerSettings(name="shop", kind="http", url=running.url), child("other"))
    assert (await use(tools, "add", {"a": 1, "b": 1})).text == "2"
    running.stop()
    found = await use(tools, "add", {"a": 1, "b": 1})
    assert found.failed
    assert {each.server for each in await tools.offered(member(), ["shop", "other"])} >= {"other"}
    running.start()
    assert (await use(tools, "add", {"a": 1, "b": 1})).text == "2"


async def test_the_revision_without_a_handshake_is_spoken(running: Running) -> None:
    client = Client()
    carrier = Http(ServerSettings(name="shop", kind="http", url=running.url), client)
    carrier.revision = STATELESS
    session = Session(carrier)
    try:
        assert "add" in {tool.name for tool in await session.tools()}
        assert (await session.use("add", {"a": 1, "b": 2}, 10, 1000)).text == "3"
        assert (await session.use("none such", {}, 10, 1000)).failed
    finally:
        await session.close()
        await client.close()


async def test_the_newest_revision_is_agreed_on(running: Running) -> None:
    client = Client()
    carrier = Http(ServerSettings(name="shop", kind="http", url=running.url), client)
    try:
        session = await Session.open(carrier)
        assert carrier.revision == REVISIONS[0]
        await session.close()
    finally:
        await client.close()


async def test_another_configuration_is_taken_over(make: Make) -> None:
    before = child()
    tools = make(before, child("second"))
    pid = json.loads((await use(tools, "surroundings")).text)["pid"]
    tools.reconfigure([msgspec.structs.replace(before, title="the same server, another title"), child("third")])
    await gone(pid)
    assert [(each.name, each.title) for each in await tools.servers(member())] == [
        ("shop", "the same server, another title"),
        ("third", "third"),
    ]
    again = json.loads((await use(tools, "surroundings")).text)["pid"]
    tools.reconfigure([msgspec.structs.replace(before, title="the same server, another title")])
    assert json.loads((await use(tools, "surroundings")).text)["pid"] == again
    await tools.close()
    await gone(again)


def test_settings_show_no_secret() -> None:
    shown = repr(ServerSettings(name="s", kind="http", url="https://h/?key=sk-1", headers={"authorization": "sk-2"}))
    assert "sk-" not in shown and PROGRAM not in shown
