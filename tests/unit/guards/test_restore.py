"""Pseudonyms come back: whole and streamed alike, however an answer is cut and whatever was done to a token."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.guards.restore import Forms, Restorer, Restoring, tokenlike, whole, written
from freehold.wire import sse
from freehold.wire.dialects.openai_pieces import Place, further, pieces

BOB, ANN, KEY = "bob@x.example", "ann@x.example", 'pass"word\\\n-end'
TOKENS = {"EMAIL_7f3a12": BOB, "EMAIL_7f3a1299": ANN, "SECRET_00ff00": KEY, "NATIONAL_ID_abcdef": "1234567890"}
FORMS = Forms(TOKENS)
LIKE = b'{"id":"x","object":"chat.completion.chunk","created":1,"model":"m","choices":[]}'


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("write to <EMAIL_7f3a12>.", f"write to {BOB}."),
        ("write to EMAIL_7f3a12.", f"write to {BOB}."),
        ("<EMAIL_7f3a1299> and <EMAIL_7f3a12>", f"{ANN} and {BOB}"),
        ("<email_7F3A12>, Email_7f3a12's", f"{BOB}, {BOB}'s"),
        ("\\<EMAIL\\_7f3a12\\> \\<EMAIL_7f3a12>", f"{BOB} {BOB}"),
        ("&lt;EMAIL_7f3a12&gt; &LT;EMAIL_7f3a12&GT;", f"{BOB} {BOB}"),
        ("mailto:%3CEMAIL_7f3a12%3E < EMAIL_7f3a12 >", f"mailto:{BOB} {BOB}"),
        ("**EMAIL_7f3a12** _EMAIL_7f3a12_ `<EMAIL_7f3a12>`", f"**{BOB}** _{BOB}_ `{BOB}`"),
        ("[EMAIL_7f3a12](mailto:<EMAIL_7f3a12>)", f"[{BOB}](mailto:{BOB})"),
        ("\\u003cEMAIL_7f3a12\\u003e", BOB),
        ("<NATIONAL_ID_abcdef> NATIONAL\\_ID\\_ABCDEF", "1234567890 1234567890"),
        ("<EMAIL_7f3a12 and more>", f"<{BOB} and more>"),
        ("<b>EMAIL_7f3a12</b>", f"<b>{BOB}</b>"),
        # What is none of these tokens stays.
        ("<EMAIL_7f3a13> EMAIL_7f3a12ab EMAIL_7f3a1 XEMAIL_7f3a12 EMAIL-7f3a12 [EMAIL]", None),
        ("PHONE_7f3a12 SECRET_7f3a12 <EMAIL_> < EMAIL _7f3a12>", None),
        ("", None),
    ],
)
def test_forms_of_a_token(said: str, shown: str | None) -> None:
    expected = said if shown is None else shown
    assert FORMS.put(said) == expected
    for cut in range(len(said) + 1):
        restorer = Restorer(FORMS, quoted=False)
        assert restorer.feed(said[:cut]) + restorer.feed(said[cut:]) + restorer.finish() == expected


bits = st.sampled_from(
    ["<", ">", "\\", "_", "&lt;", "&gt;", "%3C", "%3e", "\\u003c", "\\u003e", " ", "E", "e", "EMAIL", "email_",
     "7f3a12", "99", "7f3a", "EMAIL_7f3a12", "<EMAIL_7f3a12>", "<EMAIL_7f3a1299>", "SECRET\\_00ff00", "NATIONAL_ID",
     "_abcdef", "<NATIONAL_", "x", "é", "\n", "a b c", "`", "[", "]"]
)  # fmt: skip
texts = st.lists(bits | st.text(max_size=3), max_size=14).map("".join)


def cut(text: str, cuts: list[int]) -> list[str]:
    at = sorted({min(each, len(text)) for each in cuts})
    return [text[start:end] for start, end in zip([0, *at], [*at, len(text)], strict=True)]


@given(texts, st.lists(st.integers(0, 60), max_size=12), st.booleans())
def test_streamed_equals_whole_however_it_is_cut(text: str, cuts: list[int], quoted: bool) -> None:
    restorer = Restorer(FORMS, quoted=quoted)
    out = ""
    for piece in cut(text, cuts):
        out += restorer.feed(piece)
        assert len(restorer.held) <= FORMS.longest
    assert out + restorer.finish() == FORMS.put(text, quoted=quoted)


def test_nothing_else_waits() -> None:
    restorer = Restorer(FORMS, quoted=False)
    for word in ("Every", " emails", " is <b>", "bold</b>", " a_b", " EMAILS", "_7f", " e.g.", " PHONE_7f3a12", " <x"):
        assert restorer.feed(word) == word
    assert restorer.feed(" <EM") == " "
    assert restorer.feed("AIL_7f3a12") == ""
    assert restorer.feed(">,") == f"{BOB},"
    assert restorer.held == ""


def test_values_are_escaped_inside_json() -> None:
    said = '{"key": "<SECRET_00ff00>", "to": "EMAIL_7f3a12"}'
    assert json.loads(FORMS.put(said, quoted=True)) == {"key": KEY, "to": BOB}
    assert FORMS.put("<SECRET_00ff00>") == KEY


def test_what_looks_like_a_token() -> None:
    assert tokenlike("<EMAIL_7f3a12> email\\_00FF an_id_7f3a12 NATIONAL\\_ID_abcdef PHONE_12") == {
        "EMAIL_7F3A12", "EMAIL_00FF", "NATIONAL_ID_ABCDEF",
    }  # fmt: skip
    assert tokenlike("nothing of the kind") == set()
    assert tokenlike("a_beef " * 50_000 + written("CARD_123456")) == {"CARD_123456"}


# -- events -----------------------------------------------------------------------------------------------------------


class Client:
    """What a client puts together of the events that arrive."""

    def __init__(self) -> None:
        self.said: dict[Place, str] = {}
        self.raw = b""
        self.sends = 0
        self.ended: dict[int, str] = {}

    def __call__(self, events: bytes) -> None:
        assert events.endswith((b"\n\n", b"\r\n\r\n"))
        self.sends += 1
        self.raw += events
        for event in sse.events(events):
            for piece in pieces(event.data) or ():
                assert piece.choice not in self.ended, "words after the end of a choice"
                place = (piece.choice, piece.channel)
                self.said[place] = self.said.get(place, "") + piece.text
            for choice in json.loads(event.data)["choices"]:
                if choice["finish_reason"] is not None:
                    self.ended[choice["index"]] = choice["finish_reason"]


def event(said: dict[Place, str], finish: str | None = None) -> bytes:
    return sse.encode(further(LIKE, said, finish))


def restored(events: list[bytes], quoted: bool = False) -> Client:
    client = Client()
    flow = Restoring(FORMS, client, quoted=quoted)
    for each in events:
        flow.feed(each)
    asyncio.run(flow.finish())
    flow.close()
    return client


places = st.sampled_from([(0, "content"), (1, "content"), (0, ("arguments", 0)), (0, ("arguments", 1)), (1, "refusal")])


@given(st.dictionaries(places, texts.filter(bool), min_size=1), st.data())
def test_streams_of_several_choices_and_tools(said: dict[Place, str], data: st.DataObject) -> None:
    events: list[bytes] = []
    for place, text in said.items():
        cuts = data.draw(st.lists(st.integers(0, 40), max_size=5))
        events += [event({place: piece}) for piece in cut(text, cuts) if piece]
    events += [event({(choice, "content"): ""}, "stop") for choice in sorted({place[0] for place in said})]
    client = restored(events)
    for place, text in said.items():
        expected = FORMS.put(text, quoted=place[1][0] == "arguments")
        assert client.said.get(place, "") == expected
    assert set(client.ended) == {place[0] for place in said}


def test_a_token_that_is_cut_at_each_place() -> None:
    said = "to <EMAIL_7f3a12>, please"
    for at in range(1, len(said)):
        halves = [event({(0, "content"): said[:at]}), event({(0, "content"): said[at:]})]
        assert restored([*halves, event({(0, "content"): ""}, "stop")]).said == {(0, "content"): f"to {BOB}, please"}
        assert restored([b"".join(halves)]).said == {(0, "content"): f"to {BOB}, please"}


def test_what_is_held_goes_before_the_end_of_its_choice() -> None:
    client = restored([event({(0, "content"): "a <EMAIL_7f3a12"}), event({(0, "content"): ""}, "stop")])
    assert client.said == {(0, "content"): f"a <{BOB}"} and client.ended == {0: "stop"}
    client = restored([event({(0, "content"): "a EMAIL_7f3a12"}, "stop")])
    assert client.said == {(0, "content"): f"a {BOB}"}
    # A stream that breaks off without ending its choices loses nothing.
    assert restored([event({(0, "content"): "a <EMA"})]).said == {(0, "content"): "a <EMA"}


def test_events_without_tokens_pass_as_they_are() -> None:
    plain = (
        b": comment\n\n"
        b'data: {"id":"x","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}\n\n'
        b'event: delta\nid: 7\ndata: {"choices":[{"index":0,"delta":{"content":"w\\u0061it"}}]}\n\n'
        b'data: {"choices":[],"usage":{"total_tokens":7}}\r\n\r\n'
        b"data: not json\n\n"
    )
    sent: list[bytes] = []
    Restoring(FORMS, sent.append).feed(plain)
    assert sent == [plain]


def test_fields_of_an_event_stay() -> None:
    sent: list[bytes] = []
    flow = Restoring(FORMS, sent.append)
    flow.feed(
        b'event: delta\nid: 7\ndata: {"choices":[{"index":0,"delta":{"content":"<EMAIL_7f3a12>!"},"x":1.50}]}\n\n'
    )
    assert sent == [
        b'event: delta\nid: 7\ndata: {"choices":[{"index":0,"delta":{"content":"bob@x.example!"},"x":1.50}]}\n\n'
    ]


@pytest.mark.parametrize("quoted", [False, True])
def test_content_that_is_json(quoted: bool) -> None:
    said = '{"key":"<SECRET_00ff00>"}'
    shown = FORMS.put(said, quoted=quoted)
    client = restored([event({(0, "content"): said[:14]}), event({(0, "content"): said[14:]}, "stop")], quoted)
    assert client.said == {(0, "content"): shown}
    assert quoted == (json.loads(shown) == {"key": KEY} if quoted else False)


def test_a_whole_answer() -> None:
    called = {"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"k":"<SECRET_00ff00>"}'}}
    body: dict[str, Any] = {
        "id": "x",
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": "to <EMAIL_7f3a12>", "tool_calls": [called]}},
            {"index": 1, "message": {"role": "assistant", "content": "<EMAIL_ffffff>"}},
        ],
        "usage": {"total_tokens": 3},
    }
    raw = json.dumps(body).encode()
    shown = json.loads(whole(FORMS, raw))
    message = shown["choices"][0]["message"]
    assert message["content"] == f"to {BOB}"
    assert json.loads(message["tool_calls"][0]["function"]["arguments"]) == {"k": KEY}
    assert shown["choices"][1] == body["choices"][1] and shown["usage"] == body["usage"]
    untouched = b'{"choices": [ {"index":0, "message":{"content":"none"}} ]}'
    assert whole(FORMS, untouched) is untouched
    assert whole(FORMS, b"no json") == b"no json"
    assert json.loads(whole(FORMS, b'{"choices":[{"index":0,"text":"EMAIL_7f3a12"}]}'))["choices"][0]["text"] == BOB


def test_a_megabyte_of_what_is_nearly_a_token() -> None:
    text = "<EMAIL_7f3a1" * 90_000
    restorer = Restorer(FORMS, quoted=False)
    out = "".join(restorer.feed(text[at : at + 1000]) for at in range(0, len(text), 1000))
    assert out + restorer.finish() == text
