"""The words in an OpenAI request: where they stand, and the same request with other words in their places. Refuses to
know what is looked for in them.

A place is a path of names and indexes. Where the last step is a number, it counts the strings and numbers of what
stands there: of the JSON inside a string (a tool call's arguments), or of a member that has no form we know. The place
of a name is that of what it names, and "name": nothing can be put there.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, NamedTuple

import msgspec
from msgspec import Raw

from freehold.core.call import Call

Path = tuple[str | int, ...]
Role = Literal["system", "user", "assistant", "tool", "prompt", "input", "other", "name"]
Medium = Literal["image", "audio", "file", "tokens"]
Member = Literal["messages", "prompt", "suffix", "input"]


class Text(NamedTuple):
    """Words of a request: their place, who says them, and what they are."""

    path: Path
    role: Role
    text: str


class _Message(msgspec.Struct):
    role: str = ""
    content: Any = None
    tool_calls: Any = None
    function_call: Any = None
    refusal: Any = None
    reasoning_content: Any = None


_ROLES: dict[str, Role] = {
    "system": "system", "developer": "system", "user": "user", "assistant": "assistant", "tool": "tool",
    "function": "tool",
}  # fmt: skip
_WORDS: dict[str, tuple[Member, ...]] = {
    "chat": ("messages",),
    "completion": ("prompt", "suffix"),
    "embedding": ("input",),
    "moderation": ("input",),
}
_USUAL = frozenset(
    {"model", "messages", "temperature", "max_tokens", "max_completion_tokens", "top_p", "stream", "n", "stop"}
)
"""Names of members that most calls have, and no words of anybody's."""
_FIXED = frozenset(
    {
        "encoding_format", "logit_bias", "modalities", "reasoning_effort", "service_tier", "stream_options",
        "verbosity",
    }
)  # fmt: skip
"""Members that hold known words, as a rule."""
_WORDS_KNOWN = re.compile(rb'(?:[\[\]{}:,\s"a-z_.-]|\d{1,6}(?!\d))*+')
_SCHEMAS = frozenset({"tools", "functions", "response_format"})
"""Members whose numbers are bounds, not somebody's."""
_SPOKEN, _LABEL, _MEDIUM = "spoken", "label", "medium"
"""What a member is: words that `texts` returns; a name that is no word while it is made of letters and digits; a medium
itself."""
Form = Mapping[str, Any]
_PART: Form = {
    "type": _LABEL, "text": _SPOKEN, "refusal": _SPOKEN,
    "image_url": {"url": _MEDIUM, "detail": _LABEL},
    "input_audio": {"data": _MEDIUM, "format": _LABEL},
    "file": {"file_data": _MEDIUM, "file_id": _LABEL},
}  # fmt: skip
_CALLED: Form = {"name": _LABEL, "arguments": _SPOKEN}
_CALL: Form = {"id": _LABEL, "type": _LABEL, "function": _CALLED, "custom": {"name": _LABEL, "input": _SPOKEN}}
_MESSAGE: Form = {
    "role": _LABEL, "id": _LABEL, "type": _LABEL, "tool_call_id": _LABEL, "content": [_PART], "refusal": _SPOKEN,
    "reasoning_content": _SPOKEN, "tool_calls": [_CALL], "function_call": _CALLED,
}  # fmt: skip
"""Members of a message; a list stands for a list of such, or for words."""
_LETTERS = re.compile(rb'"[A-Za-z0-9_.-]{0,64}"')
_BASE64 = re.compile(rb'"(?:data:[^",]{0,200};base64,)?[A-Za-z0-9+/=_-]*+"')
_STARTS = frozenset(b'"[{')
_QUOTE, _LIST, _OBJECT = ord('"'), ord("["), ord("{")
_NONE = Raw(b"null")
_SCALAR = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"|-?\d[\d.eE+-]*+', re.DOTALL)
_FIELD = re.compile(r"[a-z_]{1,32}")
_LONG_NUMBER = 7
"""Digits from which a number may be somebody's."""


class _Plain(msgspec.Struct, forbid_unknown_fields=True):
    role: str
    content: str


