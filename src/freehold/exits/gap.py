"""What of the work that one model does now another could not do: from recorded calls and from what is known of the
other. Refuses to judge how well it does the rest, and to believe a declaration where a probe says otherwise."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import msgspec

from freehold.core.call import (
    DIMENSIONS,
    JSON_OBJECT,
    JSON_SCHEMA,
    LOGPROBS,
    STREAM,
    SUFFIX,
    TOOLS,
    VISION,
    Call,
)
from freehold.core.errors import NotFound
from freehold.ledger.entry import OUTCOME
from freehold.ledger.ways import extract, sealed
from freehold.pipeline import Snapshot
from freehold.providers import Provider
from freehold.routing import Deployment
from freehold.store import Store
from freehold.wire.dialects.openai_features import (
    CACHE,
    CHOICES,
    FORCED_TOOL,
    NOTED,
    OUTPUT,
    PREFILL,
    STRICT_SCHEMA,
    STRICT_TOOLS,
)

Fate = Literal["native", "adapted", "unknown", "lost"]
FATES: tuple[Fate, ...] = ("native", "adapted", "unknown", "lost")
"""From the best to the worst. `adapted`: served, with a difference that is named; `unknown`: nobody said, and no probe
was made."""

CAPABILITIES = (TOOLS, VISION, JSON_SCHEMA, JSON_OBJECT, LOGPROBS, SUFFIX, DIMENSIONS, STREAM)
"""What a deployment declares, and a probe finds out."""

RESTS_ON = {STRICT_TOOLS: TOOLS, FORCED_TOOL: TOOLS, STRICT_SCHEMA: JSON_SCHEMA}
"""A use, and the capability that it cannot be without."""

BOOKKEEPING = frozenset(
    {"user", "metadata", "store", "prompt_cache_key", "safety_identifier", "service_tier", "stream_options"}
)
"""Members without which the answer is the same."""
TASTE = frozenset(
    {
        "temperature", "top_p", "seed", "presence_penalty", "frequency_penalty", "logit_bias", "reasoning_effort",
        "verbosity", "parallel_tool_calls", "prediction",
    }
)  # fmt: skip
"""Members without which there is an answer, which may read differently."""
BLOCK = 1024  # tokens to which lengths are rounded up


class Probe(msgspec.Struct, frozen=True):
    """What one probe call found. `at` in ns; `found` is yes, no, or ignored: taken without an error, and not
    honoured."""

    deployment: str
    model: str
    capability: str
    found: Literal["yes", "no", "ignored"]
    at: int
    call: str
    detail: str = ""


class Known(msgspec.Struct, frozen=True):
    """What is known of one capability, and how: probed (`at`, ns, by `call`), declared, dialect, or nobody."""

    can: bool | None
    how: Literal["probed", "declared", "dialect", "nobody"]
    at: int = 0
    call: str = ""


class Ability:
    """What a deployment can do, as far as anybody knows."""

    def __init__(self, deployment: Deployment, provider: Provider, probes: Iterable[Probe] = ()) -> None:
        self.deployment = deployment
        self._provider = provider
        self._probed = {p.capability: p for p in sorted(probes, key=lambda p: p.at) if p.model == deployment.model}
        self._drops: dict[str, frozenset[str]] = {}

    def knows(self, capability: str, kind: str = "chat") -> Known:
        """Return what is known of a capability, a use or a member of a request."""
        probe = self._probed.get(capability)
        if probe is not None:
            return Known(probe.found == "yes", "probed", probe.at, probe.call)
        if capability in RESTS_ON:
            return self.knows(RESTS_ON[capability], kind)
        if capability in CAPABILITIES or capability in ("chat", "completion", "embedding"):
            can = self.deployment.capabilities
            return Known(None, "nobody") if can is None else Known(capability in can, "declared")
        if capability in NOTED or capability == CHOICES:
            return Known(("n" if capability == CHOICES else capability) not in self._dropped(kind), "dialect")
        return Known(None, "nobody")

    def _dropped(self, kind: str) -> frozenset[str]:
        """Return the members of a request that never reach it: asked of the very code that would leave them out."""
        if kind not in self._drops:
            fields = {name: msgspec.Raw(b"2") for name in NOTED}
            fields |= {"model": msgspec.Raw(b'"m"'), "stream_options": msgspec.Raw(b"{}")}
            call: Any = Call("gap", "openai", kind, "m/m", fields, 0, include_usage=True, stream=True)  # type: ignore[arg-type]
            self._drops[kind] = frozenset(self._provider.request(call, "warn").dropped)
        return self._drops[kind]


class Cause(msgspec.Struct, frozen=True):
    """One feature in use: how many calls use it, and what becomes of it. Shares are of all calls and all tokens."""

    feature: str
    fate: Fate
    calls: int
    share: float
    tokens: int
    why: str
    how: str
    at: int = 0
    call: str = ""
    functions: tuple[str, ...] = ()


class Gap(msgspec.Struct, frozen=True):
    """How much of the work of `source` `target` could take, as shares of calls by what becomes of them, and why."""

    source: str
    target: str
    since: int
    until: int
    calls: int
    tokens: int
    sets: int  # different sets of features in use
    unrecorded: int  # calls from before features were put on record; they count as using none
    fates: dict[Fate, float]
    token_fates: dict[Fate, float]
    causes: tuple[Cause, ...]


class _Group(msgspec.Struct):
    """Calls that use the same, with how many tokens."""

    endpoint: str
    function: str
    uses: tuple[str, ...] | None
    size: int
    calls: int
    tokens: int


AXES = ("deployment", "asked", "maker", "seller", "host")
"""What calls can be picked by, written AXIS:NAME; a plain name is a deployment's, or a route's."""


def picked(name: str, snapshot: Snapshot) -> tuple[str, str]:
    """Return the column and value that `name` means: seller:microsoft, a deployment, or a route. Raises NotFound."""
    axis, colon, value = name.partition(":")
    if colon and axis in (*AXES, "route") and value.isprintable():  # no store has others, and one takes no NUL
        return ("asked" if axis == "route" else axis), value
    if name in snapshot.table.deployments:
        return "deployment", name
    if name in snapshot.table.routes:
        return "asked", name
    known = ", ".join(sorted({*snapshot.table.deployments, *snapshot.table.routes})[:12])
    raise NotFound(
        f"There is no deployment or route called {name!r}.",
        hint=f"write one of {known}; or maker:NAME, seller:NAME, host:NAME",
    )


async def gap(
    store: Store, snapshot: Snapshot, source: str, target: str, since: int, until: int, probes: Iterable[Probe] = ()
) -> Gap:
    """Return what of the calls of `source` (see `picked`) at since <= at < until (ns) deployment `target` could take.
    Raises NotFound, StoreError."""
    deployment = snapshot.table.deployments.get(target)
    if deployment is None:
        raise NotFound(
            f"There is no deployment called {target!r}.", hint=f"one of {', '.join(sorted(snapshot.table.deployments))}"
        )
    ability = Ability(deployment, snapshot.providers[target], (p for p in probes if p.deployment == target))
    column, value = picked(source, snapshot)
    groups = await _groups(store, column, value, since, until)
    return weighed(source, target, since, until, groups, ability)


async def _groups(store: Store, column: str, value: str, since: int, until: int) -> list[_Group]:
    names = ("endpoint", "function", "features", "purpose")
    condition = f"kind = {OUTCOME} AND {column} = ? AND at >= ? AND at < ? AND attempt >= 0"
    rows = await store.fetch(
        f"SELECT {extract(store.engine, names)}, (input + output + {BLOCK - 1}) / {BLOCK}, COUNT(*), "
        f"SUM(input + output) FROM {sealed(store.engine, condition)} GROUP BY 1, 2",
        value,
        since,
        until,
    )
    found = []
    for text, size, calls, tokens in rows:
        endpoint, function, uses, purpose = msgspec.json.decode(text)
        if purpose == "serve":
            uses = None if uses is None else tuple(uses)
            found.append(_Group(endpoint or "chat", function or "", uses, int(size) * BLOCK, int(calls), int(tokens)))
    return found


def weighed(source: str, target: str, since: int, until: int, groups: Iterable[_Group], ability: Ability) -> Gap:
    """Return the gap between these calls and what is known of the target. Pure."""
    whole, tokens, unrecorded = 0, 0, 0
    by_fate: dict[Fate, list[int]] = {fate: [0, 0] for fate in FATES}
    causes: dict[tuple[str, Fate, str], list[Any]] = {}
    sets: set[Any] = set()
    for group in groups:
        whole += group.calls
        tokens += group.tokens
        unrecorded += group.calls if group.uses is None else 0
        sets.add((group.endpoint, group.uses))
        worst: Fate = "native"
        for feature, fate, why, known in _judged(group, ability):
            worst = max(worst, fate, key=FATES.index)
            cause = causes.setdefault((feature, fate, why), [0, 0, known, set()])
            cause[0] += group.calls
            cause[1] += group.tokens
            cause[3].add(group.function)
        by_fate[worst][0] += group.calls
        by_fate[worst][1] += group.tokens
    listed = [
        Cause(
            feature, fate, calls, _share(calls, whole), used, why, known.how, known.at, known.call,
            tuple(sorted(filter(None, functions))),
        )
        for (feature, fate, why), (calls, used, known, functions) in causes.items()
    ]  # fmt: skip
    listed.sort(key=lambda c: (-FATES.index(c.fate), -c.calls, c.feature))
    return Gap(
        source, target, since, until, whole, tokens, len(sets), unrecorded,
        {fate: _share(by_fate[fate][0], whole) for fate in FATES},
        {fate: _share(by_fate[fate][1], tokens) for fate in FATES},
        tuple(listed),
    )  # fmt: skip


def _share(part: int, whole: int) -> float:
    return round(part / whole, 6) if whole else 0.0


_Judged = tuple[str, Fate, str, Known]


def _judged(group: _Group, ability: Ability) -> Iterable[_Judged]:
    """Yield what becomes of each thing that these calls need."""
    deployment, kind = ability.deployment, group.endpoint
    known = ability.knows(kind, kind)
    if known.can is not True:
        yield kind, "unknown" if known.can is None else "lost", f"{kind} calls", known
    if kind == "embedding":
        yield (
            "embedding_index",
            "adapted",
            "vectors of another model: what was indexed has to be indexed anew",
            _DECLARED,
        )
    if deployment.context and group.size > deployment.context:
        yield "context", "lost", f"longer than its {deployment.context} tokens", _DECLARED
    for use in group.uses or ():
        if use.startswith(OUTPUT):
            if deployment.max_output and int(use.removeprefix(OUTPUT)) > deployment.max_output:
                yield "max_output", "adapted", f"answers end at {deployment.max_output} tokens", _DECLARED
        else:
            yield _use(use, kind, ability)


_DECLARED = Known(True, "declared")
_INDEX = "vectors of another model: what was indexed has to be indexed anew"


def _use(use: str, kind: str, ability: Ability) -> _Judged:
    known = ability.knows(use, kind)
    if known.can:
        return use, "native", "", known
    if use == CACHE:
        return use, "adapted", "marks for the vendor's cache do nothing: prices differ", known
    if use in BOOKKEEPING:
        return use, "adapted", "left out: the answer is the same", known
    if use in TASTE:
        return use, "adapted", "left out: answers may read differently", known
    if use == STRICT_TOOLS and ability.knows(TOOLS, kind).can:
        return use, "adapted", "tools are called, but nothing holds their arguments to the schema", known
    if use == PREFILL and known.can is None:
        return use, "unknown", "whether it goes on from a begun answer", known
    if known.can is None:
        return use, "unknown", "nobody says, and no probe was made", known
    return use, "lost", "it cannot" if known.how != "probed" else "a probe found that it cannot", known
