"""POST /v1/moderations in OpenAI's dialect: what the lists find in words, and the moderators of the policies that hold
for the key. Refuses to stop anything: it only says.

Form: openai-python 3.54 `types/moderation_create_params.py`. A question to a moderator is a call of its own, on record.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Raw, Struct

from freehold.access import Key
from freehold.core.call import Call
from freehold.core.errors import BadRequest, FreeholdError, StoreError
from freehold.core.ids import new_id
from freehold.gateway.answer import JSON
from freehold.gateway.calls import declare, require_json
from freehold.guards import rules, taxonomy
from freehold.guards.judging import DEPLOYMENT, RULES
from freehold.guards.moderation import asks
from freehold.guards.policy import Policy
from freehold.guards.semantic import Answer, Moderator, Semantic, ask_pictures
from freehold.guards.taxonomy import Concern
from freehold.wire.server import Exchange

if TYPE_CHECKING:
    from freehold.gateway.door import Door

MODEL = "omni-moderation-latest"
"""What a client asks that names none. The name decides nothing here: the policies do."""
MOST = 256
"""Texts of one request."""
_LARGE = 64 * 1024
"""Characters from which a text is looked at beside the loop."""


class _Picture(Struct):
    url: str


class _Part(Struct):
    type: str
    text: str | None = None
    image_url: _Picture | None = None


class _Body(Struct):
    input: str | list[str | _Part]
    model: str | None = None


class _Item(Struct):
    """One thing to judge. `raw` is how it is shown to a vendor that looks into pictures."""

    text: str
    pictures: int = 0
    raw: Raw = Raw(b"null")


class _Judged(Struct):
    """What was found in one item: by whom, and a vendor's scores; who did not answer."""

    found: list[tuple[str, Concern]] = []
    scores: dict[str, float] = {}
    unheard: list[str] = []


_body = msgspec.json.Decoder(_Body)
_raw = msgspec.json.Decoder(dict[str, Raw])
_semantic = Semantic()


async def endpoint(door: Door, exchange: Exchange, _: str) -> None:
    """POST /v1/moderations."""
    key = door.authenticate(exchange)
    require_json(exchange)
    try:
        body = _body.decode(exchange.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
        raise BadRequest(
            f"The body is not of the form of a moderation request: {e}.",
            param="input",
            hint='send {"input": "..."}: a text, a list of texts, or a list of parts of type text and image_url',
        ) from e
    items = _items(body, exchange.body)
    call = Call(new_id("call"), "openai", "moderation", body.model or MODEL, {}, len(exchange.body))
    declare(call, exchange)
    policies = _policies(door, call, key)
    judged = await _judge(door, key, call, policies, items)
    looks = any(who.form == "openai" for who in asks(policies))
    said = {
        "id": f"modr-{call.id.partition('_')[2]}",
        "model": call.asked,
        "results": [_result(each, item, policies, looks) for each, item in zip(judged, items, strict=True)],
    }
    exchange.reply(200, [JSON, (b"x-request-id", call.id.encode()), *door.cors(exchange)], msgspec.json.encode(said))
    door.pipeline.metrics.good.value += 1


def _items(body: _Body, raw: bytes) -> list[_Item]:
    """Return what is to be judged: each text by itself, or parts as one. Raises BadRequest."""
    given = body.input
    if isinstance(given, str):
        return [_Item(given)]
    if not given or len(given) > MOST:
        raise BadRequest(
            f"'input' has {len(given)} members; it takes 1 to {MOST}.", param="input", hint="send several requests"
        )
    texts = [each for each in given if isinstance(each, str)]
    if len(texts) == len(given):
        return [_Item(text) for text in texts]
    parts = [each for each in given if isinstance(each, _Part)]
    for part in parts:
        if (part.type, part.text is None, part.image_url is None) not in (
            ("text", False, True), ("image_url", True, False),
        ):  # fmt: skip
            raise BadRequest(
                f"'input' has a part of type {part.type[:32]!r} that is none.",
                param="input",
                hint='a part is {"type": "text", "text": ...} or {"type": "image_url", "image_url": {"url": ...}}',
            )
    if texts:
        raise BadRequest("'input' mixes texts and parts.", param="input", hint="send a list of either")
    pictures = sum(part.image_url is not None for part in parts)
    text = "\n\n".join(part.text for part in parts if part.text is not None)
    return [_Item(text, pictures, _raw.decode(raw)["input"])]


def _policies(door: Door, call: Call, key: Key) -> list[Policy]:
    """Return the policies that moderate for this key; those that only look on change nothing for it."""
    snapshot = door.pipeline.snapshot
    organisation = snapshot.organisation
    call.data_class = organisation.classed(call.data_class)
    call.function = organisation.function(key.name, key.team_name, call.asked) if organisation.functions else ""
    plan = snapshot.policies.plan(key.name, key.team_name, call.asked, call.function, call.data_class)
    return [policy for policy in plan.enforced if policy.moderation is not None] if plan is not None else []


async def _judge(door: Door, key: Key, call: Call, policies: Sequence[Policy], items: Sequence[_Item]) -> list[_Judged]:
    moderators = asks(policies)
    if any(item.pictures for item in items) and not any(who.form == "openai" for who in moderators):
        raise BadRequest(
            "Nobody here looks into pictures.",
            code="unsupported_parameter",
            param="input",
            hint='a policy whose moderation has a deployment with form = "openai" does; or send the text alone',
        )
    ruled = not policies or any(policy.moderation is not None and policy.moderation.rules for policy in policies)
    down = {
        policy.moderation.deployment
        for policy in policies
        if policy.moderation is not None and policy.moderation.when_down == "block"
    }

    async def ask(question: Call) -> bytes:
        return await door.pipeline.ask(question, key)

    async def one(who: Moderator, item: _Item, judged: _Judged) -> None:
        try:
            if item.pictures and who.form == "openai":
                answer = await ask_pictures(who, item.raw, call, ask)
            else:
                answer = await _semantic.judge(who, item.text, "input", "", call, ask) if item.text else Answer()
        except StoreError:
            raise
        except FreeholdError:
            if who.deployment in down:
                raise
            judged.unheard.append(who.deployment)
            return
        judged.found += [(f"{DEPLOYMENT}{who.deployment}", concern) for concern in answer.concerns]
        judged.scores |= answer.scores

    found = [_Judged() for _ in items]
    for item, judged in zip(items, found, strict=True):
        if ruled:
            large = len(item.text) > _LARGE
            concerns = await asyncio.to_thread(rules.find, item.text) if large else rules.find(item.text)
            judged.found += [(RULES, concern) for concern in concerns]
        await asyncio.gather(*(one(who, item, judged) for who in moderators))
    return found


def _result(judged: _Judged, item: _Item, policies: Sequence[Policy], looks: bool) -> dict[str, Any]:
    """One of the results; beside OpenAI's members, who found what, and who did not answer."""
    flag: dict[str, int] = {}
    for policy in policies:
        for name, severity in policy.moderation.block.items() if policy.moderation is not None else ():
            flag[name] = min(severity, flag.get(name, severity))
    concerns = [concern for _, concern in judged.found]
    result = taxonomy.moderated(concerns, judged.scores, flag, images=item.pictures > 0 and looks)
    findings = [
        {"by": by, "category": concern.category, "severity": concern.severity, "detail": concern.detail}
        for by, concern in judged.found
    ]
    result["freehold"] = {"findings": findings, "unanswered": judged.unheard}
    return result
