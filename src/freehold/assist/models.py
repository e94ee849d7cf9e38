"""The models that a member may ask, with who makes, sells and hosts them. Refuses to know how they are called."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec

from freehold.access import Key, Member
from freehold.contracts.binding import own
from freehold.core.call import TOOLS, VISION
from freehold.core.errors import BadRequest, Forbidden, NotFound, Unauthenticated
from freehold.pipeline import Pipeline, Snapshot
from freehold.routing import Deployment, Route

KEY_TRIES, KEY_PAUSE = 60, 0.05
"""How often, and after how many seconds, a key is looked for that is not known yet."""
UNKNOWN_CONTEXT = 100_000
"""Tokens that are assumed of a model whose context nobody stated."""


class Model(msgspec.Struct, frozen=True):
    """A public model name and the deployment that mostly serves it. `capabilities` is None where nobody stated them."""

    id: str
    maker: str
    seller: str
    host: str
    region: str
    chips: str
    contract: str
    own: bool
    capabilities: list[str] | None
    context: int | None
    max_output: int | None

    def may(self, capability: str) -> bool:
        """Whether the model can do something, as far as is known."""
        return self.capabilities is None or capability in self.capabilities

    @property
    def sees(self) -> bool:
        return self.may(VISION)

    @property
    def uses_tools(self) -> bool:
        return self.may(TOOLS)


async def key_of(pipeline: Pipeline, who: Member) -> Key:
    """Return the key that a member calls with; one that was just made may take a moment to be known here. Raises
    Forbidden when it is revoked, or of a team that is disabled."""
    for _ in range(KEY_TRIES):
        try:
            return pipeline.snapshot.keys.by_id(who.key)
        except Unauthenticated as e:
            last = e
            if e.code != "invalid_api_key":
                break
            await asyncio.sleep(KEY_PAUSE)
    raise Forbidden(
        f"You cannot ask models now: {last.message}.",
        code=last.code,
        hint="ask whoever runs this server",
    )


def visible(snapshot: Snapshot, key: Key) -> list[Model]:
    """Return the chat models that `key` may use, by name. A name with a wildcard cannot be asked and is left out."""
    return [
        model
        for name, route in sorted(snapshot.table.routes.items())
        if key.routes is None or name in key.routes
        if (model := _describe(snapshot, route)) is not None
    ]


def find(snapshot: Snapshot, key: Key, name: str, allowed: Sequence[str] = ()) -> Model:
    """Return the model called `name`. Raises NotFound, Forbidden when neither the key nor the assistant, whose models
    are `allowed` (none: all), permits it, BadRequest when it is none to chat with."""
    found = snapshot.table.find(name)
    if found is None or (key.routes is not None and not {name, f"{found[0].name}/*"} & key.routes):
        raise NotFound(
            f"The model `{name[:200]}` does not exist or you do not have access to it.",
            code="model_not_found",
            param="models",
            hint="choose another model",
        )
    if allowed and name not in allowed:
        raise Forbidden(
            f"This assistant does not use the model `{name}`.",
            code="model_not_allowed",
            param="models",
            hint=f"it uses {', '.join(allowed)}",
        )
    model = _describe(snapshot, found[0], name)
    if model is None:
        raise BadRequest(f"The model `{name}` does not chat.", param="models", hint="choose another model")
    return model


def _describe(snapshot: Snapshot, route: Route, name: str = "") -> Model | None:
    """None when it is no model to chat with, or a wildcard that is not named."""
    deployments = snapshot.table.deployments
    targets = [deployments[t.name] for t in route.targets if t.weight > 0]
    targets = targets or [deployments[t.name] for t in route.targets]
    chatting = [d for d in targets if d.capabilities is None or "chat" in d.capabilities]
    if not chatting or (chatting[0].wildcard and not name):
        return None
    first: Deployment = chatting[0]
    contexts = [d.context for d in chatting if d.context]
    return Model(
        name or route.name,
        first.maker,
        first.seller,
        first.host,
        first.region,
        first.chips,
        first.contract,
        own(first),
        sorted(first.capabilities) if first.capabilities is not None else None,
        min(contexts) if contexts else None,
        first.max_output,
    )
