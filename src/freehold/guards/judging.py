"""From what was found in words to what follows: which policy wants what, what goes on record, what is said to whoever
is refused. Pure; refuses to look into words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from freehold.core.errors import Blocked
from freehold.guards import taxonomy
from freehold.guards.injection import Score
from freehold.guards.policy import Injection, Moderation, Policy
from freehold.guards.taxonomy import SEVERITIES, Concern, Side
from freehold.ledger import Verdict

RULES, INJECTION, DEPLOYMENT = "rules", "injection", "deployment:"
"""Who decides: the lists, the signs of an attack, and a moderator, whose name follows."""
NOTED = taxonomy.LOW
"""Severity from which words are put on record where a policy does not say."""
_CERTAIN = 0.85
"""Score from which an attack counts as one of high severity."""


def wanted(said: Moderation, concern: Concern) -> str:
    """Return what a policy wants done about a concern: block, note, or "" for nothing."""
    stop = taxonomy.threshold(said.block, concern.category)
    if stop is not None and concern.severity >= max(stop, taxonomy.LOW):
        return "block"
    least = taxonomy.threshold(said.note, concern.category)
    return "note" if concern.severity >= (NOTED if least is None else max(least, taxonomy.LOW)) else ""


def moderated(policy: Policy, concerns: Iterable[Concern], by: str, side: Side, call: str = "") -> list[Verdict]:
    """Return what one policy decides; `call` names the question to the moderator on the ledger."""
    said = policy.moderation
    if said is None:
        return []
    found = []
    for category, severity, detail in concerns:
        action = wanted(said, Concern(category, severity))
        if action:
            why = f"{detail} {call}".strip()
            found.append(Verdict(by, side, category, severity, action, policy.name, policy.dry_run, why))
    return found


def unheard(policy: Policy, by: str, side: Side, code: str) -> Verdict:
    """Return what a policy decides when its moderator does not answer; `code` says why."""
    said = policy.moderation
    action = "block" if said is not None and said.when_down == "block" else "note"
    return Verdict(by, side, "unnamed", taxonomy.SAFE, action, policy.name, policy.dry_run, f"no answer: {code}")


def attacked(policy: Policy, score: Score, user: bool) -> Verdict | None:
    """Return what one policy decides about a text that scores so; `user`: somebody wrote it who may give orders."""
    said: Injection = policy.injection
    if said.action == "off" or score.value < max(said.threshold, 0.01):
        return None
    severity = taxonomy.HIGH if score.value >= _CERTAIN else taxonomy.MEDIUM
    category = "jailbreak" if user else "injection"
    detail = f"{score.value:.2f} {', '.join(score.signs)}"
    return Verdict(INJECTION, "input", category, severity, said.action, policy.name, policy.dry_run, detail)


def stopping(verdicts: Iterable[Verdict]) -> list[Verdict]:
    """Return the verdicts that stop words: those of policies that only look on stop nothing."""
    return [verdict for verdict in verdicts if verdict.action == "block" and not verdict.dry]


def filter_results(verdicts: Iterable[Verdict], side: Side) -> dict[str, object]:
    """Return our own verdicts of one side in the form of Azure's filter."""
    own = (RULES, INJECTION, DEPLOYMENT)
    return taxonomy.filtered(
        (
            (verdict.category, verdict.severity, verdict.action == "block")
            for verdict in verdicts
            if verdict.side == side and not verdict.dry and verdict.by.startswith(own)
        ),
        side,
    )


def blocked(stopped: Sequence[Verdict], side: Side, param: str | None = None) -> Blocked:
    """Return what is said to whoever is refused: which category, by which policy, and nothing of the words."""
    names = dict.fromkeys(_named(verdict) for verdict in stopped)
    policies = dict.fromkeys(f"`{verdict.policy}`" for verdict in stopped)
    what = "This request was" if side == "input" else "The answer was"
    which = "policy" if len(policies) == 1 else "policies"
    e = Blocked(
        f"{what} stopped by the {which} {', '.join(policies)}: {', '.join(names)}.",
        param=param,
        hint="say it otherwise; who holds the key can ask an administrator, who sees the verdict on the ledger",
    )
    e.filter = filter_results(stopped, side)
    return e


def _named(verdict: Verdict) -> str:
    if verdict.category == "unnamed" and verdict.detail.startswith("no answer"):
        return "its moderator does not answer"
    grade = SEVERITIES.get(verdict.severity, "")
    return f"{verdict.category.replace('_', ' ')} ({grade})" if verdict.severity else verdict.category
