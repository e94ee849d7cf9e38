"""The console in a real browser, against the real server: each screen does what it says, and excludes nobody."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from tests.browser.conftest import PASSWORD, House, Watch
from tests.models import chat_model
from tests.system import deployment, until

__all__ = ["chat_model"]

Opened = Callable[..., House]
Axe = Callable[[Page], list[str]]

SCREENS = {
    "": "Overview",
    "ledger": "Ledger",
    "ledger?view=totals&by=maker,key": "Ledger",
    "audit": "Audit",
    "deployments": "Deployments and routes",
    "models": "Own models",
    "keys": "Keys",
    "teams": "Teams and budgets",
    "members": "Members",
    "settings": "Settings",
}
CHAT = "/v1/chat/completions"


@pytest.fixture
def world(house: Opened, vendor: Any) -> House:
    """A house with a deployment that answers, one that fails, and a route over both."""
    return house(
        deployment("bad", vendor.url, "status;code=500", more="retries = 0"),
        '[routes.assistant]\ndeployments = [{ name = "gpt", weight = 80 }, { name = "bad", weight = 20 }]\n'
        'fallback = ["gpt"]\n',
    )


def ask(context: BrowserContext, key: str, model: str = "gpt") -> int:
    """Call the door as a program would, with a key; return the status."""
    body = {"model": model, "messages": [{"role": "user", "content": "hello"}]}
    return context.request.post(CHAT, data=body, headers={"authorization": f"Bearer {key}"}).status


def busy(world: House) -> dict[str, Any]:
    """A key that has called: three answers, two failures."""
    made = world.system.new_key("robot")
    context = world.context()
    until(lambda: ask(context, made["key"]) == 200, what="the key to be known")
    statuses = [ask(context, made["key"], model) for model in ("gpt", "gpt", "bad", "bad")]
    assert [status // 100 for status in statuses] == [2, 2, 5, 5]
    context.close()
    return made


def heading(page: Page, name: str) -> None:
    expect(page.get_by_role("heading", level=1)).to_have_text(name)


def settled(page: Page) -> None:
    """Wait until nothing on the page waits for the server."""
    expect(page.locator(".waiting")).to_have_count(0)


def act(page: Page, row: Locator, name: str) -> None:
    """Choose from a row's menu."""
    row.get_by_role("button", name=re.compile("^Actions on")).click()
    page.get_by_role("menuitem", name=name, exact=True).click()


def call(page: Page, method: str, path: str, body: Any = None) -> Any:
    """Ask the API as the page does; return the answer."""
    script = """async ([method, path, body]) => {
        const { csrf } = await (await fetch("/api/session")).json();
        const headers = { "x-freehold-csrf": csrf, "content-type": "application/json" };
        const reply = await fetch(path, { method, headers, body: body === null ? undefined : JSON.stringify(body) });
        return { status: reply.status, body: await reply.json().catch(() => null) };
    }"""
    return page.evaluate(script, [method, path, body])


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 1280), ("light", 390), ("dark", 390)])
def test_every_screen_excludes_nobody(world: House, axe: Axe, scheme: str, width: int) -> None:
    busy(world)
    page = world.page("/console", color_scheme=scheme, viewport={"width": width, "height": 844})
    for path, name in SCREENS.items():
        page.goto(f"/console/{path}")
        heading(page, name)
        settled(page)
        assert axe(page) == [], path
        wide = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        assert wide[0] <= wide[1], path
    page.goto("/console/ledger")
    page.get_by_role("table").get_by_role("link").first.click()
    heading(page, "Call")
    settled(page)
    assert axe(page) == []


def test_a_house_where_nothing_has_happened_teaches(house: Opened, axe: Axe) -> None:
    page = house().page("/console")
    expect(page.get_by_role("heading", name="No calls in this span of time")).to_be_visible()
    for path in ("teams", "ledger", "models", "audit"):
        page.goto(f"/console/{path}")
        settled(page)
        assert axe(page) == [], path
    page.goto("/console/teams")
    page.locator(".empty").get_by_role("button", name="New team").click()
    expect(page.get_by_role("dialog", name="A new team")).to_be_visible()