_messages = msgspec.json.Decoder(list[_Message])
_plain = msgspec.json.Decoder(list[_Plain])
_members = msgspec.json.Decoder(dict[str, Raw])
_items = msgspec.json.Decoder(list[Raw])
_any = msgspec.json.Decoder()
_string = msgspec.json.Decoder(str)
_encode = msgspec.json.Encoder().encode


def texts(call: Call) -> list[Text]:
    """Return what is said in `call`, in order: contents, refusals, reasoning, tool results, the strings in the
    arguments of tool calls; a prompt with its suffix; the inputs of an embedding. Names of tools are no words."""
    out: list[Text] = []
    if call.kind != "chat":
        for name in _WORDS[call.kind]:
            if name in call.fields:
                out += _spoken((name,), "input" if name == "input" else "prompt", _any.decode(call.fields[name]))
        return out
    for place, message in enumerate(_messages.decode(call.fields["messages"])):
        role = _ROLES.get(message.role, "user")
        at: Path = ("messages", place)
        content = message.content
        if content.__class__ is str:
            out.append(Text((*at, "content"), role, content))
        elif content is not None:
            out += _parts((*at, "content"), role, content)
        if message.refusal or message.reasoning_content:
            out += _spoken((*at, "refusal"), role, message.refusal)
            out += _spoken((*at, "reasoning_content"), role, message.reasoning_content)
        if message.tool_calls or message.function_call:
            out += _called(at, role, message)
    return out


def read(call: Call) -> tuple[list[Text], bool]:
    """Return what `texts` does, and whether it is plain: each message of a chat is of a role and one text and nothing
    else, as most are. Who knows that tells `others`, `media` and `repeated`, which decode the messages otherwise."""
    if call.kind != "chat":
        return texts(call), False
    try:
        messages = _plain.decode(call.fields["messages"])
    except (msgspec.DecodeError, UnicodeError):
        return texts(call), False
    role = _ROLES.get
    return [
        Text(("messages", place, "content"), role(each.role, "user"), each.content)
        for place, each in enumerate(messages)
    ], True


def others(call: Call, maybe: Callable[[str], bool] | None = None, *, plain: bool | None = None) -> list[Text]:
    """Return every further string that leaves with `call` (of user, metadata, tools, names, addresses of pictures, and
    members that nobody knows, their names too), and numbers long enough to be somebody's. Media themselves are left
    out, and what is but a label: ids and names of tools made of letters and digits.

    `maybe` is asked first of each member as a whole, as JSON text: whether anything in it can matter.
    """
    out: list[Text] = []
    words = _WORDS[call.kind]
    below = call.asked.partition("/")[2]
    if below:  # the model of a wildcard is what the caller says
        out.append(Text(("model", "name"), "name", below))
    for name, raw in call.fields.items():
        if name not in _USUAL and _FIELD.fullmatch(name) is None:
            out.append(Text((name, "name"), "name", name))
        if name == "model" or name in words or memoryview(raw)[0] not in _STARTS:
            continue
        if name not in _FIXED or _WORDS_KNOWN.fullmatch(raw) is None:
            out += _rest((name,), raw, maybe, numbers=name not in _SCHEMAS)
    if call.kind == "moderation":
        out += _each(("input",), call.fields.get("input", _NONE), _PART, maybe)
    if call.kind == "chat" and not (_is_plain(call.fields["messages"]) if plain is None else plain):
        out += _each(("messages",), call.fields["messages"], _MESSAGE, maybe)
    return out


def media(call: Call, *, plain: bool | None = None) -> list[Medium]:
    """Return what `call` holds that is no text and cannot be read as text: each kind of medium once, in order."""
    if plain:
        return []
    kinds: set[Medium] = set()
    if call.kind != "chat":
        given = _any.decode(call.fields.get(_WORDS[call.kind][0], _NONE))
        for item in given if isinstance(given, list) else ():
            if isinstance(item, dict):
                kinds.update(_medium(item))
            elif not isinstance(item, str):
                kinds.add("tokens")
        return sorted(kinds)
    raw = call.fields["messages"]
    if plain is False or not _is_plain(raw):
        for message in _messages.decode(raw):
            for part in message.content if isinstance(message.content, list) else ():
                kinds.update(_medium(part))
    return sorted(kinds)


