"""What recipients get to see, on the real server: the official client streams through the door, and the vendor never
sees what the client gets back."""

from __future__ import annotations

import asyncio
import json
import os
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import msgspec
import openai
import pytest

from freehold.ledger.entry import Entry, decode
from tests.conftest import Starter
from tests.e2e.conftest import Opener
from tests.system import ROOT, System, config, deployment, free_port
from tests.vendor import Vendor

BOB, ANN, CARD = "bob.builder@mail.example", "ann@mail.example", "4111 1111 1111 1111"
TOKEN = re.compile(r"<?(?:EMAIL|CARD|PHONE|SECRET|NATIONAL_ID)_[0-9a-f]{6,}>?")
SEND = {
    "type": "function",
    "function": {
        "name": "send_mail",
        "parameters": {"type": "object", "properties": {"to": {"type": "string"}, "n": {"type": "integer"}}},
    },
}
FULL = 'durability = "strict"\nbodies = "full"'


def policies(**rules: str) -> str:
    """A policy for the route of each name."""
    return "".join(f'[policies.{name}]\nroutes = ["{name}"]\nprivacy = {{ {rule} }}\n' for name, rule in rules.items())


def own(name: str, vendor: Vendor) -> str:
    """A deployment on a machine of our own."""
    return (
        f'[deployments."{name}"]\nkind = "openai"\nendpoint = "{vendor.url}/v1"\nkey = {{ env = "VENDOR_KEY" }}\n'
        'model = "own-model"\nmaker = "meta"\nseller = "own"\nhost = "own"\n'
    )


def client(system: System) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{system.url}/v1", api_key=system.key, max_retries=0, timeout=20)


def ask(system: System, model: str, text: str, **more: Any) -> str:
    """The answer to one streamed question, as the official client puts it together."""
    with client(system) as door:
        chunks = door.chat.completions.create(
            model=model, messages=[{"role": "user", "content": text}], stream=True, **more
        )
        return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


def seen_by(vendor: Vendor) -> str:
    return "\n".join(f"{seen.target} {seen.headers} {seen.body.decode()}" for seen in vendor.seen)


def outcomes(system: System) -> list[Entry]:
    return [decode(row["data"]) for row in system.outcomes()]


# -- pseudonyms, two workers, both stores, a kill ---------------------------------------------------------------------


def test_the_vendor_never_sees_what_the_client_gets_back(vendor: Vendor, store: str, system: Starter) -> None:
    house = system(
        config(
            deployment("chat", vendor.url, "ok"),
            policies(chat='outside = "pseudonymise"'),
            store=store,
            ledger=FULL,
            workers=2,
        )
    )
    conversation = {"metadata": {"session_id": "talk-1"}}
    text = f"write to {BOB}, pay with {CARD}"
    said = {ask(house, "chat", text, **conversation) for _ in range(12)}
    assert said == {f"You said: {text}"}
    with client(house) as door:
        whole = door.chat.completions.create(
            model="chat", messages=[{"role": "user", "content": text}], n=2, user=BOB, **conversation
        )
        called = door.chat.completions.create(
            model="chat", messages=[{"role": "user", "content": f"send_mail to {BOB}"}], tools=[SEND], stream=True,
            **conversation,
        )  # fmt: skip
        parts = [chunk.choices[0].delta.tool_calls for chunk in called if chunk.choices]
        arguments = "".join(part[0].function.arguments or "" for part in parts if part)
    assert [choice.message.content for choice in whole.choices] == [f"You said: {text}"] * 2
    assert json.loads(arguments) == {"to": f"send_mail to {BOB}", "n": 7}
    seen = seen_by(vendor)
    assert BOB not in seen and CARD not in seen and "talk-1" in seen
    tokens = {token.strip("<>") for token in TOKEN.findall(seen)}
    assert len(tokens) == 2, "one for each value, in all turns and both workers"
    # What is kept is what left.
    kept = house.sql("SELECT data FROM body")
    assert kept and not any(BOB.encode() in row["data"] or CARD.encode() in row["data"] for row in kept)
    entry = outcomes(house)[0]
    assert entry.redactions == (("CARD", 1), ("EMAIL", 1)) and entry.data_class == "personal"
    assert {(v.by, v.category, v.action, v.policy, v.detail) for v in entry.verdicts} == {
        ("privacy", "CARD", "pseudonymise", "chat", "to chat"),
        ("privacy", "EMAIL", "pseudonymise", "chat", "to chat"),
    }
    assert not any(BOB in json.dumps(msgspec.to_builtins(entry.verdicts)) for entry in outcomes(house))
    # A kill between two turns, and another worker: the same names.
    house.kill_tree()
    house.start()
    assert ask(house, "chat", text, **conversation) == f"You said: {text}"
    assert {token.strip("<>") for token in TOKEN.findall(seen_by(vendor))} == tokens
    # Another conversation has other names, and a call of none has its own.
    before = len(vendor.seen)
    ask(house, "chat", text, metadata={"session_id": "talk-2"})
    ask(house, "chat", text)
    others = TOKEN.findall("".join(seen.body.decode() for seen in vendor.seen[before:]))
    assert len({token.strip("<>") for token in others} | tokens) == 6
    assert len(house.sql("SELECT * FROM vault")) == 4 and len(house.sql("SELECT * FROM vault_key")) == 3
    key = house.home / "vault.key"
    found = [path for path in (key, *house.home.rglob("vault.key")) if path.exists()]
    assert found and stat.S_IMODE(os.stat(found[0]).st_mode) == 0o600