def test_screens_are_reached_without_a_load(world: House) -> None:
    page = world.page("/console")
    heading(page, "Overview")
    page.evaluate("window.same = true")
    for link, name in (("Keys", "Keys"), ("Settings", "Settings"), ("Overview", "Overview")):
        page.get_by_role("navigation", name="Console").get_by_role("link", name=link, exact=True).click()
        heading(page, name)
        expect(page).to_have_title(f"{name} – Freehold")
        expect(page.get_by_role("heading", level=1)).to_be_focused()
    page.go_back()
    heading(page, "Settings")
    assert page.evaluate("window.same") is True
    page.goto("/console/nowhere")
    expect(page.get_by_text("There is no such screen")).to_be_visible()


def test_the_overview_says_what_the_ledger_says(world: House) -> None:
    busy(world)
    page = world.page("/console?span=1h")
    settled(page)
    told = call(page, "GET", "/api/admin/overview?span=1h")["body"]
    cards = page.locator(".number-card")
    expect(cards.filter(has_text="Calls").first.locator(".big")).to_have_text(str(told["totals"]["calls"]))
    expect(cards.filter(has_text="Failed calls")).to_contain_text(f"{told['totals']['failed_calls']} of")

    traffic = page.locator("figure").filter(has=page.get_by_role("heading", name="Traffic", exact=True))
    rows = traffic.get_by_role("table").get_by_role("row")
    expect(rows).to_have_count(61)
    cells = traffic.locator("tbody td:nth-child(2)").all_inner_texts()
    assert sum(map(int, cells)) == told["totals"]["calls"] - told["totals"]["failed_calls"]
    traffic.get_by_role("button", name="Values").click()
    expect(traffic.locator(".values")).to_be_visible()

    reach = traffic.get_by_role("slider")
    reach.focus()
    last = reach.get_attribute("aria-valuetext")
    page.keyboard.press("ArrowLeft")
    assert reach.get_attribute("aria-valuetext") != last
    assert re.search(r"Answered \d+, Failed \d+", reach.get_attribute("aria-valuetext") or "")
    expect(traffic.locator(".tip")).to_be_visible()

    for axis, name in (("Maker", "openai"), ("Seller", "vendor-openai"), ("Host", "vendor-openai")):
        expect(page.get_by_role("table", name=axis, exact=True).get_by_role("row").nth(1)).to_contain_text(name)
    expect(page.get_by_role("table", name="What fails")).to_contain_text("upstream_fault")
    page.get_by_role("radio", name="7 days").check(force=True)
    expect(page).to_have_url(re.compile(r"span=7d"))


def test_the_overview_lives_without_a_flicker(world: House) -> None:
    made = busy(world)
    page = world.page("/console?span=1h")
    settled(page)
    before = page.locator(".number-card .big").first.inner_text()
    page.evaluate("document.querySelector('.overview').mark = document.querySelector('figure svg').mark = 1")
    assert ask(page.context, made["key"]) == 200
    expect(page.locator(".number-card .big").first).not_to_have_text(before)
    assert page.evaluate("[document.querySelector('.overview').mark, document.querySelector('figure svg').mark]") == [
        1,
        1,
    ]