_MEDIA: dict[str, Medium] = {"image_url": "image", "input_audio": "audio", "file": "file"}


def _medium(part: Any) -> tuple[Medium, ...]:
    kind = _MEDIA.get(part.get("type", "")) if isinstance(part, dict) else None
    return () if kind is None else (kind,)


def replaced(call: Call, new: Mapping[Path, str]) -> Call:
    """Return `call` with other words at the places of `new`, which `texts` or `others` named; the bytes of everything
    else are kept. A number gives way to a string. Raises KeyError or IndexError for a place that there is not."""
    if not new:
        return call
    edits: dict[str, dict[Path, str]] = {}
    for path, text in new.items():
        edits.setdefault(str(path[0]), {})[path[1:]] = text
    fields = {**call.fields, **{name: put(call.fields[name], edit) for name, edit in edits.items()}}
    return msgspec.structs.replace(call, fields=fields)


def repeated(call: Call, *, plain: int | None = None) -> str | None:
    """Return the name of a member that stands twice in one object of a chat's messages: readers differ on which of the
    two they believe, so that what was looked at might not be what is read. None where all stand once. `plain`: how many
    messages there are, when all are known to be plain."""
    if call.kind != "chat":
        return None
    messages = call.fields["messages"]
    raw = bytes(messages)
    if plain is None and _is_plain(messages):
        plain = len(_items.decode(raw))
    # Inside a string quotes are escaped, so that plain messages are seen to be single by counting.
    if plain is not None and raw.count(b'"content"') == raw.count(b'"role"') == plain:
        return None
    twice: list[str] = []

    def note(pairs: list[tuple[str, Any]]) -> None:
        twice.extend(name for name, times in Counter(name for name, _ in pairs).items() if times > 1)

    json.loads(raw, object_pairs_hook=note)
    return twice[0] if twice else None


def put(raw: Raw, edits: Mapping[Path, str]) -> Raw:
    """Return the JSON of `raw` with texts put at places in it; what no place lies in is kept byte for byte."""
    if () in edits:
        return Raw(_encode(edits[()]))
    below: dict[str | int, dict[Path, str]] = {}
    scalars: dict[int, str] = {}
    for path, text in edits.items():
        if len(path) == 1 and isinstance(path[0], int):
            scalars[path[0]] = text
        else:
            below.setdefault(path[0], {})[path[1:]] = text
    first = memoryview(raw)[0]
    if scalars:
        if first == _QUOTE:
            return Raw(_encode(_substituted(_string.decode(raw), scalars)))
        return Raw(_substituted(bytes(raw).decode(), scalars).encode())
    if first == _LIST:
        items = _items.decode(raw)
        for index, edit in below.items():
            items[int(index)] = put(items[int(index)], edit)
        return Raw(_encode(items))
    members = _members.decode(raw)
    for name, edit in below.items():
        members[str(name)] = put(members[str(name)], edit)
    return Raw(_encode(members))


def scalars(text: str, *, numbers: bool = True) -> list[tuple[int, str]] | None:
    """Return the strings of JSON `text`, names of members that are but plain words left out, and its long numbers, each
    with its count among all strings and numbers. None when `text` is not JSON."""
    try:
        _any.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    out = []
    for count, match in enumerate(_SCALAR.finditer(text)):
        found = match[0]
        if found[0] != '"':
            if numbers and sum(map(str.isdigit, found)) >= _LONG_NUMBER:
                out.append((count, found))
            continue
        plain = _plain_of(found)
        if plain and not (_FIELD.fullmatch(plain) and text[match.end() : match.end() + 8].lstrip().startswith(":")):
            out.append((count, plain))
    return out


def _plain_of(quoted: str) -> str:
    """The string that a JSON string writes."""
    return _string.decode(quoted) if "\\" in quoted else quoted[1:-1]


def _is_plain(messages: Raw) -> bool:
    """Whether all messages are of a role and one text and nothing else, as most are."""
    try:
        _plain.decode(messages)
    except (msgspec.DecodeError, UnicodeError):
        return False
    return True


