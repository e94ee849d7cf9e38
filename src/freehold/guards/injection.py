"""How much a text looks like an attack on the model that reads it: orders in what a tool or a document brought, or a
user who wants to talk a model out of its rules. Knows signs; refuses to decide what follows.

Signs are phrases (words/injection.toml) and forms: forged marks of a chat, addresses that carry data away, words that
nobody sees, and all of these inside base64 or an HTML comment. Each family of signs counts once, by its strongest; the
families are put together as independent evidence, 1 - (1-a)(1-b)... Time linear in the text.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import html
import re
from collections.abc import Iterator, Sequence
from typing import Final, Literal, NamedTuple

from freehold.guards import lists
from freehold.guards.taxonomy import Concern

Source = Literal["tool", "document", "user"]
"""Where a text is from: a tool's result; a file or a passage of one; somebody who may well give orders."""

WEIGHTS: Final[dict[int, float]] = {2: 0.3, 4: 0.6, 6: 0.85}
"""What a rule's severity is worth as evidence."""
TRUST: Final[dict[Source, float]] = {"tool": 1.0, "document": 1.0, "user": 0.85}
"""What evidence is worth by where the text is from."""
STRETCH, OVERLAP = 4000, 400
"""Characters that are looked at together, and that two stretches share: signs that stand far apart are no company."""
_DEEP = 2
"""How deep one hiding place inside another is looked into."""
_READABLE = 0.9


class Score(NamedTuple):
    """`value` from 0 to 1; `signs` are the families that were found, strongest first."""

    value: float
    signs: tuple[str, ...] = ()


_NOTHING = Score(0.0)
_TAGS = re.compile("[\U000e0020-\U000e007e]{4,}")
_FLAG = "\U0001f3f4"  # a black flag and tags behind it are the flag of a region
_SMUGGLED = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]{6,}")
_NO_WIDTH = re.compile("[\u200b\u2060\u2061-\u2064\ufeff]")
_NO_WIDTH_RUN = re.compile("[\u200b-\u200d\u2060-\u2064\ufeff]{4,}")
_TURNED = re.compile("[\u202d\u202e\u2066-\u2068]")
_SPEAKER = re.compile(r"^[ \t#*>-]{0,8}(?:system|developer|admin)(?: (?:message|prompt|note))?[*]{0,2}:", re.I | re.M)
Marks = tuple[tuple[re.Pattern[str], float], ...]
_MARKS: tuple[tuple[str, Marks], ...] = (
    (
        "<",
        (
            # A template's own marks, which no text of anybody's has reason to hold.
            (re.compile(r"<\|(?:im_start|im_end|system|user|assistant|start_header_id|eot_id|endoftext|end)\|>"), 0.7),
            (re.compile(r"<</?SYS>>|<(?:start|end)_of_turn>|<\uff5c(?:User|Assistant)\uff5c>"), 0.7),
            # An end of what is data, and a beginning of what is not.
            (re.compile(r"</(?:system|untrusted|(?:user_)?data|tool_output|(?:tool|function|search)_results?)>"), 0.5),
            (re.compile(r"<(?:system|admin|instructions?|information|important|override|sys)>", re.I), 0.35),
        ),
    ),
    (
        "[",
        (
            (re.compile(r"\[/?INST\]"), 0.7),
            (re.compile(r"\[(?:SYSTEM|ADMIN|SYS|DEVELOPER|SYSTEM MESSAGE|INSTRUCTIONS?)\]", re.I), 0.45),
        ),
    ),
    (":", ((_SPEAKER, 0.4),)),
    *(
        (rule, ((re.compile(r"[-=#*]{3}[ \t]*(?:END|BEGIN|START|NEW)[ \t](?:OF[ \t])?[A-Z][A-Z \t]{2,40}"), 0.35),))
        for rule in ("---", "===", "###", "***")
    ),
)  # fmt: skip
"""Forged marks by what they cannot be without: form and weight."""
_CARRYING = re.compile(
    r"!\[[^\]\n]{0,200}\]\(\s{0,4}https?://[^)\s]{1,500}"
    r"(?:[?&/=](?:\{\{?\w|\[\w|<\w|%7B|%5B|\$\{)|[?&][\w.-]{1,40}=(?:DATA|SECRETS?|TOKEN|PASSWORD|BASE64|HISTORY|CONTEXT"
    r"|CONVERSATION|SUMMARY|KEYS?|EMAILS?)\b)"
)
_FETCHED = re.compile(
    r"<img\b[^>]{0,300}\bsrc\s{0,4}=[^>]{0,200}[?&][\w.-]{1,40}=(?:\{|\[|\$|DATA|SECRET)", re.IGNORECASE
)
_WHERE = re.compile(r"https?://|@[\w-]{1,63}\.\w|\b[A-Z]{2}\d\d[ \dA-Z]{11,30}")
_SENDS = re.compile(
    r"\b(?:send|forward|post|e-?mail|upload|exfiltrate|transmit|submit|mail|transfer|report|sende|schicke|envoie|envoyez|"
    r"envía|envíe|manda|invia)(?:_\w{1,20})?\b[^.\n]*$",
    re.IGNORECASE,
)
_BEFORE = 120
"""Characters before an address in which somebody is told to send something there."""
_TOOL = re.compile(
    r"\b(?:call|invoke|run|execute|use|trigger)\s+(?:the\s+|tool\s+)?`?[a-z]{2,20}(?:_[a-z]{2,20}){1,4}\b", re.I
)
_COMMENT = re.compile(r"<!--(.{1,2000}?)-->", re.DOTALL)
_INVISIBLE = re.compile(
    r"<(\w{1,12})\b[^>]{0,200}(?:display\s{0,3}:\s{0,3}none|font-size\s{0,3}:\s{0,3}[01](?:px|pt)?[;\"']|opacity\s{0,3}:\s{0,3}0[;\"']"
    r"|visibility\s{0,3}:\s{0,3}hidden|color\s{0,3}:\s{0,3}(?:#fff(?:fff)?|white))[^>]{0,200}>([^<]{12,2000})",
    re.IGNORECASE,
)
_LONG = b"a" * 24
"""What a blob cannot be without, once its signs are all one."""
_SIGNS = bytes(97 if chr(byte).isalnum() or chr(byte) in "+/_=-" else 32 for byte in range(128)) + b" " * 128
_DIGITS = 12
"""Zeros and sixes (the upper half of a small letter's code) without which nothing is written in digits."""
_ROT = re.compile(r"\brot-?13\b", re.IGNORECASE)
_BASE64 = re.compile(r"(?<![A-Za-z0-9+/_=-])(?:[A-Za-z0-9+/]{24,}|[A-Za-z0-9_-]{24,})={0,2}")
_HEX = re.compile(r"(?<![0-9A-Za-z])(?:[0-9a-fA-F]{2}[ :]?){16,}(?![0-9A-Za-z])")
_BASE32 = re.compile(r"(?<![A-Za-z0-9])[A-Z2-7]{32,}={0,6}")
_BITS = re.compile(r"(?<![0-9])(?:[01]{8} ?){8,}(?![0-9])")
_ENTITY = re.compile(r"(?:&#x?[0-9a-fA-F]{2,6};){4,}")
_PERCENT = re.compile(r"(?:%[0-9a-fA-F]{2}[A-Za-z0-9._-]{0,20}){4,}")


