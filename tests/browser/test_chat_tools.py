"""Tools of real MCP servers, over HTTP and as a child process: nothing is used before somebody allows it."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.people import Chat, Hall, Person, opened
from tests.system import ROOT, free_port, until

PROGRAM = str(ROOT / "tests" / "unit" / "assist" / "tool_server.py")


def answers(port: int, process: subprocess.Popen[bytes]) -> bool:
    assert process.poll() is None, "the server of tools ended"
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hall]:
    """A house with two servers of tools, and one that is not there."""
    home, port = tmp_path_factory.mktemp("workshop"), free_port()
    with (home / "tools.log").open("wb") as log:
        process = subprocess.Popen((sys.executable, PROGRAM, "http", str(port)), stdout=log, stderr=log)
    try:
        tables = (
            f'[tools.shop]\nkind = "http"\ntitle = "Workshop"\nurl = "http://127.0.0.1:{port}/mcp"\n',
            f'[tools.bench]\nkind = "stdio"\ncommand = ["{sys.executable}", "{PROGRAM}", "stdio"]\n'
            'tools = { boom = "never", add = "always" }\n',
            f'[tools.gone]\nkind = "http"\nurl = "http://127.0.0.1:{free_port()}/mcp"\n',
        )
        until(lambda: answers(port, process), 30, what="the server of tools")
        with opened(home, *tables) as hall:
            yield hall
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def ann(workshop: Hall, person: Any) -> Person:
    workshop.vendor.seen.clear()
    made: Person = person(where=workshop)
    made.settings(models=["handy"])
    return made


@pytest.fixture
def hall(workshop: Hall) -> Hall:
    return workshop


def armed(ann: Person, *servers: str) -> Chat:
    """A new chat with these servers of tools."""
    return ann.page(f"/c/{ann.begin(models=['handy'], tools=list(servers))}")


def tool(chat: Chat, n: int = 0) -> Any:
    return chat.answers.nth(n).locator("details.tool")


def test_a_tool_is_chosen_asked_for_and_used(ann: Person, axe: Callable[[Page], list[str]]) -> None:
    chat = ann.page()
    until(lambda: {s["name"]: s["state"] for s in ann.ask("GET", "/api/tools")}["shop"] == "ready", what="the tools")
    chat.page.reload()
    chat.menu("Add files, prompts and tools", "Workshop")
    expect(chat.page.locator(".composer .badge")).to_contain_text("1 tool")
    chat.write("please shop__echo <img src=x onerror=stolen=1>")
    asking = chat.page.get_by_role("region", name="A tool asks for leave")
    expect(asking).to_contain_text("The model would like to use shop · echo, with this:")
    expect(asking.locator("pre")).to_contain_text('"text": "please shop__echo <img src=x onerror=stolen=1>"')
    assert axe(chat.page) == []
    assert len(ann.hall.vendor.seen) == 1, "it waits for the person"
    chat.page.reload()
    expect(asking).to_be_visible()
    chat.button("Allow once", asking).click()
    expect(chat.answers.first).to_contain_text("You said: the tool says")
    expect(tool(chat)).to_contain_text("done")
    tool(chat).locator("summary").click()
    expect(tool(chat).locator("pre").nth(1)).to_contain_text("<img src=x onerror=stolen=1>")
    expect(chat.page.locator("main img")).to_have_count(0)
    assert chat.page.evaluate("window.stolen") is None
    assert axe(chat.page) == []
    chat.answers.first.locator(".facts-line").click()
    expect(chat.answers.first.locator(".facts")).to_contain_text(re.compile(r"Calls\s*2"))


def test_it_is_refused_and_the_model_is_told(ann: Person) -> None:
    chat = armed(ann, "shop").write("shop__facts")
    chat.button("No").click()
    expect(tool(chat)).to_contain_text("refused")
    expect(chat.answers.first.locator(".facts-line")).to_be_visible()
    assert "did not allow" in ann.hall.vendor.seen[-1].json()["messages"][-1]["content"]
    chat.write("shop__facts again")
    expect(chat.button("Allow once")).to_be_visible()
    chat.button("Stop").click()
    expect(chat.answers.nth(1)).to_contain_text("You stopped it here.")
    expect(chat.button("Allow once")).to_have_count(0)


def test_what_is_always_allowed_is_asked_no_more(ann: Person, axe: Callable[[Page], list[str]]) -> None:
    chat = armed(ann, "bench").write("bench__echo this")
    chat.button("Always allow").click()
    expect(chat.answers.first.locator(".facts-line")).to_be_visible()
    chat.ask("bench__echo that")
    expect(tool(chat, 1)).to_contain_text("done")
    leaf = chat.panel("Tools")
    bench = leaf.locator("section", has=chat.page.get_by_role("heading", name="bench"))
    expect(bench.get_by_label("echo", exact=True)).to_have_value("always")
    expect(bench.get_by_label("boom", exact=True)).to_have_value("never")
    gone = leaf.locator("section", has=chat.page.get_by_role("heading", name="gone"))
    expect(gone).to_contain_text(re.compile("not reachable|connecting"))
    assert axe(chat.page) == []
    bench.get_by_label("echo", exact=True).select_option("never")
    expect(bench.get_by_label("echo", exact=True)).to_be_enabled()
    chat.page.keyboard.press("Escape")
    chat.ask("bench__echo no more")
    expect(tool(chat, 2)).to_have_count(0)


def test_what_a_tool_says_does_nothing_here(ann: Person) -> None:
    evil = '<script>stolen=1</script> [x](javascript:stolen=1) <a href="javascript:stolen=1">x</a>'
    chat = armed(ann, "shop").write(f"shop__echo {evil}")
    chat.button("Allow once").click()
    expect(chat.answers.first.locator(".facts-line")).to_be_visible()
    tool(chat).locator("summary").click()
    expect(tool(chat).locator("pre").nth(1)).to_contain_text("<script>stolen=1</script>")
    chat.page.reload()
    expect(chat.answers.first).to_contain_text("the tool says")
    expect(chat.page.locator("main script, main a[href^=javascript]")).to_have_count(0)
    assert chat.page.evaluate("window.stolen") is None


def test_a_tool_that_fails_or_takes_long_can_be_waited_for_or_stopped(ann: Person) -> None:
    chat = armed(ann, "shop").write("shop__boom")
    chat.button("Allow once").click()
    expect(tool(chat)).to_contain_text("failed")
    expect(chat.answers.first).to_contain_text("the tool says")
    chat.write("shop__slow")
    chat.button("Allow once").click()
    expect(tool(chat, 1).locator(".spinner")).to_be_visible()
    chat.button("Stop").click()
    expect(chat.answers.nth(1)).to_contain_text("You stopped it here.")
    expect(tool(chat, 1).locator(".spinner")).to_have_count(0)
