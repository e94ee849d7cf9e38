"""Terms in words: what a commitment, a price or a share says, in one line each. Knows English; refuses to know which
contract it speaks of, and what day it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

import msgspec

from freehold.contracts import terms
from freehold.contracts.terms import (
    AuditReport,
    Commitment,
    ContractPrice,
    Credit,
    FirstAvailability,
    FirstRefusal,
    LimitTerm,
    Milestone,
    PriceTier,
    RevenueShare,
    ShareTier,
    Source,
)

BASIS = {
    "gross_revenue": "gross revenue",
    "net_revenue": "net revenue",
    "list_value": "the list value of what is used",
    "cost": "the cost of what is used",
    "tokens": "the list value of tokens",
}
LACKING = {
    "pay": "what is lacking is to be paid",
    "rollover": "what is lacking goes on to the next one",
    "none": "nothing is owed for what is lacking",
    "unknown": "nobody says what becomes of what is lacking",
}
"""What a commitment says of a shortfall."""


def shortest(value: Decimal) -> str:
    """Return an exact number without needless zeros: "1.5", "250000000000"."""
    text = format(value, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


def number(value: Decimal | int) -> str:
    """Return a number for people: "250,000,000,000", "0.125"."""
    whole, point, rest = shortest(Decimal(value)).partition(".")
    return f"{int(whole):,}{point}{rest}" if whole not in ("-0",) else f"{whole}{point}{rest}"


def many(count: int, unit: str) -> str:
    """Return a count for people: "1 day", "1,200 days"."""
    return f"{count:,} {unit}{'' if count == 1 else 's'}"


def money(value: Decimal, currency: str) -> str:
    """Return an amount for people: "900,000 USD"."""
    return f"{number(value)} {currency}"


def plain(value: Any) -> str:
    """Return one value for people: a day in ISO 8601, a list with commas, yes and no, "not stated"."""
    if value is None or value == "" or value == ():
        return "not stated"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Decimal | int):
        return number(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, tuple):
        return ", ".join(plain(each) for each in value)
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {plain(each)}" for name, each in value.items())
    if isinstance(value, msgspec.Struct):
        return sentence(value)
    return str(value).replace("_", " ") if str(value) in _WORDS else str(value)


_WORDS = {"not_competing", "third_party_report", "on_site", "not_significant", "served_tokens", "served_requests"}


def sentence(table: msgspec.Struct) -> str:
    """Return what a table says in one line. Tables that have no sentence of their own list what they state."""
    make = _SENTENCES.get(type(table))
    if make is not None:
        return make(table)
    stated = ((field.name, getattr(table, field.name)) for field in msgspec.structs.fields(type(table)))
    return "; ".join(
        f"{name.replace('_', ' ')}: {plain(value)}" for name, value in stated if value not in (None, (), "")
    )


def _joined(parts: Iterable[str]) -> str:
    return ", ".join(part for part in parts if part)


def _days(first: date | None, last: date | None) -> str:
    if first and last:
        return f"{first} to {last}"
    return f"from {first}" if first else f"until {last}" if last else ""


def _globs(globs: tuple[str, ...], everything: str) -> str:
    return everything if "*" in globs else ", ".join(globs)


def _commitment(it: Commitment) -> str:
    if it.type == "spend":
        what = f"{money(it.amount or Decimal(0), it.currency)} of spend"
    else:
        what = f"{number(it.quantity or Decimal(0))} {it.unit or 'tokens'}"
        what += f" at {money(it.unit_price, it.currency)}" if it.unit_price is not None else ""
    counted = _globs(it.counts, "all use under this contract")
    return _joined((what, _days(it.start, it.end), LACKING[it.shortfall], f"{counted} counts"))


def _price(it: ContractPrice) -> str:
    what = it.model if it.model != "*" else "every model"
    what += f" on {it.deployment}" if it.deployment != "*" else ""
    rates = [f"input {number(it.input)}"]
    rates += [f"cached {number(it.cached_input)}"] if it.cached_input is not None else []
    rates.append(f"output {number(it.output)}")
    factors = [
        f"{name} x {number(by)}" for name, by in (("batch", it.batch), ("priority", it.priority)) if by is not None
    ]
    factors += [f"in {region} x {number(by)}" for region, by in it.regions.items()]
    per = f"{it.currency} per {number(it.per)} tokens"
    fixed = "not to be raised" if it.ceiling else ""
    tiers = "; ".join(sentence(tier) for tier in it.tiers)
    return (
        f"{what}: "
        + _joined((*rates[:-1], f"{rates[-1]} {per}", *factors, _days(it.valid_from, it.valid_to), fixed))
        + (f"; {tiers}" if tiers else "")
    )


def _tier(it: PriceTier) -> str:
    cached = f", cached {number(it.cached_input)}" if it.cached_input is not None else ""
    return f"above {number(it.above)} tokens: input {number(it.input)}{cached}, output {number(it.output)}"


def _limit(it: LimitTerm) -> str:
    what = it.model if it.model != "*" else "every model"
    what += f" on {it.deployment}" if it.deployment != "*" else ""
    named = (
        (it.tpm, "tokens a minute"),
        (it.rpm, "requests a minute"),
        (it.tpd, "tokens a day"),
        (it.concurrent, "at once"),
    )
    raised = f"a raise takes {many(it.growth_days, 'day')}" if it.growth_days is not None else ""
    return f"{what}: " + _joined((*(f"{number(count)} {name}" for count, name in named if count is not None), raised))


def _share(it: RevenueShare) -> str:
    who = "we pay" if it.payer == "customer" else "the supplier pays"
    what = f"{who} {number(it.pct)} % of {BASIS[it.basis]}"
    tiers = ", ".join(sentence(tier) for tier in it.tiers)
    of = [_globs(it.scope.products, ""), _globs(it.scope.served_by, "")]
    scope = " and ".join(part for part in (of[0] and f"of {of[0]}", of[1] and f"served by {of[1]}") if part)
    cap = f"at most {money(it.cap_total, it.currency)} in all" if it.cap_total is not None else ""
    settled = f"settled each {it.settle}" if it.settle != "quarter" else ""
    return _joined((f"{what} {scope}".rstrip(), tiers, _days(it.start, it.until), cap, settled))


def _share_tier(it: ShareTier) -> str:
    return f"{number(it.pct)} % above {number(it.over)}"


def _milestone(it: Milestone) -> str:
    when = f" (expected by {it.by})" if it.by else ""
    gone = f"; taken out on {it.removed}" if it.removed else ""
    return f"{it.on}{when}: {it.effect}{gone}"


def _refusal(it: FirstRefusal) -> str:
    who = "we are" if it.holder == "us" else "the supplier is"
    days = f"{many(it.days, 'day')} to answer" if it.days is not None else ""
    return _joined((f"{who} asked first for {it.scope}", days, _days(None, it.until)))


def _first(it: FirstAvailability) -> str:
    unless = f", unless {it.unless}" if it.unless else ""
    return f"first on {it.on}: {it.scope or 'everything'}{unless}"


def _credit(it: Credit) -> str:
    return f"{number(it.pct)} % back below {number(it.below)} % up"


def _report(it: AuditReport) -> str:
    return f"{it.type}, valid to {it.valid_to}" if it.valid_to else it.type


def _source(it: Source) -> str:
    return f"{it.date}: {it.source}" + (f" ({it.text})" if it.text else "")


_SENTENCES: dict[type, Callable[[Any], str]] = {
    terms.Commitment: _commitment,
    terms.ContractPrice: _price,
    terms.PriceTier: _tier,
    terms.LimitTerm: _limit,
    terms.RevenueShare: _share,
    terms.ShareTier: _share_tier,
    terms.Milestone: _milestone,
    terms.FirstRefusal: _refusal,
    terms.FirstAvailability: _first,
    terms.Credit: _credit,
    terms.AuditReport: _report,
    terms.Source: _source,
}
