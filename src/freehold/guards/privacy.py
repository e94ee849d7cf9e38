"""What each recipient gets to see of personal data and secrets: as they are, under pseudonyms, or not at all. Decides
by the policies that hold; refuses to know how anything is recognised, and never repeats what was found."""

from __future__ import annotations

import asyncio
import hashlib
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

import msgspec

from freehold.contracts.binding import own
from freehold.core.call import JSON_OBJECT, JSON_SCHEMA, Call
from freehold.core.errors import Blocked, EngineError
from freehold.guards.find import KINDS, Finding, class_of, find
from freehold.guards.known import Known
from freehold.guards.names import Names
from freehold.guards.policy import Action, Plan, Policy, Privacy, class_above, strictest
from freehold.guards.restore import Forms, Restoring, tokenlike, whole, written
from freehold.guards.shield import LARGE, Flow, Look, Recipient, Send
from freehold.guards.vault import Conversation, Value, Vault
from freehold.ledger import Verdict
from freehold.wire.dialects.openai_texts import Medium, Path, Text, media, others, read, replaced

NAME = "privacy"
_BY_NAMES = frozenset({"NAME", "PLACE"})
"""Kinds that have no form: only the worker for names finds them."""
_VERBS: dict[Action, str] = {"own": "own", "refuse": "block", "redact": "redact", "pseudonymise": "pseudonymise"}
_LONG = 256
"""Characters from which it is remembered that nothing was in a member: definitions of tools come with every call."""
_REMEMBERED = 1024

T = TypeVar("T")


class Seen(msgspec.Struct):
    """What is known of one call: all its words, those of them in which something was found, and what nobody looks into.
    `forms` are the tokens in what the recipient of the attempt under way gets to see."""

    fields: Mapping[str, msgspec.Raw]
    words: list[Text]
    found: list[tuple[Text, list[Finding]]]
    media: list[Medium]
    passing: Conversation | None = None
    forms: Forms | None = None

    def counts(self) -> Counter[str]:
        """How many there are of each kind."""
        return Counter(each.kind for _, findings in self.found for each in findings)


