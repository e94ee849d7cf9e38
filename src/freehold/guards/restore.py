"""Puts back what pseudonyms stand for, in whole answers and in streams, however they are cut and whatever a model has
done to a token's brackets. Knows how tokens look; refuses to know who gave them."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Mapping
from typing import Final

import msgspec

from freehold.guards.finding import KINDS
from freehold.guards.shield import Send
from freehold.wire import sse
from freehold.wire.dialects.openai_pieces import Channel, Place, further, pieces, rewritten

_encode = msgspec.json.Encoder().encode

_OPENS: Final = ("<", "\\<", "&lt;", "%3c", "\\u003c")
_SHUTS: Final = (">", "\\>", "&gt;", "%3e", "\\u003e")
"""Brackets of a token, in lower case: plain, escaped in Markdown, in HTML, in an address, in JSON."""
_OPEN: Final = "|".join(map(re.escape, _OPENS))
_SHUT: Final = "|".join(map(re.escape, _SHUTS))
_UNDERSCORE: Final = r"\\{0,2}_"
_KIND: Final = "|".join(kind.replace("_", _UNDERSCORE) for kind in KINDS)
_CORE: Final = re.compile(rf"(?:{_KIND}){_UNDERSCORE}[0-9a-f]{{4,64}}", re.IGNORECASE)
_TOKEN: Final = re.compile(
    rf"(?:{_OPEN})\s?({_CORE.pattern})\s?(?:{_SHUT})|(?<![A-Za-z0-9])({_CORE.pattern})", re.IGNORECASE
)
"""A token between brackets, which go with it; or without any."""
_LIKE: Final = re.compile(r"_[0-9A-Fa-f]{4}")
"""What no token is without, and is quick to look for."""
_BEGIN: Final = re.compile(rf"[<&%\\]|(?<![A-Za-z0-9])[{''.join({kind[0] for kind in KINDS})}]", re.IGNORECASE)
_AROUND: Final = 2 * len("\\u003c") + 8
"""Characters that may stand around a token and between its parts."""


def written(token: str) -> str:
    """Return a token as a model gets to see it."""
    return f"<{token}>"


def tokenlike(text: str) -> set[str]:
    """Return what in a text looks like a token, in upper case."""
    if _LIKE.search(text) is None:
        return set()
    found: set[str] = set()
    for match in _LIKE.finditer(text):
        at = match.start()
        near = _CORE.finditer(text, max(0, at - _AROUND), at + 66)
        found.update(_plain(core[0]) for core in near if core.start() < at < core.end())
    return found


def _plain(token: str) -> str:
    return token.upper().replace("\\", "")


class Forms:
    """The tokens of an answer and what each stands for. `tokens` by their names, as in `EMAIL_7f3a12`."""

    def __init__(self, tokens: Mapping[str, str]) -> None:
        self.values = {token.upper(): value for token, value in tokens.items()}
        self._quoted = {token: _encode(value)[1:-1].decode() for token, value in self.values.items()}
        self._sorted = sorted(self.values)
        self.longest = max(map(len, self._sorted), default=0) + _AROUND

    def put(self, text: str, *, quoted: bool = False, start: int = 0) -> str:
        """Return `text` from `start` on with the values in the places of their tokens, escaped for a string of JSON
        when `quoted`. Tokens that are none of these stay as they are."""
        rest = text[start:]
        if _LIKE.search(rest) is None:
            return rest
        values = self._quoted if quoted else self.values
        parts, at = [], start
        for match in _TOKEN.finditer(text, start):
            value = values.get(_plain(match[1] or match[2]))
            if value is not None:
                parts += [text[at : match.start()], value]
                at = match.end()
        return "".join([*parts, text[at:]]) if parts else rest

    def end(self, text: str, start: int = 0) -> int:
        """Return where the last part of `text` begins that may yet turn out to be a token, or to belong to one."""
        for match in _BEGIN.finditer(text, max(start, len(text) - self.longest)):
            if self._grows(text[match.start() :]):
                return match.start()
        return len(text)

    def _grows(self, rest: str) -> bool:
        """Whether more text could make a token of `rest`, or a longer one."""
        low = rest.lower()
        for opening in _OPENS:
            if opening.startswith(low) or (low.startswith(opening) and self._fits(rest[len(opening) :], True)):
                return True
        return self._fits(rest, False)

    def _fits(self, rest: str, opened: bool) -> bool:
        if opened:
            rest = rest[1:] if rest[:1].isspace() else rest
        name = _plain(rest)
        at = bisect_left(self._sorted, name)
        if at < len(self._sorted) and self._sorted[at].startswith(name):
            return bool(rest) or opened
        core = _CORE.match(rest) if opened else None
        if core is None or _plain(core[0]) not in self.values:
            return False
        behind = rest[core.end() :].lower()
        behind = behind[1:] if behind[:1].isspace() else behind
        return any(shut.startswith(behind) and shut != behind for shut in _SHUTS)


class Restorer:
    """One text on its way, in pieces: holds back what may be the beginning of a token, no more than the longest one."""

    __slots__ = ("_before", "_forms", "_quoted", "held")

    def __init__(self, forms: Forms, *, quoted: bool) -> None:
        self._forms = forms
        self._quoted = quoted
        self._before = ""
        self.held = ""

    def feed(self, text: str) -> str:
        """Return what may go on now."""
        before = len(self._before)  # a letter that has gone already may be what a token's kind is not to follow
        text = self._before + self.held + text
        end = self._forms.end(text, before)
        self.held = text[end:]
        return self._pass(text[:end], before)

    def finish(self) -> str:
        """Return the rest."""
        text, self.held = self._before + self.held, ""
        return self._pass(text, len(self._before))

    def _pass(self, text: str, before: int) -> str:
        if len(text) > before:
            self._before = text[-1]
        return self._forms.put(text, quoted=self._quoted, start=before)


class Restoring:
    """Implements shield.Flow: values come back into the events of a stream. `quoted` says that the content is JSON."""

    def __init__(self, forms: Forms, send: Send, *, quoted: bool = False) -> None:
        self._forms = forms
        self._send = send
        self._quoted = quoted
        self._texts: dict[Place, Restorer] = {}
        self._like = b""

    def feed(self, events: bytes) -> None:
        out = [self._event(block, event) if event is not None else block for block, event in sse.blocks(events)]
        self._send(out[0] if len(out) == 1 else b"".join(out))

    async def finish(self) -> None:
        rest = self._rest(None)
        if rest:
            self._send(sse.encode(further(self._like, rest)))

    def close(self) -> None:
        self._texts.clear()

    def _event(self, block: bytes, event: sse.Event) -> bytes:
        said = pieces(event.data)
        if said is None:
            return block
        self._like = event.data
        new: dict[Place, str] = {}
        ended: set[int] = set()
        for choice, channel, text, finish in said:
            if text:
                restorer = self._restorer(choice, channel)
                restored = restorer.feed(text) + (restorer.finish() if finish is not None else "")
                if restored != text:
                    new[choice, channel] = restored
            if finish is not None:
                ended.add(choice)
        if new:
            block = sse.encode(rewritten(event.data, new), event.name, event.id)
        # What is still held of a choice goes before the event that ends it.
        rest = {place: text for choice in ended for place, text in self._rest(choice).items()}
        return sse.encode(further(event.data, rest)) + block if rest else block

    def _rest(self, choice: int | None) -> dict[Place, str]:
        """Let go of what is held, of one choice or of all."""
        held = [place for place, text in self._texts.items() if text.held and choice in (None, place[0])]
        return {place: self._texts[place].finish() for place in held}

    def _restorer(self, choice: int, channel: Channel) -> Restorer:
        found = self._texts.get((choice, channel))
        if found is None:
            found = self._texts[choice, channel] = Restorer(self._forms, quoted=is_json(channel, self._quoted))
        return found


def is_json(channel: Channel, content: bool) -> bool:
    """Whether the words of a channel are JSON; `content` says so of contents."""
    return channel[0] == "arguments" or (content and channel in ("content", "text"))


def whole(forms: Forms, body: bytes, *, quoted: bool = False) -> bytes:
    """Return a whole answer with values in the places of their tokens. `quoted` says that the content is JSON."""
    new: dict[Place, str] = {}
    for choice, channel, text, _ in pieces(body) or ():
        restored = forms.put(text, quoted=is_json(channel, quoted))
        if restored != text:
            new[choice, channel] = restored
    return rewritten(body, new) if new else body
