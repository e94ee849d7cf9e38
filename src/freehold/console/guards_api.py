"""Guards on the console: policies in force, what was decided and by whom, what was stopped, and a text to try. Refuses
to decide; keeps no text that was tried."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, Literal

from msgspec import Struct

from freehold.access import Member
from freehold.console.figures import MS
from freehold.console.guards_shapes import (
    Asked,
    CategoryNames,
    Counted,
    DecidedBucket,
    DecidedFor,
    Guards,
    HeldPolicy,
    Part,
    Span,
    StoppedCall,
    StoppedCalls,
    Tried,
    row,
)
from freehold.console.office import Office
from freehold.console.shapes import CatchingUp, Failure, Named
from freehold.core.call import Call
from freehold.core.clock import now_ns
from freehold.core.errors import BadRequest, Forbidden, FreeholdError, NotFound
from freehold.core.ids import new_id
from freehold.guards import lists
from freehold.guards.injection import Source
from freehold.guards.judging import DEPLOYMENT, moderated, stopping, unheard
from freehold.guards.moderation import asks
from freehold.guards.policy import Policy
from freehold.guards.privacy import acts
from freehold.guards.semantic import Moderator, Semantic
from freehold.guards.taxonomy import CATEGORIES
from freehold.guards.trial import Found, does, trial, whom
from freehold.ledger import Stored, Verdict, decided
from freehold.ledger.decided import STOPS, Decided
from freehold.ledger.traffic import DAY, HOUR
from freehold.ledger.ways import PATIENCE
from freehold.wire.api import Endpoint, Request

SPANS: dict[str, tuple[int, int]] = {"24h": (HOUR, 24), "7d": (6 * HOUR, 28), "30d": (DAY, 30), "90d": (3 * DAY, 30)}
"""Width of a bucket (ns), and how many."""
TRIAL_SECONDS = 60.0
LONGEST = 100_000
"""Characters of a text to try."""
_SEMANTIC = Semantic()


class SpanQuery(Struct, frozen=True):
    span: Span = "24h"


class StoppedQuery(Struct, frozen=True, kw_only=True):
    """`before`: `next` of the page before."""

    span: Span = "24h"
    limit: int = 25
    before: int | None = None


class TryBody(Struct, kw_only=True):
    """A text and whose words it is part of. `policy`: one alone, else all in force. `ask`: ask the policies' moderators
    too, under one's own key; without it nothing leaves."""

    text: str
    side: Literal["input", "output"] = "input"
    source: Source = "user"
    policy: str = ""
    ask: bool = False


def endpoints(office: Office) -> list[Endpoint]:
    """Return the endpoints."""

    async def guards(request: Request[Any]) -> Guards:
        return held(office)

    async def verdicts(request: Request[Any]) -> DecidedFor:
        return await over(office, request.query.span)

    async def stopped(request: Request[Any]) -> StoppedCalls:
        return await calls(office, request.query)

    async def attempt(request: Request[Any]) -> Tried:
        return await try_out(office, request.who, request.body)

    def endpoint(method: str, path: str, run: Any, summary: str, **more: Any) -> Endpoint:
        path = f"/api/admin/guards{path}"
        return Endpoint(method=method, path=path, run=run, summary=summary, access="auditor", tag="console", **more)

    by_span, page = {"query": SpanQuery, "answer": DecidedFor}, {"query": StoppedQuery, "answer": StoppedCalls}
    return [
        endpoint("GET", "", guards, "Policies in force, and the categories that they speak of", answer=Guards),
        endpoint("GET", "/verdicts", verdicts, "What was decided about words, and by whom", **by_span),
        endpoint("GET", "/stopped", stopped, "Calls in which something was stopped, the newest first", **page),
        endpoint("POST", "/try", attempt, "What the guards say of a text", body=TryBody, answer=Tried),
    ]


def held(office: Office) -> Guards:
    """Return the policies in force, in the order of the file."""
    policies = office.pipeline.snapshot.policies.all
    return Guards(
        policies=[
            HeldPolicy(policy=policy, parts=_parts(policy), whom=whom(policy), does=does(policy)) for policy in policies
        ],
        categories=[
            CategoryNames(
                name=name, means=category.means, parent=category.parent, openai=category.openai, azure=category.azure,
                mlcommons=category.mlcommons,
            )
            for name, category in CATEGORIES.items()
        ],
        languages=list(lists.LANGUAGES),
        moderators=[who.deployment for who in asks(policies)],
    )  # fmt: skip


def _parts(policy: Policy) -> list[Part]:
    said: list[tuple[Part, bool]] = [
        ("privacy", acts(policy.privacy)),
        ("moderation", policy.moderation is not None),
        ("injection", policy.injection.action != "off"),
        ("data_class", policy.data_class is not None),
        ("prefer", policy.prefer != "weights"),
    ]
    return [name for name, on in said if on]