def _substituted(text: str, new: Mapping[int, str]) -> str:
    """Put strings in the places of the strings and numbers of JSON `text` that `new` counts."""
    count = -1

    def substitute(match: re.Match[str]) -> str:
        nonlocal count
        count += 1
        given, found = new.get(count), match[0]
        if given is None or given == (_plain_of(found) if found[0] == '"' else found):
            return found
        return _encode(given).decode()

    out = _SCALAR.sub(substitute, text)
    if max(new) > count:
        raise IndexError(max(new))
    return out


def _spoken(path: Path, role: Role, given: Any) -> Iterator[Text]:
    """A text, or each of several, also of those that stand in parts."""
    if isinstance(given, str):
        yield Text(path, role, given)
    elif isinstance(given, list):
        for place, item in enumerate(given):
            if isinstance(item, str):
                yield Text((*path, place), role, item)
        yield from _parts(path, role, given)


def _parts(path: Path, role: Role, content: Any) -> Iterator[Text]:
    for place, part in enumerate(content if isinstance(content, list) else ()):
        if isinstance(part, dict):
            for name in ("text", "refusal"):
                if isinstance(part.get(name), str):
                    yield Text((*path, place, name), role, part[name])


def _called(at: Path, role: Role, message: _Message) -> Iterator[Text]:
    """What a model has said to tools."""
    calls = message.tool_calls if isinstance(message.tool_calls, list) else ()
    for place, called in enumerate(calls):
        if not isinstance(called, dict):
            continue
        for kind, member in (("function", "arguments"), ("custom", "input")):
            inner = called.get(kind)
            if isinstance(inner, dict):
                yield from _inside((*at, "tool_calls", place, kind, member), role, inner.get(member))
    if isinstance(message.function_call, dict):
        yield from _inside((*at, "function_call", "arguments"), role, message.function_call.get("arguments"))


def _inside(path: Path, role: Role, given: Any) -> Iterator[Text]:
    """The texts of JSON inside a string; the string itself where it is none, or where nothing is around it."""
    if not isinstance(given, str) or not given:
        return
    found = scalars(given)
    if found is None:
        yield Text(path, role, given)
    else:
        for count, text in found:
            yield Text((*path, count), role, text)


def _rest(path: Path, raw: Raw, maybe: Callable[[str], bool] | None, *, numbers: bool) -> Iterator[Text]:
    """The texts of a member that has no form we know. Escapes may hide from `maybe` what is there."""
    text = bytes(raw).decode()
    if maybe is not None and "\\u" not in text and not maybe(text):
        return
    if text[0] == '"':
        yield Text(path, "other", _string.decode(text))
        return
    for count, found in scalars(text, numbers=numbers) or ():
        yield Text((*path, count), "other", found)


def _each(path: Path, raw: Raw, form: Form, maybe: Callable[[str], bool] | None) -> Iterator[Text]:
    """The further texts of each object in a list."""
    for place, item in enumerate(_items.decode(raw) if memoryview(raw)[0] == _LIST else ()):
        if memoryview(item)[0] == _OBJECT:
            yield from _beside((*path, place), item, form, maybe)


def _beside(path: Path, raw: Raw, form: Form, maybe: Callable[[str], bool] | None) -> Iterator[Text]:
    """The texts of an object of a known form that are not its words."""
    for name, value in _members.decode(raw).items():
        known, first = form.get(name), memoryview(value)[0]
        if known is None and _FIELD.fullmatch(name) is None:
            yield Text((*path, name, "name"), "name", name)
        if first not in _STARTS or _is_known(known, first, value):
            continue
        at = (*path, name)
        if isinstance(known, list) and first == _LIST:
            yield from _each(at, value, known[0], maybe)
        elif isinstance(known, dict) and first == _OBJECT:
            yield from _beside(at, value, known, maybe)
        else:
            yield from _rest(at, value, maybe, numbers=True)


def _is_known(known: Any, first: int, value: Raw) -> bool:
    """Whether what stands in a member needs no look here: it is looked at as words, or it holds none."""
    if known is None or first != _QUOTE:
        return False
    if known == _LABEL:
        return _LETTERS.fullmatch(value) is not None
    if known == _MEDIUM:
        return _BASE64.fullmatch(value) is not None
    return known == _SPOKEN or isinstance(known, list)
