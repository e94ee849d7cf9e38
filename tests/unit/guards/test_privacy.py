"""What each recipient gets to see: by whom, by kind, by the strictest policy; and what is said and put on record."""

from __future__ import annotations

import itertools
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold import store as stores
from freehold.contracts.binding import own
from freehold.contracts.terms import DataClass
from freehold.core.call import Call
from freehold.core.errors import BadRequest, Blocked, EngineError, StoreError
from freehold.guards.finding import KINDS, Finding
from freehold.guards.policy import ACTIONS, Action, Plan, Policy, Privacy, strictest
from freehold.guards.privacy import NAME, PrivacyShield, _together, action
from freehold.guards.shield import Look
from freehold.guards.vault import Vault
from freehold.ledger import Verdict
from freehold.routing import Deployment
from freehold.wire import sse
from freehold.wire.dialects import openai
from freehold.wire.dialects.openai_pieces import pieces

KEY = bytes(range(32))
BOB, CARD = "bob@x.example", "4111 1111 1111 1111"
SECRET = "ghp_EXAMPLENOTAREALGITHUBTOKEN0000000000"
ACME = Deployment("acme-gpt", "openai", "gpt", maker="openai", seller="acme", host="cloud")
FAR = Deployment("far-gpt", "openai", "gpt", maker="far", seller="far", host="far")
OWN = Deployment("own-llama", "llamacpp", "llama", maker="meta", seller="own", host="own", engine="llama")


@pytest.fixture
async def vault(tmp_path: Path) -> AsyncIterator[Vault]:
    store = await stores.open(f"sqlite:///{tmp_path}/freehold.db", durable=False)
    yield Vault(store, KEY)
    await store.close()


def chat(*messages: Any, **more: Any) -> Call:
    said = [{"role": "user", "content": each} if isinstance(each, str) else each for each in messages]
    return openai.parse("chat", json.dumps({"model": "gpt", "messages": said, **more}, separators=(",", ":")).encode())


async def nobody(call: Call) -> bytes:
    raise AssertionError("privacy asks nobody")


def look_at(call: Call, *policies: Policy, session: str | None = None) -> Look:
    call.session = session
    return Look(call, Plan.of(policies), "k", f"k/{session or call.id}", "internal", nobody)


def policy(name: str = "house", dry: bool = False, **privacy: Any) -> Policy:
    return Policy(name=name, dry_run=dry, privacy=Privacy(**privacy))


async def sent(shield: PrivacyShield, look: Look, to: Deployment = ACME) -> str:
    """What the recipient gets to see, as text."""
    if NAME not in look.kept:
        await shield.inspect(look)
    look.redactions = {}
    return openai.encode((await shield.outgoing(look, look.call, to)).fields).decode()


# -- who gets what ----------------------------------------------------------------------------------------------------

actions = st.sampled_from(ACTIONS)
parties = st.sampled_from(["openai", "acme", "cloud", "far", "meta", "own"])
kinds = st.sampled_from(sorted(KINDS))
privacies = st.builds(
    Privacy,
    outside=actions,
    own=actions,
    recipients=st.dictionaries(parties, actions, max_size=3),
    kinds=st.lists(kinds, max_size=3).map(tuple),
    by_kind=st.dictionaries(kinds, actions, max_size=2),
    names=st.booleans(),
)


@given(privacies, kinds, st.sampled_from([ACME, FAR, OWN]))
def test_what_one_policy_wants(said: Privacy, kind: str, to: Deployment) -> None:
    wanted = action(said, kind, to)
    looked_for = not said.kinds or kind in said.kinds or kind in said.by_kind
    if not looked_for or (kind in ("NAME", "PLACE") and not said.names):
        assert wanted == "pass"
        return
    if kind in said.by_kind:
        expected: Action = said.by_kind[kind]
    elif own(to):
        expected = said.own
    else:
        named = [said.recipients[party] for party in (to.maker, to.seller, to.host) if party in said.recipients]
        expected = strictest(named) if named else said.outside
    assert wanted == ("pass" if own(to) and expected == "own" else expected)


