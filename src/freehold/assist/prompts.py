"""Saved prompts with places to fill in. Knows how a place is written; refuses to know who fills it.

`{{name}}` is a line, `{{name=default}}` one with something in it, `{{name:a|b|c}}` a choice, `{{name:long}}` several
lines. A name is letters, digits, blanks, hyphens and underscores; braces around anything else are text.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from freehold.assist import wording
from freehold.assist.owned import change, may_change
from freehold.core.clock import now_ns
from freehold.core.errors import BadRequest, Forbidden, NotFound
from freehold.core.ids import new_id
from freehold.store import Store
from freehold.wire.api import Endpoint, Request

if TYPE_CHECKING:
    from freehold.access.members import Member

LENGTH = 50_000
_PLACES = 20
_CHOICES = 50
_MOST = 1_000
_PLACE = re.compile(r"\{\{\s*([^\W_][\w -]{0,39}?)\s*(?:([:=])([^{}]*))?\}\}")


class Variable(msgspec.Struct, frozen=True):
    """A place to fill in."""

    name: str
    kind: Literal["text", "choice", "long"] = "text"
    choices: list[str] = []
    default: str = ""


class Prompt(msgspec.Struct, frozen=True):
    """A saved prompt; `own` says whether the reader may change it as its owner."""

    id: str
    name: str
    text: str
    variables: list[Variable]
    shared: bool
    own: bool


class NewPrompt(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    text: str
    shared: bool = False


class PromptChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str | UnsetType = UNSET
    text: str | UnsetType = UNSET
    shared: bool | UnsetType = UNSET


def variables(text: str) -> list[Variable]:
    """Return the places of a prompt, each once, in order. Raises BadRequest when one is written wrongly or is said in
    two ways."""
    found: dict[str, Variable] = {}
    for match in _PLACE.finditer(text):
        name, sign, rest = match[1], match[2], (match[3] or "").strip()
        made = _choice(name, rest) if sign == ":" else Variable(name, default=rest)
        known = found.get(name)
        if known is None or known == Variable(name):
            found[name] = made
        elif made not in (known, Variable(name)):
            raise BadRequest(
                f"The place {name!r} is written in two ways.",
                code="prompt_variable",
                param="text",
                hint=f"say it once; elsewhere {{{{{name}}}}} is enough",
            )
    if len(found) > _PLACES:
        raise BadRequest(f"A prompt has at most {_PLACES} places.", code="prompt_variable", param="text", hint="fewer")
    return list(found.values())


def _choice(name: str, rest: str) -> Variable:
    if rest == "long":
        return Variable(name, "long")
    choices = [choice.strip() for choice in rest.split("|")]
    if not all(choices) or len(set(choices)) < len(choices) or len(choices) > _CHOICES:
        raise BadRequest(
            f"The choices of {name!r} are empty, the same or too many.",
            code="prompt_variable",
            param="text",
            hint="write {{name:one|two|three}}, or {{name:long}} for several lines",
        )
    return Variable(name, "choice", choices, choices[0])


async def all_of(store: Store, who: Member) -> list[Prompt]:
    """Return a member's own prompts and those that are shared, by name."""
    sql = "SELECT id, member, name, text, shared FROM prompt WHERE member = ? OR shared = 1"
    made = [_prompt(row, who) for row in await store.fetch(sql, who.id)]
    return sorted(made, key=lambda prompt: (prompt.name.casefold(), prompt.id))


def _prompt(row: Any, who: Member) -> Prompt:
    id, member, name, text, shared = row
    return Prompt(id, name, text, variables(text), bool(shared), member == who.id)


class Prompts:
    """The endpoints."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def endpoints(self) -> list[Endpoint]:
        all_, one, tag = "/api/prompts", "/api/prompts/{id}", "prompts"
        return [
            Endpoint(method="GET", path=all_, run=self._all, answer=list[Prompt], tag=tag,
                     summary="Your saved prompts and the shared ones"),
            Endpoint(method="POST", path=all_, run=self._add, body=NewPrompt, answer=Prompt, status=201, tag=tag,
                     summary="Save a prompt"),
            Endpoint(method="PATCH", path=one, run=self._change, body=PromptChange, answer=Prompt, tag=tag,
                     summary="Change a prompt"),
            Endpoint(method="DELETE", path=one, run=self._delete, status=204, tag=tag, summary="Delete a prompt"),
        ]  # fmt: skip

    async def _all(self, request: Request[Member]) -> list[Prompt]:
        return await all_of(self._store, request.who)

    async def _add(self, request: Request[Member]) -> Prompt:
        who, body = request.who, request.body
        ((count,),) = await self._store.fetch("SELECT COUNT(*) FROM prompt WHERE member = ?", who.id)
        if count >= _MOST:
            raise BadRequest(f"There are {count:,} prompts.", code="too_many", hint="delete some first")
        text = wording.text(body.text, LENGTH, "text")
        variables(text)
        row = (new_id("prompt"), who.id, wording.name(body.name), text, int(body.shared))
        sql = """INSERT INTO prompt(id, member, name, text, shared, created_at, updated_at)
            VALUES (?, ?, ?, ?, ?, ?, ?)"""
        now = now_ns()
        await self._store.write((sql, [(*row, now, now)]))
        return _prompt(row, who)

    async def _change(self, request: Request[Member]) -> Prompt:
        who, id, body = request.who, request.params["id"], request.body
        await self._changeable(id, who)
        new: dict[str, Any] = {}
        if body.name is not UNSET:
            new["name"] = wording.name(body.name)
        if body.text is not UNSET:
            new["text"] = wording.text(body.text, LENGTH, "text")
            variables(new["text"])
        if body.shared is not UNSET:
            new["shared"] = int(body.shared)
        await self._store.write(change("prompt", new, id, None))
        return _prompt(await self._row(id), who)

    async def _delete(self, request: Request[Member]) -> None:
        await self._changeable(request.params["id"], request.who)
        await self._store.write(("DELETE FROM prompt WHERE id = ?", [(request.params["id"],)]))

    async def _row(self, id: str) -> Any:
        rows = await self._store.fetch("SELECT id, member, name, text, shared FROM prompt WHERE id = ?", id)
        return rows[0] if rows else (id, "", "", "", 0)

    async def _changeable(self, id: str, who: Member) -> None:
        _, member, _, _, shared = await self._row(id)
        if not member or (member != who.id and not shared):
            raise NotFound(f"There is no prompt {id[:64]!r}.", hint="GET /api/prompts lists them")
        if not may_change(member, bool(shared), who):
            raise Forbidden("This prompt is somebody else's.", code="not_yours", hint="save a copy and change that")
