"""What may be said, to a model and by it: implements shield.Shield for policies' `moderation` and `injection`. Knows
who is asked and when; refuses to know what is wrong with words.

The lists and the signs of an attack are looked for at once; a moderator is asked only about words that they have let
through, so that nobody outside sees what is stopped anyway.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

import msgspec

from freehold.core.call import Call
from freehold.core.errors import FreeholdError, StoreError
from freehold.guards import injection, lists, rules
from freehold.guards.judging import DEPLOYMENT, RULES, attacked, blocked, moderated, stopping, unheard
from freehold.guards.known import Known
from freehold.guards.outflow import Outflow, stopped
from freehold.guards.policy import Plan, Policy
from freehold.guards.semantic import Answer, Ask, Moderator, Semantic, newest
from freehold.guards.shield import LARGE, Flow, Look, Recipient, Send
from freehold.guards.taxonomy import Concern, Side, worst
from freehold.ledger import Verdict
from freehold.wire.dialects.openai_pieces import pieces
from freehold.wire.dialects.openai_texts import Text

NAME = "moderation"
_PARAMS = {"chat": "messages", "completion": "prompt", "embedding": "input", "moderation": "input"}


class Watch(msgspec.Struct, frozen=True):
    """Which policies of a plan look where; which of them go by the lists; and whether any asks a moderator."""

    input: tuple[Policy, ...] = ()
    output: tuple[Policy, ...] = ()
    attacks: tuple[Policy, ...] = ()
    ruled: tuple[Policy, ...] = ()
    answered: tuple[Policy, ...] = ()
    asks: bool = False
    asks_back: bool = False

    @classmethod
    def of(cls, plan: Plan) -> Watch:
        """Sort the policies of a plan."""
        said = [(policy, policy.moderation) for policy in plan.policies if policy.moderation is not None]
        told = tuple(policy for policy, how in said if how.input)
        back = tuple(policy for policy, how in said if how.output)
        return cls(
            told,
            back,
            tuple(policy for policy in plan.policies if policy.injection.action != "off"),
            tuple(policy for policy, how in said if how.input and how.rules),
            tuple(policy for policy, how in said if how.output and how.rules),
            bool(asks(told)),
            bool(asks(back)),
        )


class ModerationShield:
    """Implements shield.Shield."""

    def __init__(self) -> None:
        self.semantic = Semantic()
        self._known = Known()

    async def inspect(self, look: Look) -> None:
        watch = _watch(look)
        if not watch.input and not watch.attacks:
            return
        call = look.call
        look.require_single_members((*watch.input, *watch.attacks))
        said = look.texts()
        if call.size < LARGE:
            verdicts = seen(said, watch, self._known)
        else:
            verdicts = await asyncio.to_thread(seen, said, watch, self._known)
        if verdicts:
            self._rule(look, verdicts, "input")
        spoken = newest(said) if watch.asks else ""
        if spoken.strip():
            self._rule(look, await self.ask(watch.input, spoken, "input", "", call, look.ask), "input")

    def _rule(self, look: Look, verdicts: Iterable[Verdict], side: Side) -> None:
        """Put verdicts on record. Raises Blocked when one of them stops the call."""
        found = list(verdicts)
        for verdict in found:
            look.note(verdict)
        stops = stopping(found)
        if stops:
            raise blocked(stops, side, _PARAMS.get(look.call.kind) if side == "input" else None)

    async def ask(
        self, policies: Sequence[Policy], text: str, side: Side, before: str, like: Call, ask: Ask
    ) -> list[Verdict]:
        """Ask the moderators of these policies, each once, and return what the policies decide. Raises StoreError."""
        moderators = asks(policies)
        answers = await asyncio.gather(*(self._answer(who, text, side, before, like, ask) for who in moderators))
        verdicts: list[Verdict] = []
        for who, answer in zip(moderators, answers, strict=True):
            by = f"{DEPLOYMENT}{who.deployment}"
            for policy in policies:
                if policy.moderation is None or _moderator(policy) != who:
                    continue
                if isinstance(answer, Answer):
                    verdicts += moderated(policy, answer.concerns, by, side, " ".join(answer.calls[:1]))
                else:
                    verdicts.append(unheard(policy, by, side, answer.code))
        return verdicts

    async def _answer(
        self, who: Moderator, text: str, side: Side, before: str, like: Call, ask: Ask
    ) -> Answer | FreeholdError:
        try:
            return await self.semantic.judge(who, text, side, before, like, ask)
        except StoreError:
            raise  # nothing goes on without a record
        except FreeholdError as e:
            return e

    def allows(self, look: Look, to: Recipient) -> str:
        return ""

    async def outgoing(self, look: Look, call: Call, to: Recipient) -> Call:
        return call

    def stream(self, look: Look, send: Send) -> Flow | None:
        policies = _watch(look).output
        return Outflow(look, policies, send, self.ask) if policies else None

    async def whole(self, look: Look, body: bytes) -> bytes:
        watch = _watch(look)
        policies = watch.output
        found = pieces(body) if policies else None
        if not found:
            return body
        if len(found) == 1 and not watch.asks_back and not spoken(watch.answered, found[0].text):
            return body  # as most answers are
        said: dict[int, list[str]] = {}
        for piece in found:
            if piece.text:
                said.setdefault(piece.choice, []).append(piece.text)
        verdicts: dict[int, list[Verdict]] = {}
        for choice, parts in said.items():
            verdicts[choice] = spoken(watch.answered, "\n".join(parts))
        if not watch.asks_back and not any(verdicts.values()):
            return body
        open_ = [choice for choice in said if not stopping(verdicts[choice])]
        if watch.asks_back and open_:
            before = newest(look.texts())
            more = await asyncio.gather(
                *(self.ask(policies, "\n".join(said[c]), "output", before, look.call, look.ask) for c in open_)
            )
            for choice, told in zip(open_, more, strict=True):
                verdicts[choice] += told
        for verdict in (each for told in verdicts.values() for each in told):
            look.note(verdict)
        ended = {choice: stops for choice, told in verdicts.items() if (stops := stopping(told))}
        if ended:
            e = blocked([verdict for stops in ended.values() for verdict in stops], "output")
            e.body = stopped(body, set(ended))
            raise e
        return body


def looks(look: Look, side: Side) -> bool:
    """Whether a policy that acts looks at one side of a call."""
    watch = _watch(look)
    policies = (*watch.input, *watch.attacks) if side == "input" else watch.output
    return any(not policy.dry_run for policy in policies)


def _watch(look: Look) -> Watch:
    known: Watch | None = look.plan.kept.get(NAME)
    if known is None:
        known = look.plan.kept[NAME] = Watch.of(look.plan)
    return known


def _moderator(policy: Policy) -> Moderator | None:
    said = policy.moderation
    return Moderator(said.deployment, said.form) if said is not None and said.deployment else None


def asks(policies: Iterable[Policy]) -> list[Moderator]:
    """Return who is asked for these policies, each once."""
    return list(dict.fromkeys(who for policy in policies if (who := _moderator(policy)) is not None))


def seen(said: Sequence[Text], watch: Watch, known: Known | None = None) -> list[Verdict]:
    """Return what the policies decide about the texts of a call by the lists and by signs of an attack. `known` are
    instructions in which neither is."""
    concerns: list[Concern] = []
    scores: dict[bool, injection.Score] = {}
    shipped = lists.shipped() if watch.ruled or watch.attacks else None
    for text in said:
        if known is not None and known.clean(text.role, text.text):
            continue
        signs: Sequence[Concern] = ()
        found = shipped.find(text.text) if shipped is not None else None
        if found:
            wrong, signs = rules.split(found)
            concerns += wrong
        if watch.attacks:
            for user, score in _scores(text, signs):
                if score.value:
                    scores[user] = max(score, scores.get(user, score))
        if known is not None and found == [] and text.role == "system" and injection.is_whole(text.text):
            known.note(text.role, text.text)
    verdicts: list[Verdict] = []
    for policy in watch.ruled if concerns else ():
        verdicts += moderated(policy, worst(concerns), RULES, "input")
    for user, score in scores.items():
        verdicts += [verdict for policy in watch.attacks if (verdict := attacked(policy, score, user)) is not None]
    return verdicts


def _scores(text: Text, signs: Sequence[Concern]) -> Iterable[tuple[bool, injection.Score]]:
    """Return the scores of a text: whether it is a user's own, and how much it looks like an attack. What a model said
    and what the house told it are no attacks, but for files that stand in the house's words."""
    if text.role == "tool":
        return [(False, injection.look(text.text, "tool", signs))]
    if text.role not in ("user", "prompt", "system"):
        return ()
    if injection.is_whole(text.text):
        return [(True, injection.look(text.text, "user", signs))] if text.role != "system" else ()
    parts = list(injection.parts(text.text))
    whole = signs if len(parts) == 1 else None
    return [
        (source == "user", injection.look(part, source, whole))
        for part, source in parts
        if source == "document" or text.role != "system"
    ]


def spoken(ruled: Sequence[Policy], text: str) -> list[Verdict]:
    """Return what policies that go by the lists decide about what a model says."""
    concerns = rules.find(text) if ruled else []
    return [verdict for policy in ruled for verdict in moderated(policy, concerns, RULES, "output")] if concerns else []