# -- one house for the rest -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def house(shared_vendor: Vendor, opened: Opener) -> System:
    return opened(
        config(
            *[
                deployment(name, shared_vendor.url, f"{name}-model")
                for name in ("clear", "pseudo", "redact", "refuse", "secrets", "watch", "far")
            ],
            own("mine", shared_vendor),
            '[routes.keep]\ndeployments = ["clear"]\nfallback = ["mine"]\n',
            policies(
                pseudo='outside = "pseudonymise"',
                redact='outside = "redact"',
                refuse='outside = "refuse"',
                secrets='by_kind = { SECRET = "refuse", EMAIL = "redact" }',
                keep='outside = "own"',
                far='recipients = { vendor-openai = "own" }, media = "own"',
            ),
            '[policies.watch]\nroutes = ["watch"]\ndry_run = true\nprivacy = { outside = "refuse" }\n',
        )
    )


def test_a_token_that_is_split_at_each_place(house: System, behind: Vendor) -> None:
    text = f"to {BOB}!"
    answer = "You said: to <EMAIL_000000>!"
    with client(house) as door:
        for at in range(len("You said: "), len(answer) + 1):
            behind.script("pseudo-model", f"ok;split={at}")
            chunks = door.chat.completions.create(
                model="pseudo", messages=[{"role": "user", "content": text}], stream=True
            )
            said = [chunk.choices[0].delta.content or "" for chunk in chunks]
            assert "".join(said) == f"You said: {text}", at
    assert BOB not in seen_by(behind) and len(set(TOKEN.findall(seen_by(behind)))) == len(behind.seen)


@pytest.mark.parametrize("act", ["odd;step=1", "odd;step=3", "usage_each"])
def test_a_token_in_odd_streams(house: System, behind: Vendor, act: str) -> None:
    behind.script("pseudo-model", act)
    assert ask(house, "pseudo", f"to {BOB}!") == f"You said: to {BOB}!"
    assert BOB not in seen_by(behind)


def test_what_each_route_lets_through(house: System, behind: Vendor) -> None:
    assert ask(house, "clear", f"to {BOB}") == f"You said: to {BOB}"
    assert ask(house, "redact", f"to {BOB}", user=BOB) == "You said: to [EMAIL]"
    assert behind.seen[-1].json()["user"] == "EMAIL"
    assert ask(house, "watch", f"to {BOB}") == f"You said: to {BOB}"
    assert ask(house, "keep", f"to {BOB}") == f"You said: to {BOB}"
    assert ask(house, "keep", "to nobody") == "You said: to nobody"
    assert [seen.json()["model"] for seen in behind.seen] == [
        "clear-model", "redact-model", "watch-model", "own-model", "clear-model"
    ]  # fmt: skip
    watched = next(entry for entry in outcomes(house) if entry.deployment == "watch")
    assert [(v.category, v.action, v.dry) for v in watched.verdicts] == [("EMAIL", "block", True)]
    kept = [entry for entry in outcomes(house) if entry.asked == "keep"]
    assert [entry.deployment for entry in kept] == ["mine", "clear"]


@pytest.mark.parametrize(
    ("route", "text", "status", "code", "words"),
    [
        ("refuse", f"to {BOB}", 400, "content_filter", "e-mail addresses"),
        (
            "secrets",
            "use ghp_EXAMPLENOTAREALGITHUBTOKEN0000000000",
            400,
            "content_filter",
            "keys, tokens and passwords",
        ),
        ("far", f"to {BOB}", 403, "terms_forbid", "models of one's own"),
    ],
)
def test_what_is_refused_says_why_and_never_leaves(
    house: System, behind: Vendor, route: str, text: str, status: int, code: str, words: str
) -> None:
    for stream in (False, True):
        with client(house) as door, pytest.raises(openai.APIStatusError) as e:
            door.chat.completions.create(model=route, messages=[{"role": "user", "content": text}], stream=stream)
        assert (e.value.status_code, e.value.code) == (status, code)
        assert words in e.value.message and text.split()[-1] not in e.value.message
    assert behind.seen == []
    entry = outcomes(house)[-1]
    assert (entry.error, entry.deployment) == (code, "") and entry.verdicts[-1].by == "privacy"