@pytest.mark.parametrize(
    ("privacy", "to", "seen"),
    [
        ({"outside": "redact"}, ACME, "[EMAIL] and [CARD]"),
        ({"outside": "redact"}, OWN, f"{BOB} and {CARD}"),
        ({"outside": "redact", "own": "redact"}, OWN, "[EMAIL] and [CARD]"),
        ({"outside": "redact", "recipients": {"acme": "pass"}}, ACME, f"{BOB} and {CARD}"),
        ({"outside": "redact", "recipients": {"acme": "pass"}}, FAR, "[EMAIL] and [CARD]"),
        ({"recipients": {"openai": "pass", "cloud": "redact"}}, ACME, "[EMAIL] and [CARD]"),
        ({"outside": "redact", "kinds": ("CARD",)}, ACME, f"{BOB} and [CARD]"),
        ({"by_kind": {"EMAIL": "redact"}}, ACME, f"[EMAIL] and {CARD}"),
        ({"outside": "redact", "by_kind": {"EMAIL": "pass"}}, ACME, f"{BOB} and [CARD]"),
        ({"by_kind": {"CARD": "redact"}}, OWN, f"{BOB} and [CARD]"),
        ({"by_kind": {"CARD": "own"}}, OWN, f"{BOB} and {CARD}"),
    ],
)
async def test_what_a_recipient_sees(vault: Vault, privacy: dict[str, Any], to: Deployment, seen: str) -> None:
    shield = PrivacyShield(vault)
    look = look_at(chat(f"{BOB} and {CARD}"), policy(**privacy))
    assert json.loads(await sent(shield, look, to))["messages"][0]["content"] == seen
    taken = {"EMAIL": int("[EMAIL]" in seen), "CARD": int("[CARD]" in seen)}
    assert look.redactions == {kind: times for kind, times in taken.items() if times}
    assert look.found == {"EMAIL": 1, "CARD": 1}


@pytest.mark.parametrize("several", list(itertools.permutations(["pass", "pseudonymise", "redact"])))
async def test_the_strictest_policy_wins(vault: Vault, several: tuple[Action, ...]) -> None:
    look = look_at(chat(BOB), *[policy(done, outside=done) for done in several])
    assert "[EMAIL]" in await sent(PrivacyShield(vault), look)
    assert look.verdicts == [Verdict(NAME, "input", "EMAIL", 0, "redact", "redact", False, "to acme-gpt")]


@pytest.mark.parametrize("done", ["pseudonymise", "redact", "own", "refuse"])
async def test_a_dry_run_records_and_does_nothing(vault: Vault, done: Action) -> None:
    shield = PrivacyShield(vault)
    look = look_at(chat(BOB), policy("dry", dry=True, outside=done, by_kind={"EMAIL": done}))
    assert BOB in await sent(shield, look)
    assert shield.allows(look, ACME) == "" and look.redactions == {}
    verb = "block" if done == "refuse" else done
    assert {(v.category, v.action, v.policy, v.dry) for v in look.verdicts} == {("EMAIL", verb, "dry", True)}
    assert all(BOB not in str(v) for v in look.verdicts)


async def test_refusing_says_which_kinds_and_never_the_words(vault: Vault) -> None:
    shield = PrivacyShield(vault)
    look = look_at(chat(f"{SECRET} of {BOB}"), policy(by_kind={"SECRET": "refuse", "EMAIL": "redact"}))
    with pytest.raises(Blocked) as e:
        await shield.inspect(look)  # nobody may have it, so nobody is chosen
    assert "keys, tokens and passwords" in e.value.message and "e-mail" not in e.value.message
    assert SECRET not in e.value.sentences() and e.value.hint
    assert [(v.category, v.action, v.policy) for v in look.verdicts] == [("SECRET", "block", "house")]
    look = look_at(chat(BOB), policy(outside="refuse"))
    await shield.inspect(look)
    assert BOB in await sent(shield, look, OWN)
    with pytest.raises(Blocked, match="e-mail addresses go to acme-gpt"):
        await sent(shield, look, ACME)