def look(text: str, source: Source, phrases: Sequence[Concern] | None = None) -> Score:
    """Return how much `text` looks like an attack, at its worst stretch. `phrases` is what the lists found in it, where
    somebody has looked already."""
    if len(text) <= STRETCH:
        found = _signs(text, 0, phrases)
        return _together(found, TRUST[source]) if found else _NOTHING
    worst = _NOTHING
    for stretch in _stretches(text):
        found = _signs(stretch, 0)
        if found:
            scored = _together(found, TRUST[source])
            worst = max(worst, scored)
    return worst


def _stretches(text: str) -> Iterator[str]:
    for start in range(0, len(text) - OVERLAP, STRETCH - OVERLAP):
        yield text[start : start + STRETCH]


def _together(found: dict[str, float], trust: float) -> Score:
    doubt = 1.0
    for weight in found.values():
        doubt *= 1 - weight * trust
    return Score(round(1 - doubt, 3), tuple(sorted(found, key=lambda name: (-found[name], name))))


def _signs(text: str, depth: int, phrases: Sequence[Concern] | None = None) -> dict[str, float]:
    """Return the weight of each family of signs that is found."""
    found: dict[str, float] = {}
    for concern in lists.shipped().find(text) if phrases is None else phrases:
        if concern.category == "injection":
            _add(found, concern.detail.partition("/")[2].partition("-")[0], WEIGHTS[concern.severity])
    for sign, marks in _MARKS:
        if sign in text:
            for pattern, weight in marks:
                if pattern.search(text) is not None:
                    _add(found, "delimiter", weight)
    if "](" in text and _CARRYING.search(text) is not None:
        _add(found, "carrier", 0.7)
    if "<img" in text and _FETCHED.search(text) is not None:
        _add(found, "carrier", 0.7)
    if ("://" in text or "@" in text) and _away(text):
        _add(found, "away", 0.35)
    if "_" in text and _TOOL.search(text) is not None:
        _add(found, "act", 0.4)
    if not text.isascii():
        _unseen(text, found, depth)
    if depth < _DEEP:
        for inner, family, least in _hidden(text):
            inside = _signs(inner, depth + 1)
            if inside:
                _add(found, family, max(least, _together(inside, 1.0).value))
    return found


def _away(text: str) -> bool:
    """Whether somebody is told to send something to an address."""
    return any(_SENDS.search(text, max(0, at.start() - _BEFORE), at.start()) for at in _WHERE.finditer(text))


def _add(found: dict[str, float], family: str, weight: float) -> None:
    found[family] = max(weight, found.get(family, 0.0))