def test_a_stolen_token_gives_nothing_away(house: System, behind: Vendor) -> None:
    ask(house, "pseudo", f"I am {BOB}", metadata={"session_id": "victim"})
    (stolen,) = set(TOKEN.findall(behind.seen[-1].body.decode()))
    text = f"print the address behind {stolen} and {stolen.strip('<>')}, I am {ANN}"
    for session in ({"metadata": {"session_id": "thief"}}, {"metadata": {"session_id": "victim"}}, {}):
        said = ask(house, "pseudo", text, **session)
        assert BOB not in said and said == f"You said: {text}"


def test_the_vault_from_the_command_line(house: System, behind: Vendor) -> None:
    ask(house, "pseudo", f"I am {BOB}", metadata={"session_id": "told"})
    (token,) = set(TOKEN.findall(behind.seen[-1].body.decode()))
    talk = ("--key", "tester", "--session", "told")
    assert house.cli("vault", "reveal", token, *talk).stdout == f"{BOB}\n"
    assert house.cli("vault", "reveal", token, "--key", "tester", "--session", "x", check=False).returncode == 1
    assert house.cli("vault", "reveal", token, "--key", "nobody", "--session", "told", check=False).returncode == 1
    before = house.json("vault", "show")
    assert house.json("vault", "erase", *talk) == {"erased": 1}
    assert house.json("vault", "show")["pseudonyms"] == before["pseudonyms"] - 1
    assert house.cli("vault", "reveal", token, *talk, check=False).returncode == 1
    acts = [json.loads(decode(row["data"]).note) for row in house.entries() if row["kind"] == "admin"]
    assert [act["act"] for act in acts][-2:] == ["vault.reveal", "vault.erase"]
    assert BOB not in json.dumps(acts) and house.cli("vault", "reset", check=False).returncode == 2


async def test_many_at_once_get_their_own_back(house: System, behind: Vendor) -> None:
    async with openai.AsyncOpenAI(base_url=f"{house.url}/v1", api_key=house.key, max_retries=0, timeout=20) as door:

        async def one(n: int) -> str:
            chunks = await door.chat.completions.create(
                model="pseudo", messages=[{"role": "user", "content": f"I am p{n}@mail.example"}], stream=True,
                metadata={"session_id": f"talk-{n % 5}"},
            )  # fmt: skip
            return "".join([chunk.choices[0].delta.content or "" async for chunk in chunks])

        said = await asyncio.gather(*[one(n) for n in range(40)])
    assert said == [f"You said: I am p{n}@mail.example" for n in range(40)]
    assert "@mail.example" not in seen_by(behind)


# -- an outsider's check ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def checked(opened: Opener) -> Iterator[tuple[System, int]]:
    """A house whose vendor is what the benchmark listens with."""
    port = free_port()
    yield opened(config(
        deployment("conformance-model", f"http://127.0.0.1:{port}", "conformance-model"),
        '[policies.all]\nprivacy = { outside = "pseudonymise" }\n',
    )), port  # fmt: skip


def benchmark(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from pii_leak_benchmark.cli import main; import sys; sys.exit(main())", *words],
        capture_output=True, text=True, timeout=120, cwd=ROOT, check=False,
    )  # fmt: skip


def test_pii_leak_benchmark_finds_the_door_clean(checked: tuple[System, int]) -> None:
    system, port = checked
    control = benchmark("selfcheck", "--target-base-url", "capture://self", "--capture-port", str(free_port()))
    assert control.returncode == 1 and "LEAK" in control.stdout, "without a door everything leaks, and it is seen"
    done = benchmark(
        "selfcheck", "--target-base-url", f"{system.url}/v1", "--target-api-key", system.key,
        "--capture-port", str(port),
    )  # fmt: skip
    assert done.returncode == 0 and "CLEAN" in done.stdout, done.stdout + done.stderr
    for kind in ("EMAIL", "SSN", "CREDIT_CARD", "AWS_ACCESS_KEY_ID", "GITHUB_TOKEN", "SLACK_TOKEN"):
        assert re.search(rf"{kind}\s+contained", done.stdout), done.stdout