async def test_what_only_ones_own_models_may_take(vault: Vault) -> None:
    shield = PrivacyShield(vault)
    look = look_at(chat(f"{BOB} and {SECRET}"), policy(outside="own", by_kind={"SECRET": "pass"}))
    await shield.inspect(look)
    assert shield.allows(look, ACME) == "policy house lets e-mail addresses go to models of one's own alone"
    assert shield.allows(look, OWN) == ""
    assert BOB in await sent(shield, look, OWN)
    with pytest.raises(Blocked):
        await sent(shield, look, ACME)


async def test_who_is_refused_by_name_is_passed_over(vault: Vault) -> None:
    shield = PrivacyShield(vault)
    look = look_at(chat(BOB), policy(recipients={"far": "refuse"}))
    await shield.inspect(look)
    assert shield.allows(look, FAR) == "policy house does not let e-mail addresses go to it"
    assert shield.allows(look, ACME) == shield.allows(look, OWN) == ""
    clean = look_at(chat("hello"), policy(recipients={"far": "refuse"}))
    await shield.inspect(clean)
    assert shield.allows(clean, FAR) == ""


# -- media, classes, names --------------------------------------------------------------------------------------------

PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,aaaa"}}


async def test_pictures_are_said_not_to_be_looked_into(vault: Vault) -> None:
    shield = PrivacyShield(vault)
    call = chat({"role": "user", "content": [{"type": "text", "text": "see"}, PICTURE]})
    look = look_at(call, policy(outside="redact"))
    await shield.inspect(look)
    assert look.verdicts == [Verdict(NAME, "input", "image", 0, "note", "house", False, "nobody looks into it")]
    assert shield.allows(look, ACME) == ""
    look = look_at(call, policy(media="own"))
    await shield.inspect(look)
    assert "pictures" in shield.allows(look, ACME) and shield.allows(look, OWN) == ""
    look = look_at(call, policy(media="refuse"), policy("dry", dry=True, media="refuse"))
    with pytest.raises(Blocked, match="pictures"):
        await shield.inspect(look)
    await shield.inspect(look_at(chat("words"), policy(media="refuse")))


@pytest.mark.parametrize(
    ("words", "known", "raised"),
    [
        ("hello", "public", "public"),
        (BOB, "public", "personal"),
        (f"{BOB} {SECRET}", "internal", "secret"),
        (BOB, "secret", "secret"),
        ("NHS number 943 476 5919", "internal", "special"),
    ],
)
async def test_what_is_found_raises_the_class(vault: Vault, words: str, known: DataClass, raised: str) -> None:
    for classify in (True, False):
        look = look_at(chat(words), policy(outside="redact"))
        look.data_class = known
        await PrivacyShield(vault, classify=classify).inspect(look)
        assert look.data_class == (raised if classify else known)


class Names:
    """Finds the name Bob; answers as the worker for names does."""

    async def find(self, texts: list[str]) -> list[list[Finding]]:
        return [[Finding("NAME", 0, 3)] if text.startswith("Bob") else [] for text in texts]


async def test_names_are_asked_for_only_where_a_policy_wants_them(vault: Vault) -> None:
    call = chat("Bob lives here", "Bob@x.example")
    shield = PrivacyShield(vault, names=Names())  # type: ignore[arg-type]
    look = look_at(call, policy(outside="redact", names=True))
    shown = json.loads(await sent(shield, look))["messages"]
    assert [message["content"] for message in shown] == ["[NAME] lives here", "[EMAIL]"]
    look = look_at(call, policy(outside="redact"))
    assert "Bob lives here" in await sent(shield, look)
    with pytest.raises(EngineError):
        await PrivacyShield(vault).inspect(look_at(call, policy(outside="redact", names=True)))
    look = look_at(call, policy(dry=True, outside="redact", names=True))
    assert "Bob lives here" in await sent(PrivacyShield(vault), look)  # who only looks on stops nothing
    assert look.found == {"EMAIL": 1}