def test_a_key_from_its_making_to_its_end(world: House, watch: Watch) -> None:
    watch.allow("400")
    world.system.new_key("taken")
    page = world.page("/console/keys")
    page.get_by_role("button", name="New key").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("taken")
    dialog.get_by_role("button", name="Make the key").click()
    name = dialog.get_by_label("Name")
    expect(name).to_have_attribute("aria-invalid", "true")
    expect(name).to_be_focused()
    name.fill("helpdesk-bot")
    dialog.get_by_role("button", name="Add a limit").click()
    limit = dialog.get_by_role("group", name=re.compile("^Limit")).last
    dialog.get_by_role("button", name="Make the key").click()
    expect(dialog.get_by_role("alert")).to_have_text("Enter an amount")
    expect(limit.get_by_label("Amount")).to_be_focused()
    expect(dialog.locator("[aria-invalid=true]")).to_have_count(1)
    limit.get_by_label("Amount").fill("5.00")
    dialog.get_by_role("button", name="Make the key").click()
    secret = dialog.locator(".secret code").first.inner_text()
    dialog.get_by_role("button", name="I have kept it").click()
    expect(dialog).to_have_count(0)
    assert secret not in page.content()

    until(lambda: ask(page.context, secret) == 200, what="the key to be known")
    page.reload()
    row = page.get_by_role("row").filter(has_text="helpdesk-bot")
    expect(row.get_by_role("meter", name="Budget per month")).to_have_attribute(
        "aria-valuetext", re.compile(r"of \$5\.00")
    )
    act(page, row, "Its calls")
    heading(page, "Ledger")
    table = page.get_by_role("table", name="Entries")
    expect(table.get_by_role("row")).to_have_count(2)
    expect(table).to_contain_text("helpdesk-bot")

    page.goto("/console/keys")
    act(page, page.get_by_role("row").filter(has_text="helpdesk-bot"), "Revoke")
    question = page.get_by_role("dialog", name="Revoke helpdesk-bot?")
    question.get_by_role("button", name="Cancel").click()
    assert ask(page.context, secret) == 200
    act(page, page.get_by_role("row").filter(has_text="helpdesk-bot"), "Revoke")
    question.get_by_role("button", name="Revoke the key").click()
    expect(page.get_by_role("row").filter(has_text="helpdesk-bot")).to_have_count(0)
    until(lambda: ask(page.context, secret) == 401, what="the key to be refused")
    page.get_by_label("Revoked ones, too").check()
    expect(page.get_by_role("row").filter(has_text="helpdesk-bot")).to_contain_text("Revoked")
    page.goto("/console/audit")
    expect(page.get_by_role("table")).to_contain_text("key.revoke")


def test_a_deployment_is_tried_and_its_record_read(world: House) -> None:
    page = world.page("/console/deployments")
    row = page.get_by_role("row").filter(has=page.get_by_role("button", name="gpt", exact=True))
    act(page, row, "Try it")
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Send").click()
    expect(dialog.locator(".answer")).not_to_be_empty()
    dialog.get_by_role("link", name="Open the record").click()
    expect(dialog).to_have_count(0)
    heading(page, "Call")
    expect(page.locator(".lead")).to_contain_text("Ada Lovelace asked gpt. gpt answered.")
    expect(page.locator(".tries > li")).to_have_count(1)
    expect(page.locator(".tries")).to_contain_text("vendor-openai")
    page.get_by_text("The outcome: entry").click()
    expect(page.locator("details[open] .pairs")).to_contain_text("snapshot")

    page.get_by_role("link", name="Ledger", exact=True).first.click()
    heading(page, "Ledger")
    page.goto("/console/deployments")
    act(page, page.get_by_role("row").filter(has=page.get_by_role("button", name="bad", exact=True)), "Try it")
    dialog.get_by_role("button", name="Send").click()
    expect(dialog.locator(".error")).to_contain_text("upstream_fault")
    dialog.get_by_role("button", name="Close").first.click()
    route = page.locator(".route").filter(has=page.get_by_role("heading", name="assistant"))
    expect(route).to_contain_text("80%")
    expect(route).to_contain_text("If they fail: gpt")


