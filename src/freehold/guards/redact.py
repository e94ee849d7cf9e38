"""Takes personal data and secrets out of text before it is stored. Knows their forms; refuses to know where text is
from.

What has a check digit or a structure is checked, so that an order number is not taken for a card. Each pattern is tried
in time linear in the text: runs are matched possessively from where they begin, everything else has a bound. A name or
a postal address has no form and is not recognised: redaction lowers what a store can leak, it does not make it
anonymous.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeAlias

import msgspec

from freehold.guards.finding import Finding
from freehold.guards.numbers import iban_end, is_card, is_ipv4, is_ipv6, is_phone

Counts: TypeAlias = dict[str, int]
"""How many of each kind were taken out, e.g. {"EMAIL": 2}."""

_DATA_URL = re.compile(
    r"data:([a-z]{1,20})/[A-Za-z0-9.+-]{1,80}(?:;[A-Za-z0-9=._-]{1,80}){0,4};base64,([A-Za-z0-9+/_=-]*+)"
)
_BLOB = re.compile(r"[A-Za-z0-9+/]{512,}+={0,2}")
_BEGIN = re.compile(r"-----BEGIN (?:[A-Z0-9]{1,20} ){0,4}PRIVATE KEY(?: BLOCK)?-----")
_END = re.compile(r"-----END (?:[A-Z0-9]{1,20} ){0,4}PRIVATE KEY(?: BLOCK)?-----")
_JWT = re.compile(r"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{8,}+\.eyJ[A-Za-z0-9_-]{8,}+\.[A-Za-z0-9_-]*+")
_SECRET = re.compile(
    r"""(?<![A-Za-z0-9])(?:
      (?:sk|fh|xai|pplx|nvapi)-[A-Za-z0-9_-]{20,}+     # OpenAI, Anthropic, DeepSeek and others; our own; xAI; ...
    | (?:gsk|hf|ghp|gho|ghu|ghs|ghr|npm)_[A-Za-z0-9]{30,}+   # Groq, Hugging Face, GitHub, npm
    | github_pat_[A-Za-z0-9_]{50,}+
    | glpat-[A-Za-z0-9_-]{20,}+                        # GitLab
    | (?:sk|rk)_(?:live|test)_[A-Za-z0-9]{16,}+        # Stripe
    | xox[abeoprs]-[A-Za-z0-9-]{10,}+                  # Slack
    | (?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9])         # AWS
    | AIza[A-Za-z0-9_-]{35}(?![A-Za-z0-9_-])           # Google
    )""",
    re.VERBOSE,
)
_SIGNS = (
    "sk-", "fh-", "xai-", "pplx-", "nvapi-", "gsk_", "hf_", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "npm_",
    "github_pat_", "glpat-", "_live_", "_test_", "xox", "AKIA", "ASIA", "AIza",
)  # fmt: skip
"""What a secret cannot be without; far quicker to look for than the pattern."""
_LOGIN = re.compile(r"(?<=://)[^\s/:@\"'<>]{1,128}:[^\s/@\"'<>]{1,256}@(?=[A-Za-z0-9\[])")
_EMAIL = re.compile(
    r"(?<![\w.%+-])[\w.%+-]++@"
    r"(?:[A-Za-z0-9\u00a1-\uffff](?:[A-Za-z0-9\u00a1-\uffff-]{0,62})\.){1,8}[A-Za-z\u00a1-\uffff]{2,24}"
)
# These begin with a set of characters and look back from behind the first of them: the engine then skips to the next
# one of the set, where a look back at the very start would be tried at each character of the text. The first finds the
# third and fourth character of an IBAN, as most words are no digits.
_IBAN = re.compile(r"\d(?<=[A-Za-z]{2}.)(?<![A-Za-z0-9][A-Za-z]{2}.)\d(?= ?[A-Za-z0-9]{2})", re.ASCII)
_CARD = re.compile(
    r"\d(?<!\d\d)(?<!\d\.\d)"
    r"(?:\d{12,18}|\d{3}([ -])\d{4}\1\d{4}\1\d{4}(?:\1\d{1,3})?|\d{3}([ -])\d{6}\2\d{5})(?!\d)",
    re.ASCII,
)
_IPV4 = re.compile(r"\d(?<![\w.]\d)\d{0,2}\.\d{1,3}\.\d{1,3}\.\d{1,3}(?!\w|\.\d)", re.ASCII)
_IPV6 = re.compile(
    r"[0-9A-Fa-f:](?<![\w:.].)(?:(?<!:)[0-9A-Fa-f]{0,3}:|(?<=:)(?=:))(?:[0-9A-Fa-f]{0,4}:){1,6}"
    r"(?:[0-9A-Fa-f]{1,4}(?:(?:\.\d{1,3}){3})?|(?<=::))(?!\w|:[0-9A-Fa-f:])",
    re.ASCII,
)
_PHONE = re.compile(r"[+0](?<![\w+.].)(?:(?<=\+)|0)[1-9](?:[ .()/-]{0,3}\d){6,14}(?!\w)", re.ASCII)
_NANP = re.compile(
    r"[(2-9](?<![\w+.-].)(?:(?<=\()[2-9]\d\d\) ?|(?<!\()\d\d[ .-])[2-9]\d\d[ .-]\d{4}(?![\w-])", re.ASCII
)
_STRING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)


def redact_text(text: str) -> tuple[str, Counts]:
    """Return `text` with each finding replaced by its kind in brackets, e.g. [EMAIL], and how many there were of each.

    Kinds: SECRET (issuers' keys, JSON web tokens, private keys, passwords in URLs), EMAIL, IBAN, CARD, PHONE, IP; and
    [IMAGE 5120 bytes] (AUDIO, FILE, ...) for a data: URL.
    """
    counts: Counts = {}
    # Each step is behind a cheap look for what it cannot do without: most text has none of it.
    if "data:" in text:
        text = _sub(_DATA_URL, text, counts, _media)
    if "-----BEGIN" in text:
        text = _private_keys(text, counts)
    if "eyJ" in text:
        text = _sub(_JWT, text, counts, lambda match: "SECRET")
    if any(sign in text for sign in _SIGNS):
        text = _sub(_SECRET, text, counts, _secret)
    if "@" in text:
        if "://" in text:
            text = _sub(_LOGIN, text, counts, lambda match: "SECRET")
        text = _sub(_EMAIL, text, counts, lambda match: "EMAIL")
    if _DIGITS.search(text):
        text = _ibans(text, counts)
        text = _sub(_CARD, text, counts, _card)
        if text.count(":") > 1:
            text = _sub(_IPV6, text, counts, lambda match: "IP" if is_ipv6(match[0]) else None)
        if text.count(".") > 2:
            text = _sub(_IPV4, text, counts, lambda match: "IP" if is_ipv4(match[0]) else None)
        text = _sub(_PHONE, text, counts, lambda match: "PHONE" if is_phone(match[0]) else None)
        text = _sub(_NANP, text, counts, lambda match: "PHONE")
    return text, counts


_DIGITS = re.compile(r"\d")


def spans(text: str) -> list[Finding]:
    """Return what redact_text() would take out, in order."""
    found: list[Finding] = []
    if "-----BEGIN" in text:
        at = 0
        while (begin := _BEGIN.search(text, at)) is not None:
            end = _END.search(text, begin.end())
            at = end.end() if end is not None else len(text)
            found.append(Finding("SECRET", begin.start(), at))
    if "eyJ" in text:
        found += [Finding("SECRET", *match.span()) for match in _JWT.finditer(text)]
    if any(sign in text for sign in _SIGNS):
        found += [Finding("SECRET", *match.span()) for match in _SECRET.finditer(text) if _secret(match)]
    if "@" in text:
        if "://" in text:
            found += [Finding("SECRET", *match.span()) for match in _LOGIN.finditer(text)]
        found += [Finding("EMAIL", *match.span()) for match in _EMAIL.finditer(text)]
    if _DIGITS.search(text):
        for digits in _IBAN.finditer(text):
            ends = iban_end(text, digits.start() - 2)
            if ends is not None:
                found.append(Finding("IBAN", digits.start() - 2, ends, text[digits.start() - 2 : digits.start()]))
        found += [Finding("CARD", *match.span()) for match in _CARD.finditer(text) if _card(match)]
        found += [Finding("IP", *match.span()) for match in _IPV6.finditer(text) if is_ipv6(match[0])]
        found += [Finding("IP", *match.span()) for match in _IPV4.finditer(text) if is_ipv4(match[0])]
        found += [Finding("PHONE", *match.span()) for match in _PHONE.finditer(text) if is_phone(match[0])]
        found += [Finding("PHONE", *match.span()) for match in _NANP.finditer(text)]
    ordered: list[Finding] = []
    for each in sorted(found, key=lambda each: (each.start, -each.end)):
        if not ordered or each.start >= ordered[-1].end:
            ordered.append(each)
    return ordered


def redact_json(body: bytes) -> bytes:
    """Return `body` with its strings redacted, names of members included; every other byte stays as it was.

    The result is JSON when `body` is. A string that is nothing but base64 of 384 bytes or more becomes [DATA n bytes].
    What is not JSON (a stream of events, a body cut short) is redacted as text.
    """
    text = body.decode("utf-8", "replace")
    try:
        msgspec.json.decode(body, type=msgspec.Raw)
    except msgspec.MsgspecError:
        return redact_text(text)[0].encode()
    return _STRING.sub(_string, text).encode()


def _string(match: re.Match[str]) -> str:
    """One string of JSON, quotes included; returned as it is unless something was found in it."""
    quoted = match[0]
    if "\\" in quoted:
        try:
            plain = msgspec.json.decode(quoted, type=str)
        except (msgspec.MsgspecError, UnicodeEncodeError):
            plain = quoted[1:-1]
    else:
        plain = quoted[1:-1]
    if len(plain) >= 512 and _BLOB.fullmatch(plain):
        return f'"[DATA {_decoded(plain)} bytes]"'
    clean, counts = redact_text(plain)
    return msgspec.json.encode(clean).decode() if counts else quoted


def _sub(pattern: re.Pattern[str], text: str, counts: Counts, kind: Callable[[re.Match[str]], str | None]) -> str:
    """Replace what `kind` gives a name to."""

    def replace(match: re.Match[str]) -> str:
        name = kind(match)
        if name is None:
            return match[0]
        label = name.partition(" ")[0]
        counts[label] = counts.get(label, 0) + 1
        return f"[{name}]"

    return pattern.sub(replace, text)


def _media(match: re.Match[str]) -> str:
    kind = match[1].upper()
    return f"{kind if kind in ('IMAGE', 'AUDIO', 'VIDEO') else 'FILE'} {_decoded(match[2])} bytes"


def _decoded(base64: str) -> int:
    return len(base64.rstrip("=")) * 3 // 4


def _secret(match: re.Match[str]) -> str | None:
    """A key is random: it has a digit, or letters of both cases. A long hyphened name has neither."""
    found = match[0]
    return "SECRET" if _DIGITS.search(found) or not (found.islower() or found.isupper()) else None


def _card(match: re.Match[str]) -> str | None:
    """Sixteen digits in fours may be followed by what else stands on a card; it goes with them."""
    digits = re.sub(r"\D", "", match[0])
    return "CARD" if is_card(digits) or (match[1] and is_card(digits[:16])) else None


def _private_keys(text: str, counts: Counts) -> str:
    """Replace PEM private keys. One that does not end is taken out to the end of the text, so that a key in a body that
    was cut short is not kept; and so no beginning is searched from twice."""
    parts, at = [], 0
    while (begin := _BEGIN.search(text, at)) is not None:
        parts += [text[at : begin.start()], "[SECRET]"]
        counts["SECRET"] = counts.get("SECRET", 0) + 1
        end = _END.search(text, begin.end())
        at = end.end() if end is not None else len(text)
    return "".join([*parts, text[at:]])


def _ibans(text: str, counts: Counts) -> str:
    parts, at = [], 0
    for digits in _IBAN.finditer(text):
        begin = digits.start() - 2
        end = iban_end(text, begin) if begin >= at else None
        if end is not None:
            parts += [text[at:begin], "[IBAN]"]
            counts["IBAN"] = counts.get("IBAN", 0) + 1
            at = end
    return "".join([*parts, text[at:]]) if parts else text