class PrivacyShield:
    """Implements shield.Shield. `classify` says that what is found raises the call's class of data; without `names` no
    policy can ask for names and places."""

    def __init__(self, vault: Vault, *, names: Names | None = None, classify: bool = True) -> None:
        self._vault = vault
        self._names = names
        self.classify = classify
        self._clean: dict[bytes, None] = {}
        self._known = Known()

    async def inspect(self, look: Look) -> None:
        rules = _rules(look.plan)
        if not rules and not self.classify:
            return
        look.require_single_members(rules)
        seen = look.kept[NAME] = await self._see(look, look.call, rules)
        for _, findings in seen.found:
            for each in findings:
                look.found[each.kind] = look.found.get(each.kind, 0) + 1
                if self.classify:
                    look.data_class = class_above(look.data_class, class_of(each))
        for policy in rules if look.found or seen.media else ():
            self._refuse_all(look, policy, seen)

    def _refuse_all(self, look: Look, policy: Policy, seen: Seen) -> None:
        """Refuse what nobody at all may get."""
        said = policy.privacy
        kinds = [kind for kind in sorted(look.found) if _looked_for(said, kind) and _for_nobody(said, kind)]
        for kind in kinds:
            look.note(_verdict(kind, "refuse", policy))
        for medium in seen.media:
            verb = {"refuse": "block", "own": "own"}.get(said.media, "note")
            detail = "nobody looks into it"
            look.note(Verdict(NAME, "input", medium, 0, verb, policy.name, policy.dry_run, detail))
        refused = kinds or (seen.media if said.media == "refuse" else ())
        if refused and not policy.dry_run:
            raise _blocked(refused, policy)

    def allows(self, look: Look, to: Recipient) -> str:
        seen: Seen | None = look.kept.get(NAME)
        if seen is None or not (look.found or seen.media) or own(to):
            return ""
        for policy in look.plan.enforced:
            said = policy.privacy
            kept = [kind for kind in look.found if action(said, kind, to) == "own"]
            if kept or (said.media == "own" and seen.media):
                return f"policy {policy.name} lets {_listed(kept or seen.media)} go to models of one's own alone"
            kept = [kind for kind in look.found if kind not in said.by_kind and _named(said, to) == "refuse"]
            kept = [kind for kind in kept if _looked_for(said, kind)]
            if kept:
                return f"policy {policy.name} does not let {_listed(kept)} go to it"
        return ""

    async def outgoing(self, look: Look, call: Call, to: Recipient) -> Call:
        seen: Seen | None = look.kept.get(NAME)
        if seen is None:
            return call
        seen.forms = None
        if call.fields is not seen.fields:
            # Somebody has changed the call meanwhile.
            again = await self._see(look, call, _rules(look.plan))
            again.passing = seen.passing
            seen = look.kept[NAME] = again
        if not seen.found:
            return call
        acted = {kind: self._decide(look, kind, call, to) for kind in sorted(seen.counts())}
        if set(acted.values()) == {"pass"}:
            return call
        _refuse_names(look, seen, acted, to)
        tokens = await self._tokens(look, seen, {kind for kind, done in acted.items() if done == "pseudonymise"})
        if tokens:
            seen.forms = await _aside(call, lambda: Forms({token: words for (_, words), token in tokens.items()}))
        changed, look.redactions = await _aside(call, lambda: _changes(seen, acted, tokens))
        return await _aside(call, lambda: replaced(call, changed))

    def _decide(self, look: Look, kind: str, call: Call, to: Recipient) -> Action:
        """Return what is done about a kind, and put on record who wants it so. Raises Blocked."""
        wanted = {policy.name: action(policy.privacy, kind, to) for policy in look.plan.policies}
        if call.kind == "embedding":
            # Nothing of an embedding could be restored, and a pseudonym would be another one each time.
            wanted = {name: "redact" if done == "pseudonymise" else done for name, done in wanted.items()}
        done = strictest(wanted[policy.name] for policy in look.plan.enforced)
        for policy in look.plan.policies:
            mine = wanted[policy.name]
            if mine != "pass" and (policy.dry_run or mine == done):
                look.note(_verdict(kind, mine, policy, to))
        if done in ("own", "refuse"):
            policy = next(policy for policy in look.plan.enforced if wanted[policy.name] == done)
            raise _blocked([kind], policy, to)
        return done

    async def _tokens(self, look: Look, seen: Seen, kinds: set[str]) -> dict[Value, str]:
        """Return a pseudonym for each value of these kinds. A call that belongs to no conversation keeps its own, which
        nobody else ever knows."""
        values = [
            (each.kind, text.text[each.start : each.end])
            for text, findings in seen.found
            for each in findings
            if each.kind in kinds
        ]
        if not values:
            return {}
        taken = await _aside(look.call, lambda: set[str]().union(*(tokenlike(text.text) for text in seen.words)))
        if look.call.session is not None:
            return await self._vault.pseudonyms(look.conversation, values, taken)
        if seen.passing is None:
            seen.passing = Conversation.begun()
        passing = seen.passing
        return await _aside(look.call, lambda: passing.name(values, taken))

    def stream(self, look: Look, send: Send) -> Flow | None:
        forms = _forms(look)
        return None if forms is None else Restoring(forms, send, quoted=_is_json(look.call))

    async def whole(self, look: Look, body: bytes) -> bytes:
        forms = _forms(look)
        if forms is None:
            return body
        return await _aside(look.call, lambda: whole(forms, body, quoted=_is_json(look.call)))

    async def _see(self, look: Look, call: Call, rules: Sequence[Policy]) -> Seen:
        """Look at all words of a call: the one that was asked, or what somebody has made of it."""
        kinds = None if self.classify else _kinds(rules)
        if call.size < LARGE:
            said, words, found, beside = self._find(look, call, kinds)
        else:
            said, words, found, beside = await asyncio.to_thread(self._find, look, call, kinds)
        wanted = [rule.dry_run for rule in rules if rule.privacy.names]
        if wanted:
            by_names = await self._find_names([text.text for text in said], needed=not all(wanted))
            together = [_together(first, more) for first, more in zip(found, by_names, strict=False)]
            found = together + found[len(said) :]
        held = [(text, findings) for text, findings in zip(words, found, strict=True) if findings]
        return Seen(call.fields, words, held, beside)

    def _find(
        self, look: Look, call: Call, kinds: frozenset[str] | None
    ) -> tuple[list[Text], list[Text], list[list[Finding]], list[Medium]]:
        """Return what is said in a call, all words of it, what was found in each, and which media it has."""
        said, plain = (look.texts(), look.plain) if call is look.call else read(call)
        words = said + others(call, self._may_hold, plain=plain)
        return said, words, [self._in(text, kinds) for text in words], media(call, plain=plain)

    def _in(self, text: Text, kinds: frozenset[str] | None) -> list[Finding]:
        """Return what is found in a text; of instructions it is remembered that nothing is."""
        if kinds is None and self._known.clean(text.role, text.text):
            return []
        found = find(text.text, kinds)
        if not found and kinds is None:
            self._known.note(text.role, text.text)
        return found

    async def _find_names(self, said: list[str], needed: bool) -> list[list[Finding]]:
        """Ask the worker for names. EngineError when it is not there, unless all who ask only look on."""
        try:
            if self._names is None:
                raise EngineError(
                    "A policy asks for names and places, but nobody here finds them.",
                    hint="install the extra `names`, or leave `names = true` out of the policy",
                )
            return await self._names.find(said)
        except EngineError:
            if needed:
                raise
            return [[] for _ in said]

    def _may_hold(self, member: str) -> bool:
        """Whether anything is in a member of a request; of long ones it is remembered that nothing is."""
        if len(member) < _LONG:
            return bool(find(member))
        digest = hashlib.blake2b(member.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        if digest in self._clean:
            return False
        if find(member):
            return True
        if len(self._clean) >= _REMEMBERED:
            self._clean.clear()
        self._clean[digest] = None
        return False


async def _aside(call: Call, work: Callable[[], T]) -> T:
    """Do what takes long for a large call, for which others are not to wait."""
    return work() if call.size < LARGE else await asyncio.to_thread(work)


def _rules(plan: Plan) -> tuple[Policy, ...]:
    """Return the policies of a plan that do anything about what is found."""
    known: tuple[Policy, ...] | None = plan.kept.get(NAME)
    if known is None:
        known = plan.kept[NAME] = tuple(policy for policy in plan.policies if acts(policy.privacy))
    return known


def acts(said: Privacy) -> bool:
    """Whether a policy asks anything of privacy's guard."""
    done = {said.outside, said.own, said.media, *said.recipients.values(), *said.by_kind.values()}
    return done != {"pass"}


def action(said: Privacy, kind: str, to: Recipient) -> Action:
    """Return what one policy wants done about a kind of finding on its way to a recipient: by the kind where it says
    so, else by who it is. What may only go to one's own passes to one's own."""
    if not _looked_for(said, kind):
        return "pass"
    ours = own(to)
    wanted = said.by_kind.get(kind)
    if wanted is None:
        wanted = said.own if ours else (_named(said, to) or said.outside)
    return "pass" if ours and wanted == "own" else wanted


def _named(said: Privacy, to: Recipient) -> Action | None:
    """What is said of the recipient by name, as maker, seller or host: the strictest of it."""
    wanted = [said.recipients[party] for party in (to.maker, to.seller, to.host) if party in said.recipients]
    return strictest(wanted) if wanted else None


def _looked_for(said: Privacy, kind: str) -> bool:
    if kind in _BY_NAMES and not said.names:
        return False
    return not said.kinds or kind in said.kinds or kind in said.by_kind


def _for_nobody(said: Privacy, kind: str) -> bool:
    """Whether a kind is refused whoever the recipient is."""
    if kind in said.by_kind:
        return said.by_kind[kind] == "refuse"
    return {said.outside, said.own, *said.recipients.values()} == {"refuse"}


def _kinds(rules: Iterable[Policy]) -> frozenset[str]:
    """The kinds that any of these policies looks for."""
    return frozenset(kind for kind in KINDS for rule in rules if _looked_for(rule.privacy, kind))


def _verdict(kind: str, wanted: Action, policy: Policy, to: Recipient | None = None) -> Verdict:
    detail = f"to {to.name}" if to is not None else ""
    return Verdict(NAME, "input", kind, 0, _VERBS[wanted], policy.name, policy.dry_run, detail)


def _listed(kinds: Iterable[str]) -> str:
    return " and ".join(_WORDS[kind] for kind in sorted(kinds))


def _blocked(kinds: Sequence[str], policy: Policy, to: Recipient | None = None) -> Blocked:
    """Say which kinds of thing are not let through, and not what they are."""
    shown = _listed(kinds)
    whom = f"to {to.name}" if to is not None else "to anybody"
    return Blocked(
        f"The policy `{policy.name}` does not let {shown} go {whom}, and this call holds such.",
        param="messages",
        hint="take it out, or ask a model that may get it",
    )


_WORDS: dict[str, str] = {
    "EMAIL": "e-mail addresses",
    "PHONE": "telephone numbers",
    "CARD": "numbers of payment cards",
    "IBAN": "numbers of bank accounts",
    "IP": "IP addresses",
    "NATIONAL_ID": "identity, tax or social security numbers",
    "SECRET": "keys, tokens and passwords",
    "NAME": "names of people",
    "PLACE": "places",
    "image": "pictures",
    "audio": "sound",
    "file": "files",
    "tokens": "prompts in tokens",
}


def _refuse_names(look: Look, seen: Seen, acted: Mapping[str, Action], to: Recipient) -> None:
    """Refuse what would have to be taken out of the name of a member, or of a model: the call would be another one."""
    for text, findings in seen.found:
        for each in findings if text.role == "name" else ():
            if acted[each.kind] != "pass":
                policies = look.plan.enforced
                raise _blocked([each.kind], next(p for p in policies if action(p.privacy, each.kind, to) != "pass"), to)


def _changes(
    seen: Seen, acted: Mapping[str, Action], tokens: Mapping[Value, str]
) -> tuple[dict[Path, str], dict[str, int]]:
    """Return the texts that are to stand in the call instead, and how much is gone from them, by kind."""
    new: dict[Path, str] = {}
    gone: Counter[str] = Counter()
    for text, findings in seen.found:
        changed = [each for each in findings if acted[each.kind] != "pass"]
        if changed:
            new[text.path] = _changed(text, changed, tokens)
            gone.update(each.kind for each in changed)
    return new, dict(gone)


def _changed(text: Text, findings: Sequence[Finding], tokens: Mapping[Value, str]) -> str:
    """Return a text without what was found. Members that are no prose, a user's id for example, are often held to
    letters and digits, so that nothing stands around the word there."""
    parts, at = [], 0
    redacted, pseudonym = ("{}", "{}") if text.role == "other" else ("[{}]", written("{}"))
    for each in findings:
        token = tokens.get((each.kind, text.text[each.start : each.end]))
        shown = redacted.format(each.kind) if token is None else pseudonym.format(token)
        parts += [text.text[at : each.start], shown]
        at = each.end
    return "".join([*parts, text.text[at:]])


def _together(first: Sequence[Finding], more: Sequence[Finding]) -> list[Finding]:
    """Both, in order; of what overlaps only that of `first`, none of which overlap."""
    ends = [each.end for each in first]
    apart = []
    for each in more:
        at = bisect_right(ends, each.start)  # the first that ends behind where it begins
        if at == len(first) or first[at].start >= each.end:
            apart.append(each)
    return sorted([*first, *apart], key=lambda each: each.start)


def _forms(look: Look) -> Forms | None:
    seen: Seen | None = look.kept.get(NAME)
    return seen.forms if seen is not None else None


def _is_json(call: Call) -> bool:
    """Whether the answer's content is to be JSON."""
    return not call.needs.isdisjoint((JSON_OBJECT, JSON_SCHEMA))