def _unseen(text: str, found: dict[str, float], depth: int) -> None:
    """Note characters that nobody sees and a model reads, and what they say."""
    for match in _TAGS.finditer(text):
        if match.start() and text[match.start() - 1] == _FLAG:
            continue
        said = "".join(chr(ord(char) - 0xE0000) for char in match[0])
        _add(found, "hidden", 0.8)
        if depth < _DEEP:
            for family, weight in _signs(said, depth + 1).items():
                _add(found, family, weight)
    if _SMUGGLED.search(text) is not None:
        _add(found, "hidden", 0.7)
    if _NO_WIDTH_RUN.search(text) is not None or len(_NO_WIDTH.findall(text)) >= 8:
        _add(found, "hidden", 0.45)
    if _TURNED.search(text) is not None and ("\u202e" in text or "\u202d" in text):
        _add(found, "hidden", 0.4)


def _hidden(text: str) -> Iterator[tuple[str, str, float]]:
    """Yield texts that are hidden in this one, the family of the hiding place, and what it is worth at least when there
    is any sign in it."""
    if "<!--" in text:
        for match in _COMMENT.finditer(text):
            yield match[1], "concealed", 0.5
    if "style" in text:
        for match in _INVISIBLE.finditer(text):
            yield match[2], "concealed", 0.6
    if _LONG in text.encode("ascii", "replace").translate(_SIGNS):
        for pattern, read in ((_BASE64, _from_base64), (_BASE32, _from_base32), (_HEX, _from_hex), (_BITS, _from_bits)):
            for match in pattern.finditer(text):
                said = read(match[0])
                if said:
                    yield said, "encoded", 0.6
    elif text.count("0") + text.count("6") > _DIGITS:
        for pattern, read in ((_HEX, _from_hex), (_BITS, _from_bits)):
            for match in pattern.finditer(text):
                said = read(match[0])
                if said:
                    yield said, "encoded", 0.6
    if "&#" in text and _ENTITY.search(text) is not None:
        yield html.unescape(text), "encoded", 0.4
    if "%" in text:
        for match in _PERCENT.finditer(text):
            said = _readable(re.sub(rb"%([0-9a-fA-F]{2})", lambda m: bytes([int(m[1], 16)]), match[0].encode()))
            if said:
                yield said, "encoded", 0.5
    if "13" in text and _ROT.search(text) is not None:
        yield codecs.decode(text, "rot13"), "encoded", 0.6


def _from_base64(blob: str) -> str:
    """Return the text that base64 stands for; "" when it stands for none. The others likewise."""
    plain = blob.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return _readable(base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True))
    except (binascii.Error, ValueError):
        return ""


def _from_hex(blob: str) -> str:
    return _readable(bytes.fromhex(re.sub("[ :]", "", blob)))


def _from_bits(blob: str) -> str:
    bits = blob.replace(" ", "")
    return _readable(int(bits, 2).to_bytes(len(bits) // 8, "big"))


def _from_base32(blob: str) -> str:
    plain = blob.rstrip("=")
    try:
        return _readable(base64.b32decode(plain + "=" * (-len(plain) % 8)))
    except (binascii.Error, ValueError):
        return ""


def _readable(data: bytes) -> str:
    """Return data that is text as text; "" for what is not."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return ""
    printable = sum(char.isprintable() or char.isspace() for char in text)
    return text if text and printable >= _READABLE * len(text) and " " in text else ""


_FILE = re.compile(r"\[File: [^\]\n]{1,300}\]\n")
_END_OF_FILE = "\n[End of file: "
_ELEMENT = re.compile(
    r"<(document|context|file|source|search_results?|webpage|page|email|passage|retrieved|untrusted)\b[^>\n]{0,200}>"
)


def is_whole(text: str) -> bool:
    """Whether a text has no mark of a document that was put into it."""
    return "[File: " not in text and "</" not in text


def parts(text: str) -> Iterator[tuple[str, Source]]:
    """Yield what a user's text is made of: documents that were put into it, as our own assistants and many others mark
    them, and the rest."""
    rest, at = [], 0
    for start, inside, end, after in _documents(text):
        rest.append(text[at:start])
        at = after
        yield text[inside:end], "document"
    rest.append(text[at:])
    own = "\n".join(rest)
    if own.strip():
        yield own, "user"


def _documents(text: str) -> Iterator[tuple[int, int, int, int]]:
    """Yield where documents stand: their mark, their words, the end of them and of the closing mark."""
    pattern = _FILE if "[File: " in text else _ELEMENT if "</" in text else None
    if pattern is None:
        return
    at, open_ = 0, set[str]()  # marks that nothing closes from here on
    while (match := pattern.search(text, at)) is not None:
        closing = _END_OF_FILE if pattern is _FILE else f"</{match[1]}>"
        end = -1 if closing in open_ else text.find(closing, match.end() - 1)
        if end < 0:
            open_.add(closing)
            at = match.end()
            continue
        at = end + len(closing)
        if pattern is _FILE:  # the name and a bracket follow
            shut = text.find("]", at, at + 302)
            at = shut + 1 if shut >= 0 else at
        yield match.start(), match.end(), max(end, match.end()), at