def test_the_ledger_is_filtered_summed_and_proved(world: House) -> None:
    busy(world)
    page = world.page("/console/ledger")
    page.get_by_role("button", name="Filters").click()
    page.get_by_label("Outcome", exact=True).select_option("failed")
    expect(page).to_have_url(re.compile("failed=true"))
    table = page.get_by_role("table", name="Entries")
    expect(table.get_by_text("upstream_fault").first).to_be_visible()
    expect(table.get_by_text("Answered")).to_have_count(0)
    page.reload()
    expect(page.get_by_label("Outcome", exact=True)).to_have_value("true")
    page.get_by_role("button", name="Remove the filter Outcome").click()
    expect(table.get_by_text("Answered").first).to_be_visible()

    with page.expect_download() as download:
        page.get_by_role("button", name="Export").click()
        page.get_by_role("menuitem", name="As CSV").click()
    assert "upstream_fault" in Path(download.value.path()).read_text()

    page.get_by_role("radio", name="Totals").check(force=True)
    totals = page.get_by_role("table", name="Totals")
    expect(totals.get_by_role("row").nth(1)).to_contain_text("openai")
    page.get_by_label("then by").select_option("Key")
    expect(totals).to_contain_text("robot")
    totals.get_by_role("button", name="Cost").click()
    expect(totals.get_by_role("columnheader", name="Cost")).to_have_attribute("aria-sort", "descending")

    page.get_by_role("button", name="Verify").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Verify", exact=True).click()
    expect(dialog.get_by_text("The ledger is sound.")).to_be_visible()
    head = dialog.locator(".sound code").inner_text()
    assert re.fullmatch(r"\d+:[0-9a-f]{64}", head), head


def test_a_team_and_its_budget(world: House, watch: Watch) -> None:
    watch.allow("400")
    page = world.page("/console/teams")
    page.get_by_role("button", name="New team").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("Support")
    dialog.get_by_label("Amount").fill("lots")
    dialog.get_by_role("button", name="Make the team").click()
    expect(dialog.get_by_role("alert")).to_contain_text("lots")
    dialog.get_by_label("Amount").fill("40")
    dialog.get_by_role("button", name="Make the team").click()
    expect(dialog).to_have_count(0)
    team = page.locator(".team").filter(has_text="Support")
    expect(team.get_by_role("meter")).to_have_attribute("aria-valuetext", "$0.00 of $40.00")
    act(page, team, "Change limits")
    dialog.get_by_label("Amount").fill("50")
    dialog.get_by_role("button", name="Set the limits").click()
    expect(team.get_by_role("meter")).to_have_attribute("aria-valuetext", "$0.00 of $50.00")
    act(page, team, "Stop the team")
    page.get_by_role("dialog", name="Stop Support?").get_by_role("button", name="Stop the team").click()
    expect(team).to_contain_text("Stopped")
    act(page, team, "Let in again")
    expect(team).not_to_contain_text("Stopped")


def test_members_are_invited_and_auditors_change_nothing(world: House, watch: Watch, axe: Axe) -> None:
    watch.allow("403")
    page = world.page("/console/members")
    page.get_by_role("button", name="Invite somebody").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name to sign in with").fill("eve")
    dialog.get_by_label("Role").select_option("auditor")
    dialog.get_by_role("button", name="Make the invitation").click()
    link = dialog.locator(".secret code").inner_text()
    assert "#invite=" in link
    dialog.get_by_role("button", name="Done").click()
    expect(page.get_by_role("table", name="Members")).to_contain_text("Auditor")

    other = world.context(signed_in=False)
    token = link.split("#invite=")[1]
    answer = other.request.post("/api/invitations/accept", data={"token": token, "password": PASSWORD})
    assert answer.ok, answer.text()
    theirs = other.new_page()
    for path, name in SCREENS.items():
        theirs.goto(f"/console/{path}")
        heading(theirs, name)
        settled(theirs)
        expect(theirs.get_by_text("your role is auditor")).to_be_visible()
        changes = re.compile("^(New|Invite|Pull|Another|Read the file)")
        expect(theirs.get_by_role("main").get_by_role("button", name=changes)).to_have_count(0)
        assert axe(theirs) == [], path
    assert call(theirs, "POST", "/api/admin/keys", {"name": "mine"})["status"] == 403

    page.reload()
    row = page.get_by_role("table", name="Members").get_by_role("row").filter(has_text="eve")
    act(page, row, "Sign out everywhere")
    page.get_by_role("dialog").get_by_role("button", name="End the sessions").click()
    expect(row).not_to_contain_text("session")
    watch.allow("401")
    until(lambda: call(theirs, "GET", "/api/admin/keys")["status"] == 401, what="the session to end")
    act(page, row, "Change")
    dialog.get_by_label("Role").select_option("member")
    dialog.get_by_role("button", name="Keep the changes").click()
    expect(row.get_by_role("cell", name="Member", exact=True)).to_be_visible()
    act(page, row, "Stop the member")
    page.get_by_role("dialog").get_by_role("button", name="Stop the member").click()
    expect(row).to_contain_text("Stopped")