def _span(name: str) -> tuple[int, int, int]:
    """Return begin, end and width of the buckets of a span, ns."""
    width, buckets = SPANS[name]
    until = (now_ns() // width + 1) * width
    return until - width * buckets, until, width


async def over(office: Office, span: str) -> DecidedFor:
    """Return what was decided in a span. Raises StoreError."""
    since, until, width = _span(span)
    done, head = await decided.roll(office.store, PATIENCE)
    rows = await decided.decided(office.store, since, until, by_hour=True)
    series = [DecidedBucket(at=at // MS, by={}) for at in range(since, until, width)]
    for each in rows:
        bucket = series[(each.at - since) // width]
        who = _decider(each.by)
        bucket.by[who] = bucket.by.get(who, 0) + each.times
        if each.action in STOPS:
            bucket.stopped += 0 if each.dry else each.times
            bucket.would += each.times if each.dry else 0
    return DecidedFor(
        span=span,
        since=since // MS,
        until=until // MS,
        step=width // MS,
        times=sum(each.times for each in rows),
        stopped=sum(bucket.stopped for bucket in series),
        would=sum(bucket.would for bucket in series),
        series=series,
        by=_counted(rows, "by"),
        categories=_counted(rows, "category"),
        policies=_counted([each for each in rows if each.policy], "policy"),
        catching_up=CatchingUp(done, head) if done < head else None,
    )


def _decider(by: str) -> str:
    return by.partition(":")[0]


def _counted(rows: Iterable[Decided], field: str) -> list[Counted]:
    found: dict[str, Counted] = {}
    for each in rows:
        name = getattr(each, field)
        one = found.setdefault(name, Counted(name=name, decider=_decider(each.by) if field == "by" else ""))
        one.times += each.times
        if each.action in STOPS:
            one.stopped += 0 if each.dry else each.times
            one.dry += each.times if each.dry else 0
        one.last_at = max(one.last_at, each.last_at // MS)
    return sorted(found.values(), key=lambda one: (-one.times, one.name))


async def calls(office: Office, query: StoppedQuery) -> StoppedCalls:
    """Return the newest calls in which something was stopped. Raises BadRequest, StoreError."""
    if not 0 < query.limit <= 200:
        raise BadRequest("limit is between 1 and 200.", param="limit", hint="ask for fewer, and go on with `next`")
    since, until, _ = _span(query.span)
    await decided.roll(office.store, PATIENCE)
    found = await decided.stopped(office.store, since, until, limit=query.limit + 1, before=query.before)
    names = await office.names({one.entry.key for one in found if one.entry.key})
    more = len(found) > query.limit
    return StoppedCalls(
        [_call(one, names) for one in found[: query.limit]], found[query.limit - 1].seq if more else None
    )


def _call(one: Stored, names: dict[str, str]) -> StoppedCall:
    entry = one.entry
    return StoppedCall(
        seq=one.seq,
        call=entry.call,
        at=entry.at // MS,
        key=Named(entry.key, names.get(entry.key, "")) if entry.key else None,
        asked=entry.asked,
        deployment=entry.deployment,
        verdicts=[row(verdict) for verdict in entry.verdicts if verdict.action in STOPS],
    )


async def try_out(office: Office, who: Member, body: TryBody) -> Tried:
    """Return what the guards say of a text. Raises BadRequest, NotFound, Forbidden."""
    if len(body.text) > LONGEST:
        raise BadRequest(f"The text has more than {LONGEST:,} characters.", param="text", hint="try a part of it")
    policies = office.pipeline.snapshot.policies.all
    if body.policy:
        policies = tuple(policy for policy in policies if policy.name == body.policy)
        if not policies:
            raise NotFound(f"No policy is called {body.policy[:64]!r}.", hint="GET /api/admin/guards lists them")
    found = await asyncio.to_thread(trial, body.text, body.side, body.source, policies)
    verdicts, asked = list(found.verdicts), list[Asked]()
    if body.ask and body.text.strip():
        if who.role == "auditor":
            raise Forbidden(
                "An auditor asks no moderator.",
                code="role_too_low",
                hint="an administrator can; it is a call as any other",
            )
        asked, said = await _ask(office, who, body, policies)
        verdicts += said
    return Tried(
        rules=found.rules,
        attack=found.attack,
        personal=found.personal,
        verdicts=[row(verdict) for verdict in verdicts],
        stopped=bool(stopping(verdicts)),
        asked=asked,
    )


async def _ask(
    office: Office, who: Member, body: TryBody, policies: Iterable[Policy]
) -> tuple[list[Asked], list[Verdict]]:
    """Ask the moderators of these policies, each once, under the key of `who`."""
    sided = [policy for policy in policies if policy.moderation is not None and getattr(policy.moderation, body.side)]
    key = office.pipeline.snapshot.keys.by_id(who.key)
    like = Call(new_id("call"), "openai", "chat", "", {}, len(body.text))

    async def ask(call: Call) -> bytes:
        async with asyncio.timeout(TRIAL_SECONDS):
            return await office.pipeline.ask(call, key)

    async def one(moderator: Moderator) -> tuple[Asked, list[Verdict]]:
        by = f"{DEPLOYMENT}{moderator.deployment}"
        mine = [policy for policy in sided if asks([policy]) == [moderator]]
        said = Asked(deployment=moderator.deployment, form=moderator.form, findings=[])
        try:
            answer = await _SEMANTIC.judge(moderator, body.text, body.side, "", like, ask)
        except (FreeholdError, TimeoutError) as e:
            code = e.code if isinstance(e, FreeholdError) else "upstream_timeout"
            words = e.sentences() if isinstance(e, FreeholdError) else f"No answer within {TRIAL_SECONDS:.0f} s."
            said.error = Failure(code, words)
            return said, [unheard(policy, by, body.side, code) for policy in mine]
        said.findings = [Found(*concern) for concern in answer.concerns]
        said.call = answer.calls[0]
        verdicts = [v for policy in mine for v in moderated(policy, answer.concerns, by, body.side, said.call)]
        return said, verdicts

    found = await asyncio.gather(*(one(moderator) for moderator in asks(sided)))
    return [said for said, _ in found], [verdict for _, verdicts in found for verdict in verdicts]
