"""Order the deployments of a route for one call. Pure: chance and health come in as arguments."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Literal, NoReturn

import msgspec

from freehold.core.call import Call
from freehold.core.errors import NotFound, TermsForbid, Unsupported
from freehold.routing.table import Deployment, Route, Table, Target


class Candidate(msgspec.Struct, frozen=True):
    """A deployment that may take the call, the model name to send it, and the route's policy on losses."""

    deployment: Deployment
    sent: str
    on_loss: Literal["strict", "warn"] | None = None


_NONE: frozenset[str] = frozenset()
_SHOWN = 256
"""Characters of an unknown name that are repeated."""


def candidates(
    table: Table,
    call: Call,
    healthy: Callable[[str], bool],
    chance: Callable[[], float],
    refusal: Callable[[Deployment], str] | None = None,
    owed: frozenset[str] = _NONE,
) -> list[Candidate]:
    """Return the deployments to try, in order: the weighted choice, the other targets, the fallbacks.

    Deployments whose circuit is open stand last, so that a route with nothing else still tries. A call with a session
    always draws the same lot, so that a conversation stays where it is; `chance` draws for the others. `refusal` says
    why a deployment may not take the call, "" when it may. Of those that are well, the ones in `owed` go first.

    Raises NotFound when no route has the name, Unsupported when no deployment can do what the call needs, TermsForbid
    when none of those that can may.
    """
    found = table.find(call.asked)
    if found is None:
        raise NotFound(
            f"The model `{call.asked[:_SHOWN]}` does not exist or you do not have access to it.",
            code="model_not_found",
            param="model",
            hint="GET /v1/models lists the names that this key may use",
        )
    route, rest = found
    deployments = table.deployments
    if len(route.targets) == 1 and not route.fallback:
        only = deployments[route.targets[0].name]
        if not _able(call, only):
            _require(call, route, (only,))
        if refusal is not None and (why := refusal(only)):
            _forbid(route, [(only, why)])
        return [Candidate(only, rest or only.model, route.on_loss)]
    names = [t.name for t in _drawn(route.targets, _lot(call, chance))]
    names += [name for name in route.fallback if name not in names]
    able = [d for d in (deployments[n] for n in names) if _able(call, d)]
    if not able:
        _require(call, route, [deployments[n] for n in names])
    if refusal is not None:
        said = [(d, refusal(d)) for d in able]
        able = [d for d, why in said if not why]
        if not able:
            _forbid(route, said)
    able.sort(key=lambda d: (not healthy(d.name), d.name not in owed))
    return [Candidate(d, rest or d.model, route.on_loss) for d in able]


def _forbid(route: Route, said: Sequence[tuple[Deployment, str]]) -> NoReturn:
    """Say why none may take the call."""
    contracts = sorted({d.contract for d, _ in said if d.contract})
    shown = f"`freehold contracts show {contracts[0]}` shows the terms; " if contracts else ""
    raise TermsForbid(
        f"No deployment of the model `{route.name}` may take this call: "
        + "; ".join(f"{d.name}: {why}" for d, why in said)
        + ".",
        hint=f"{shown}ask a model whose terms allow it, or one of your own",
    )


def _able(call: Call, deployment: Deployment) -> bool:
    can = deployment.capabilities
    return can is None or (call.kind in can and call.needs <= can)


def _require(call: Call, route: Route, deployments: Sequence[Deployment]) -> NoReturn:
    """Say what no deployment of the route can do."""
    best = min(deployments, key=lambda d: len(call.needs - (d.capabilities or frozenset())), default=None)
    can = frozenset() if best is None or best.capabilities is None else best.capabilities
    lacking = sorted(({call.kind} | call.needs) - can)
    raise Unsupported(
        f"The model `{route.name}` does not support {', '.join(lacking)}.",
        param=_PARAM.get(lacking[0]) if lacking else None,
        hint="choose a model whose capabilities include it (GET /v1/models), or leave the field out",
    )


_PARAM = {
    "tools": "tools",
    "json_schema": "response_format",
    "json_object": "response_format",
    "logprobs": "logprobs",
    "suffix": "suffix",
    "dimensions": "dimensions",
    "vision": "messages",
}


def _lot(call: Call, chance: Callable[[], float]) -> float:
    if call.session is None:
        return chance()
    digest = hashlib.blake2b(f"{call.asked}\0{call.session}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def _drawn(targets: Sequence[Target], lot: float) -> list[Target]:
    """Return the targets with the drawn one first, the rest by falling weight; weight 0 is left out."""
    live = [t for t in targets if t.weight > 0]
    point = lot * sum(t.weight for t in live)
    for i, target in enumerate(live):
        point -= target.weight
        if point < 0:
            rest = live[:i] + live[i + 1 :]
            return [target, *sorted(rest, key=lambda t: -t.weight)]
    return live