def test_who_may_not_come_in_is_told_why(world: House, axe: Axe) -> None:
    world.context().close()
    stranger = world.page("/console/ledger?failed=true", signed_in=False)
    link = stranger.get_by_role("link", name="Sign in")
    expect(link).to_have_attribute("href", "/?next=%2Fconsole%2Fledger%3Ffailed%3Dtrue")
    assert axe(stranger) == []
    owner = world.page("/console/members")
    made = call(owner, "POST", "/api/admin/members", {"name": "ben", "role": "member", "password": PASSWORD})
    assert made["status"] == 201, made
    plain = world.context(signed_in=False)
    assert plain.request.post("/api/session", data={"name": "ben", "password": PASSWORD}).ok
    page = plain.new_page()
    page.goto("/console/keys")
    expect(page.get_by_text("Your role does not open the console")).to_be_visible()


def test_settings_are_searched_compared_and_read_anew(world: House) -> None:
    page = world.page("/console/settings")
    settled(page)
    expect(page.get_by_text("The file says what runs.")).to_be_visible()
    page.get_by_label("Find a setting").fill("durability")
    expect(page.locator(".settings > div")).to_have_count(1)
    expect(page.locator(".settings")).to_contain_text('"strict"')
    sound = world.system.file.read_text()
    world.system.file.write_text(sound.replace("weight = 80", "weight = 60"))
    page.reload()
    expect(page.get_by_role("heading", name="The file says otherwise")).to_be_visible()
    page.get_by_role("button", name="Read the file anew").click()
    expect(page.get_by_text("The file says what runs.")).to_be_visible(timeout=20_000)
    world.system.file.write_text(sound + "[routes.broken]\ndeployments = [5]\n")
    page.get_by_role("button", name="Read the file anew").click()
    expect(page.get_by_text("The file was not taken")).to_be_visible()
    expect(page.get_by_role("alert").first).to_contain_text("routes.broken")
    page.goto("/console/deployments")
    expect(page.locator(".route").filter(has_text="assistant").first).to_contain_text("75%")


def test_a_model_of_ones_own_is_started_checked_and_stopped(house: Opened, chat_model: Path) -> None:
    world = house(
        f'[deployments.own]\nkind = "llamacpp"\nmodel = "{chat_model}"\n',
        '[engines]\nmax_context = 1024\nstart = "first_use"\n',
    )
    page = world.page("/console/models")
    row = page.get_by_role("table", name="Here").get_by_role("row").filter(has_text="SmolLM2").last
    act(page, row, "Start")
    expect(row).to_contain_text("Loaded", timeout=60_000)
    act(page, row, "Stop")
    page.get_by_role("dialog").get_by_role("button", name="Stop", exact=True).click()
    expect(row).not_to_contain_text("Loaded")
    expect(page.get_by_role("table", name="To be had")).to_contain_text("Fits")