async def test_what_readers_differ_on_is_refused(vault: Vault) -> None:
    body = b'{"model":"m","messages":[{"role":"user","content":"bob@x.example","content":"hello"}]}'
    shield = PrivacyShield(vault)
    with pytest.raises(BadRequest) as e:
        await shield.inspect(look_at(openai.parse("chat", body), policy(outside="redact")))
    assert e.value.code == "duplicate_key"
    await shield.inspect(look_at(openai.parse("chat", body), policy(dry=True, outside="redact")))
    await shield.inspect(look_at(openai.parse("chat", body)))  # where no policy hides anything, nothing is asked


# -- pseudonyms -------------------------------------------------------------------------------------------------------


def tokens_in(text: str) -> list[str]:
    return [part.partition(">")[0] for part in text.split("<")[1:]]


async def test_pseudonyms_are_the_same_throughout_a_conversation(vault: Vault) -> None:
    shield = PrivacyShield(vault)
    rule = policy(outside="pseudonymise")
    one = await sent(shield, look_at(chat(f"mail {BOB}, yes {BOB}"), rule, session="s"))
    two = await sent(shield, look_at(chat("earlier", f"and {BOB}"), rule, session="s"))
    other = await sent(shield, look_at(chat(BOB), rule, session="t"))
    alone = await sent(shield, look_at(chat(BOB), rule))
    assert BOB not in one + two + other + alone
    assert tokens_in(one) == tokens_in(two) * 2
    assert len({*tokens_in(one), *tokens_in(other), *tokens_in(alone)}) == 3


async def test_a_call_without_a_conversation_leaves_nothing_in_the_vault(vault: Vault) -> None:
    shield = PrivacyShield(vault)
    look = look_at(chat(BOB), policy(outside="pseudonymise"))
    assert await sent(shield, look) == await sent(shield, look), "another attempt shows the same"
    assert await vault.size() == (0, 0)


def answer(content: str) -> bytes:
    return json.dumps({"choices": [{"index": 0, "message": {"role": "assistant", "content": content}}]}).encode()


async def test_values_come_back_in_answers(vault: Vault) -> None:
    shield = PrivacyShield(vault)
    look = look_at(chat(f"mail {BOB}"), policy(outside="pseudonymise"))
    (token,) = tokens_in(await sent(shield, look))
    said = f"I wrote to <{token}>"
    (whole,) = pieces(await shield.whole(look, answer(said))) or ()
    assert whole.text == f"I wrote to {BOB}"
    got: list[bytes] = []
    flow = shield.stream(look, got.append)
    assert flow is not None
    for character in said:
        flow.feed(sse.encode(json.dumps({"choices": [{"index": 0, "delta": {"content": character}}]}).encode()))
    await flow.finish()
    streamed = [piece.text for event in sse.events(b"".join(got)) for piece in pieces(event.data) or ()]
    assert "".join(streamed) == f"I wrote to {BOB}"
    # A further attempt that goes to somebody who sees the words has nothing to put back.
    await sent(shield, look, OWN)
    assert shield.stream(look, got.append) is None
    assert await shield.whole(look, answer(said)) == answer(said)


async def test_tokens_of_another_conversation_are_not_restored(vault: Vault) -> None:
    shield = PrivacyShield(vault)
    rule = policy(outside="pseudonymise")
    (stolen,) = tokens_in(await sent(shield, look_at(chat(BOB), rule, session="victim")))
    for session in ("thief", None):
        look = look_at(chat(f"repeat <{stolen}> and ann@x.example"), rule, session=session)
        shown = json.loads(await sent(shield, look))["messages"][0]["content"]
        assert f"<{stolen}>" in shown and len(set(tokens_in(shown))) == 2
        echoed = await shield.whole(look, answer(shown))
        assert BOB.encode() not in echoed and f"<{stolen}> and ann@x.example".encode() in echoed


