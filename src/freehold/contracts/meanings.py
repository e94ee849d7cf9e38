"""What it means for us when a term changes: a table from fields to words. Refuses to compare contracts, and to say
better or worse where that is a matter of taste."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any, Literal

from freehold.contracts.register import later
from freehold.contracts.terms import Commitment, FirstRefusal, RevenueShare
from freehold.contracts.wording import many, number, plain

ForUs = Literal["", "better", "worse"]
Rule = Callable[[Any, Any], tuple[str, ForUs]]
"""From the old and the new value to what the change means, and whether it is better or worse for us."""
_OTHER: dict[ForUs, ForUs] = {"": "", "better": "worse", "worse": "better"}


def nothing(value: Any) -> bool:
    """Return whether a value says nothing."""
    return value is None or value == "" or value == () or value == "unknown"


def _amount(
    more: str, less: str, of_more: ForUs = "", gone: str = "is not stated any more", came: str = "is stated now"
) -> Rule:
    """A number or day: `more` and `less` say `{by}` how much; `of_more` is what more of it is for us."""

    def rule(old: Any, new: Any) -> tuple[str, ForUs]:
        if new is None:
            return gone, ""
        if old is None:
            return came, ""
        text, for_us = (more, of_more) if new > old else (less, _OTHER[of_more])
        return text.format(by=_by(old, new)), for_us

    return rule


def rate(old: Commitment, new: Commitment) -> tuple[str, ForUs]:
    """Return what it means that a commitment is to another sum in other days."""
    before, after = _daily(old), _daily(new)
    if old.type != new.type or not before or not after:
        return "", ""
    by = number(round(abs(after - before) * 100 / before, 1))
    if abs(after - before) * 200 < before:
        return "as much by the day", ""
    return f"by the day, we must buy {by} % {'more' if after > before else 'less'}", (
        "worse" if after > before else "better"
    )


def _daily(it: Commitment) -> Decimal:
    whole = it.amount if it.type == "spend" else it.quantity
    return (whole or Decimal(0)) / max(1, (it.end - it.start).days + 1)


def _by(old: Any, new: Any) -> str:
    """Return how much they differ: days in days, or whole months and years; amounts by their share of the old one."""
    if isinstance(old, date):
        low, high = min(old, new), max(old, new)
        months = (high.year - low.year) * 12 + high.month - low.month
        if months > 0 and later(low, months) == high:
            return many(months // 12, "year") if months % 12 == 0 else many(months, "month")
        return many((high - low).days, "day")
    if isinstance(old, Decimal) and old:
        return f"{number(round(abs(new - old) * 100 / old, 1))} %"
    return number(abs(new - old))


def _words(said: dict[Any, tuple[str, ForUs]], gone: str = "nobody says any more") -> Rule:
    """A choice: what each new value means."""
    return lambda old, new: said.get(new, (gone if nothing(new) else "", ""))


def _ladder(*words: str) -> Rule:
    """A choice whose values go from the worst for us to the best."""

    def rule(old: Any, new: Any) -> tuple[str, ForUs]:
        if old not in words or new not in words:
            return ("nobody says any more" if nothing(new) else ""), ""
        return "", "better" if words.index(new) > words.index(old) else "worse"

    return rule


def _list(added: str, gone: str, of_added: ForUs = "", first: str = "") -> Rule:
    """A list of words: what came in and what went out, `{it}`; `first` says what it means that there is one at all."""

    def rule(old: Any, new: Any) -> tuple[str, ForUs]:
        if first and not (old and new):
            return (first.format(it=plain(new)), "better") if new else ("is not stated any more", "worse")
        came, went = (tuple(x for x in one if x not in other) for one, other in ((new, old), (old, new)))
        said = [text.format(it=plain(what)) for text, what in ((added, came), (gone, went)) if what]
        return "; ".join(said), of_added if not went else _OTHER[of_added] if not came else ""

    return rule


def _item(added: str, gone: str, of_added: ForUs = "") -> Rule:
    """An entry of a list of tables that came in or went out."""
    return lambda old, new: (added, of_added) if old is None else (gone, _OTHER[of_added])


def _refusal(old: FirstRefusal | None, new: FirstRefusal | None) -> tuple[str, ForUs]:
    it = new or old
    assert it is not None
    us, scope = it.holder == "us", it.scope
    if new is None:
        return (
            f"{'we are' if us else 'the supplier is'} not asked first for {scope} any more",
            "worse" if us else "better",
        )
    return f"{'we are' if us else 'the supplier must be'} asked first for {scope}", "better" if us else "worse"


def _share(old: RevenueShare | None, new: RevenueShare | None) -> tuple[str, ForUs]:
    it = new or old
    assert it is not None
    ours = it.payer == "customer"
    if new is None:
        return f"{'we owe' if ours else 'the supplier owes'} this share no longer", "better" if ours else "worse"
    return f"{'we owe' if ours else 'the supplier owes'} a share now", "worse" if ours else "better"


_DEARER = _amount("dearer by {by}", "cheaper by {by}", "worse")
_PROMISED = _words({"yes": ("promised", "better"), "no": ("refused", "worse")})
_THROUGH = _amount("lets {by} more through", "lets {by} less through", "better", "no limit is stated")

RULES: tuple[tuple[str, Rule], ...] = (
    ("chain.subprocessors", _list("{it} may see our data too", "{it} sees our data no longer", "worse")),
    ("chain.chips", _list("runs on {it} too", "runs on {it} no longer")),
    ("term.end", _amount("ends {by} later", "ends {by} sooner", gone="is open-ended now")),
    (
        "term.renewal.auto",
        _words({True: ("goes on by itself unless notice is given", ""), False: ("ends unless it is renewed", "")}),
    ),
    (
        "term.notice_days.customer",
        _amount("we must decide {by} days earlier", "we may decide {by} days later", "worse"),
    ),
    (
        "term.notice_days.supplier",
        _amount("we hear of its end {by} days earlier", "we hear of its end {by} days later", "better"),
    ),
    ("term.exit.transition_days", _amount("{by} days more to move away", "{by} days less to move away", "better")),
    (
        "term.exit.retrieval_days",
        _amount("{by} days more to fetch our data", "{by} days less to fetch our data", "better"),
    ),
    (
        "term.exit.erasure_days",
        _amount("erasure may take {by} days longer", "erasure is due {by} days sooner", "worse"),
    ),
    (
        "term.exit.charges",
        _words({"yes": ("moving away may cost", "worse"), "no": ("moving away costs nothing", "better")}),
    ),
    ("term.exit.*", _PROMISED),
    ("term.milestone", _item("changes the terms when it happens", "changes nothing any more")),
    ("term.milestone.removed", _words({}, "holds again")),
    ("commitment", _item("we have promised this now", "we owe this no longer", "worse")),
    ("commitment.amount", _amount("we must buy {by} more", "we must buy {by} less", "worse")),
    ("commitment.quantity", _amount("we must buy {by} more", "we must buy {by} less", "worse")),
    ("commitment.end", _amount("{by} longer to use it up", "{by} less to use it up", "better")),
    ("commitment.shortfall", _ladder("pay", "rollover", "none")),
    ("commitment.counts", _list("{it} counts too", "{it} counts no longer", "better")),
    ("commitment.unit_price", _DEARER),
    ("price", _item("has a price under this contract", "has no price under this contract any more")),
    ("price.ceiling", _words({True: ("may not be raised", "better"), False: ("may be raised", "worse")})),
    ("price.valid_*", _amount("{by} later", "{by} sooner", gone="by the contract's own days")),
    ("price.per", _words({})),
    ("price.currency", _words({})),
    ("price.*", _DEARER),
    ("limit.growth_days", _amount("a raise takes {by} days longer", "a raise comes {by} days sooner", "worse")),
    ("limit.*", _THROUGH),
    ("data.retention_days", _amount("words may be kept {by} days longer", "words go {by} days sooner", "worse")),
    ("data.zero_retention", _words({True: ("nothing is kept", "better"), False: ("words may be kept", "worse")})),
    (
        "data.human_review",
        _words({"yes": ("people may read our words", "worse"), "no": ("nobody reads our words", "better")}),
    ),
    (
        "data.trains_on_inputs",
        _words({"yes": ("models learn from our words", "worse"), "no": ("no model learns from our words", "better")}),
    ),
    ("data.classes_allowed", _list("{it} data may go there", "{it} data may go there no longer")),
    ("data.*regions", _list("in {it} too", "in {it} no longer", first="nowhere but in {it}")),
    ("use.output_may_train", _ladder("none", "not_competing", "any")),
    ("use.moderation_owner", _ladder("vendor", "shared", "ours")),
    ("use.benchmark_publication", _PROMISED),
    (
        "exclusivity.granted_to_supplier",
        _list("we may use nobody else for {it}", "we may use others for {it}", "worse"),
    ),
    ("exclusivity.granted_to_us", _list("nobody else gets {it}", "others may get {it} too", "better")),
    ("exclusivity.first_refusal", _refusal),
    ("exclusivity.*until", _amount("binds {by} longer", "binds {by} less", gone="without end")),
    ("exclusivity.first_availability", _words({None: ("nothing comes first anywhere", "")})),
    ("revenue_share", _share),
    (
        "revenue_share.cap_total",
        _amount("at most {by} more in all", "at most {by} less in all", gone="not capped", came="capped now"),
    ),
    ("revenue_share*.pct", _amount("{by} more is shared", "{by} less is shared")),
    ("revenue_share.until", _amount("shared {by} longer", "shared {by} less", gone="as long as the contract")),
    ("sla.uptime", _amount("promises {by} more", "promises {by} less", "better", "no uptime is promised")),
    ("sla.tokens_per_s", _amount("faster by {by}", "slower by {by}", "better", "no speed is promised")),
    ("sla.ttft_ms", _amount("may answer {by} ms later", "must answer {by} ms sooner", "worse", "no delay is promised")),
    ("audit.right", _ladder("none", "third_party_report", "on_site")),
    ("dora.data_processing_service", _words({})),
    ("dora.*", _PROMISED),
)
"""What is known, by field without the names of items; the first pattern that fits holds."""
