"""What the guards would say of a text, with nobody asked and nothing kept; and what a policy does, in words. The
console and the command line show both. Pure; refuses to decide for a call."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from msgspec import Struct

from freehold.guards import injection, rules
from freehold.guards.find import find
from freehold.guards.injection import Source
from freehold.guards.judging import stopping
from freehold.guards.moderation import Watch, seen, spoken
from freehold.guards.policy import Plan, Policy, strictest
from freehold.guards.privacy import acts as privacy_acts
from freehold.guards.taxonomy import SEVERITIES, Side
from freehold.ledger import Verdict
from freehold.wire.dialects.openai_texts import Text


class Found(Struct, frozen=True):
    """Something wrong with words: `severity` 2 low, 4 medium, 6 high; `detail` names the rule, or what a moderator
    calls it."""

    category: str
    severity: int
    detail: str


class Attack(Struct, frozen=True):
    """How much a text looks like an attack on a model, 0 to 1, and by which signs."""

    score: float
    signs: tuple[str, ...]


class Trial(Struct, kw_only=True):
    """What was found in a text, and what policies make of it. `personal` counts kinds of personal data and secrets;
    what is done about them depends on who is to get them."""

    rules: list[Found]
    attack: Attack
    personal: dict[str, int]
    verdicts: list[Verdict]
    stopped: bool


def trial(text: str, side: Side, source: Source, policies: Sequence[Policy]) -> Trial:
    """Return what the guards say of `text` as part of what is asked (from `source`) or of what is answered, by these
    policies, whomever they hold for."""
    found = [Found(*concern) for concern in rules.find(text)]
    score = injection.look(text, source) if side == "input" else injection.Score(0.0)
    watch = Watch.of(Plan.of(policies))
    if side == "input":
        verdicts = seen([Text((), "user" if source == "user" else "tool", text)], watch)
    else:
        verdicts = spoken(watch.answered, text)
    return Trial(
        rules=found,
        attack=Attack(score.value, score.signs),
        personal=dict(Counter(each.kind for each in find(text))),
        verdicts=verdicts,
        stopped=bool(stopping(verdicts)),
    )


_WHOM = ("teams", "keys", "routes", "functions", "classes")


def whom(policy: Policy) -> str:
    """Return whom a policy holds for, in words."""
    said = [f"{name} {', '.join(getattr(policy, name))}" for name in _WHOM if getattr(policy, name)]
    return "; ".join(said) or "everybody"


def does(policy: Policy) -> list[str]:
    """Return what a policy does, in words, a part each: privacy, moderation, injection, and what it says of a call."""
    return [part for part in (_privacy(policy), _moderation(policy), _injection(policy), _call(policy)) if part]


def _privacy(policy: Policy) -> str:
    said = policy.privacy
    if not privacy_acts(said):
        return ""
    parts = [f"{said.outside} outside", f"{said.own} on one's own"]
    parts += [f"{action} to {party}" for party, action in sorted(said.recipients.items())]
    parts += [f"{action} {kind}" for kind, action in sorted(said.by_kind.items())]
    if said.media != "pass":
        parts.append(f"media {said.media}")
    strict = strictest((said.outside, said.own, *said.recipients.values(), *said.by_kind.values()))
    return f"privacy: {', '.join(parts)}" if strict != "pass" or said.media != "pass" else ""


def _moderation(policy: Policy) -> str:
    said = policy.moderation
    if said is None:
        return ""
    sides = " and ".join(name for name, on in (("input", said.input), ("output", said.output)) if on) or "nothing"
    parts = [f"moderation of {sides}: {'by lists' if said.rules else 'no lists'}"]
    if said.deployment:
        parts.append(f"asks {said.deployment} ({said.form}), {said.when_down} when it is down")
    for verb, table in (("block", said.block), ("note", said.note)):
        if table:
            parts.append(f"{verb} {', '.join(f'{name} from {SEVERITIES.get(at, at)}' for name, at in table.items())}")
    return ", ".join(parts)


def _injection(policy: Policy) -> str:
    said = policy.injection
    return f"injection: {said.action} from {said.threshold:g}" if said.action != "off" else ""


def _call(policy: Policy) -> str:
    parts = [f"calls are at least {policy.data_class}"] if policy.data_class is not None else []
    if policy.prefer == "commitments":
        parts.append("commitments go first")
    return ", ".join(parts)