async def test_a_token_that_is_not_of_this_call_is_not_restored_even_in_its_conversation(vault: Vault) -> None:
    """Whoever shares a session with others could otherwise try all tokens out."""
    shield = PrivacyShield(vault)
    rule = policy(outside="pseudonymise")
    (token,) = tokens_in(await sent(shield, look_at(chat(BOB), rule, session="shared")))
    look = look_at(chat(f"print <{token}>, ann@x.example"), rule, session="shared")
    echoed = await shield.whole(look, answer(json.loads(await sent(shield, look))["messages"][0]["content"]))
    assert BOB.encode() not in echoed and f"<{token}>".encode() in echoed


async def test_a_pseudonym_is_not_what_stands_in_the_text_already(vault: Vault) -> None:
    shield = PrivacyShield(vault)
    rule = policy(outside="pseudonymise")
    (first,) = tokens_in(await sent(shield, look_at(chat(BOB), rule, session="s")))
    known = next(iter(vault._known.values()))
    await vault._store.write(("DELETE FROM vault", [()]))  # the key stays, so the same value leads to the same token
    known.values.clear()
    known.tokens.clear()
    known.read_at = 0
    mangled = first.lower().replace("_", "\\_")
    look = look_at(chat(f"{mangled} is typed, {BOB}"), rule, session="s")
    (second,) = tokens_in(await sent(shield, look))
    assert second != first and second.startswith(first)


async def test_what_is_no_prose_gets_plain_words(vault: Vault) -> None:
    shield = PrivacyShield(vault)
    call = chat({"role": "user", "content": "hi", "name": BOB}, user=BOB, metadata={"by": BOB}, tools=[
        {"type": "function", "function": {"name": "f", "description": f"mails {BOB}"}}
    ])  # fmt: skip
    for done in ("redact", "pseudonymise"):
        look = look_at(call, policy(outside=done))
        shown = json.loads(await sent(shield, look))
        word = shown["user"]
        assert word == "EMAIL" if done == "redact" else word.startswith("EMAIL_")
        assert shown["messages"][0]["name"] == shown["metadata"]["by"] == word
        assert shown["tools"][0]["function"]["description"] == f"mails {word}"
        assert look.redactions == {"EMAIL": 4}


async def test_arguments_and_results_of_tools(vault: Vault) -> None:
    shield = PrivacyShield(vault)
    called = {"id": "c", "type": "function", "function": {"name": "f", "arguments": json.dumps({"to": BOB, "n": 1})}}
    call = chat(
        "go",
        {"role": "assistant", "content": None, "tool_calls": [called]},
        {"role": "tool", "tool_call_id": "c", "content": json.dumps({"sent": [BOB]})},
    )
    look = look_at(call, policy(outside="pseudonymise"))
    shown = json.loads(await sent(shield, look))["messages"]
    given_arguments = json.loads(shown[1]["tool_calls"][0]["function"]["arguments"])
    (token,) = tokens_in(given_arguments["to"])
    assert json.loads(shown[2]["content"]) == {"sent": [f"<{token}>"]} and given_arguments["n"] == 1


@pytest.mark.parametrize("done", ["pseudonymise", "redact", "refuse"])
async def test_what_stands_in_a_name_does_not_leave(vault: Vault, done: Action) -> None:
    """The name of a member, or of a wildcard's model, cannot be another one."""
    for model, more in (("gpt", {f"of {BOB}": 1}), (f"wild/{BOB}", {}), ("gpt", {"metadata": {BOB: "x"}})):
        call = chat("x", **more)
        call.asked = model
        if "metadata" in more and done != "refuse":  # below a member that nobody knows they are words as others
            assert BOB not in await sent(PrivacyShield(vault), look_at(call, policy(outside=done)))
            continue
        with pytest.raises(Blocked) as e:
            await sent(PrivacyShield(vault), look_at(call, policy(outside=done)))
        assert "e-mail addresses" in e.value.message and BOB not in e.value.message
        assert "x" in await sent(PrivacyShield(vault), look_at(call, policy(outside=done)), OWN)
    assert await vault.size() == (0, 0)


async def test_names_found_by_two_do_not_overlap() -> None:
    first = [Finding("EMAIL", 10 * n, 10 * n + 5) for n in range(100)]
    more = [Finding("NAME", at, at + 3) for at in range(1000)]
    merged = _together(first, more)
    assert [each for each in merged if each.kind == "EMAIL"] == first
    gaps = {(each.start, each.end) for each in merged if each.kind == "NAME"}
    assert gaps == {(10 * n + at, 10 * n + at + 3) for n in range(99) for at in (5, 6, 7)} | {
        (at, at + 3) for at in range(995, 1000)
    }


async def test_embeddings_get_a_word_that_is_always_the_same(vault: Vault) -> None:
    shield = PrivacyShield(vault)
    call = openai.parse("embedding", json.dumps({"model": "e", "input": [f"of {BOB}", "b"]}).encode())
    look = look_at(call, policy(outside="pseudonymise"), session="s")
    assert json.loads(await sent(shield, look))["input"] == ["of [EMAIL]", "b"]
    assert [v.action for v in look.verdicts] == ["redact"]
    assert shield.stream(look, print) is None


async def test_a_vault_that_cannot_be_read_lets_nothing_out(vault: Vault) -> None:
    rule = policy(outside="pseudonymise")
    await sent(PrivacyShield(vault), look_at(chat(BOB), rule, session="s"))
    broken = Vault(vault._store, KEY)
    await vault._store.write(("UPDATE vault_key SET wrapped = nonce", [()]))
    with pytest.raises(StoreError):
        await sent(PrivacyShield(broken), look_at(chat(BOB), rule, session="s"))


async def test_what_another_guard_has_changed_is_looked_at_again(vault: Vault) -> None:
    shield = PrivacyShield(vault)
    look = look_at(chat("hello"), policy(outside="redact"))
    await shield.inspect(look)
    changed = chat(f"hello {BOB}")
    assert BOB not in openai.encode((await shield.outgoing(look, changed, ACME)).fields).decode()


async def test_long_members_are_looked_at_once(vault: Vault) -> None:
    shield = PrivacyShield(vault)
    clean = [{"type": "function", "function": {"name": "f", "description": "plain " * 100}}]
    for _ in range(3):
        assert await sent(shield, look_at(chat("hi", tools=clean), policy(outside="redact")))
    assert len(shield._clean) == 1
    dirty = json.loads(json.dumps(clean).replace("plain plain", f"plain {BOB}"))
    for _ in range(2):
        assert BOB not in await sent(shield, look_at(chat("hi", tools=dirty), policy(outside="redact")))


@pytest.mark.parametrize("done", ["redact", "pseudonymise"])
async def test_a_long_prompt(vault: Vault, done: Action) -> None:
    """A megabyte with ten thousand addresses in it, and as many words that look like tokens."""
    text = " ".join(f"p{n}@x.example EMAIL_{n:06x} <EMAIL_{n:06x}" for n in range(10_000)) + " x" * 300_000
    shield = PrivacyShield(vault)
    look = look_at(chat(text), policy(outside=done), session="s")
    shown = json.loads(await sent(shield, look))["messages"][0]["content"]
    assert "@x.example" not in shown and look.redactions == {"EMAIL": 10_000}
    if done == "pseudonymise":
        (back,) = pieces(await shield.whole(look, answer(shown))) or ()
        assert back.text == text
