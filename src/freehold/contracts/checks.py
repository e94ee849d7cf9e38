"""Whether the terms of one contract hold together: dates, sums, shares, codes. Knows one contract at a time; refuses to
judge whether its terms are good ones, which lint does, and to know what day it is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from freehold.contracts.fields import exists
from freehold.contracts.terms import Commitment, Contract, ContractPrice, RevenueShare

Fault = tuple[str, str, str]
"""Dotted field, what is wrong with it, what to do."""

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*", re.ASCII)
_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)
_COUNTRY = re.compile(r"[A-Z]{2}", re.ASCII)
_LEI = re.compile(r"[A-Z0-9]{18}[0-9]{2}", re.ASCII)
_HUNDRED = Decimal(100)
DEAREST = 1_000_000
"""The highest rate that is taken for a million tokens, as contracts.book has it for prices elsewhere."""


def check(contract: Contract) -> Iterator[Fault]:
    """Yield all that cannot be meant in a contract whose fields have the right form."""
    if not _ID.fullmatch(contract.id):
        yield "id", f"{contract.id!r} is no id", "letters, digits, dots, dashes and underscores, without blanks"
    if contract.supersedes and contract.supersedes == contract.id:
        yield "supersedes", "is the contract itself", "name the id of the one that it replaces"
    yield from _party(contract)
    yield from _term(contract)
    yield from _commitments(contract.commitment)
    yield from _prices(contract.price)
    yield from _limits(contract)
    yield from _data(contract)
    yield from _shares(contract.revenue_share, contract.term.start)
    yield from _service(contract)
    yield from _sources(contract)


def lei_faulty(lei: str) -> str:
    """Return what is wrong with a Legal Entity Identifier; "" when nothing is. ISO 17442: 18 letters or digits and two
    check digits, by which the whole, letters read as 10 to 35, leaves 1 when divided by 97 (ISO 7064)."""
    if not _LEI.fullmatch(lei):
        return "is no LEI: 18 capital letters or digits and two check digits"
    number = int("".join(str(int(sign, 36)) for sign in lei))
    return "" if number % 97 == 1 else "has wrong check digits"


def _party(contract: Contract) -> Iterator[Fault]:
    party = contract.party
    if party.lei and (why := lei_faulty(party.lei)):
        yield "party.lei", f"{party.lei!r} {why}", "copy it from the register of the GLEIF"
    if party.country and not _COUNTRY.fullmatch(party.country):
        hint = "write the two letters of ISO 3166-1, e.g. IE"
        yield "party.country", f"{party.country!r} is no country code", hint


def _ordered(where: str, first: date | None, last: date | None) -> Iterator[Fault]:
    if first is not None and last is not None and last < first:
        yield where, f"{last} is before the first day, {first}", "correct one of the two"


def _term(contract: Contract) -> Iterator[Fault]:
    term = contract.term
    yield from _ordered("term.end", term.start, term.end)
    yield from _ordered("term.notice_given", None if contract.status == "draft" else term.start, term.notice_given)
    if contract.status == "in_notice" and term.notice_given is None:
        yield (
            "term.notice_given",
            "is missing in a contract that is in notice",
            "write the day on which notice was given",
        )
    if contract.status == "draft" and term.notice_given is not None:
        yield "term.notice_given", "no notice can be given of a draft", 'leave it out, or set status = "in_notice"'
    if term.renewal.auto and term.end is None:
        yield "term.renewal.auto", "there is no end to renew from", "state term.end, the last day of the first term"
    if term.renewal.months < 1:
        yield "term.renewal.months", "must be at least 1", "write by how many months it goes on"
    if term.exit.charges == "no" and term.exit.charges_until is not None:
        yield "term.exit.charges_until", "says until when it may charge, and charges = no", "leave one of the two out"
    for index, milestone in enumerate(term.milestone):
        if not milestone.on:
            yield f"term.milestone.{index}.on", "is empty", "say what happens"


def _currency(where: str, currency: str) -> Iterator[Fault]:
    if not _CURRENCY.fullmatch(currency):
        yield f"{where}.currency", f"{currency!r} is no currency", 'write its three letters, e.g. "USD"'


def _twice(table: str, ids: Iterable[str]) -> Iterator[Fault]:
    seen: dict[str, int] = {}
    for index, id in enumerate(ids):
        if seen.setdefault(id, index) != index:
            yield f"{table}.{index}.id", f"{id!r} is also the id of {table}.{seen[id]}", "give each a name of its own"


def _not_below(where: str, table: Any, names: Sequence[str], zero: bool = True) -> Iterator[Fault]:
    for name in names:
        value = getattr(table, name)
        if value is not None and (value < 0 or (value == 0 and not zero)):
            yield (
                f"{where}.{name}",
                f"{value} is {'below 0' if zero else 'not above 0'}",
                "write what it is without sign",
            )


def _rising(where: str, name: str, values: Sequence[Any]) -> Iterator[Fault]:
    for index, value in enumerate(values):
        if value <= (values[index - 1] if index else 0):
            before = f"the tier before it, {values[index - 1]}" if index else "0"
            yield f"{where}.{index}.{name}", f"{value} is not above {before}", "write the tiers from low to high"


def _commitments(commitments: Sequence[Commitment]) -> Iterator[Fault]:
    yield from _twice("commitment", (each.id for each in commitments))
    for index, each in enumerate(commitments):
        where = f"commitment.{index}"
        yield from _ordered(f"{where}.end", each.start, each.end)
        yield from _currency(where, each.currency)
        yield from _not_below(where, each, ("amount", "quantity"), zero=False)
        yield from _not_below(where, each, ("unit_price",))
        wanted, other = ("amount", "quantity") if each.type == "spend" else ("quantity", "amount")
        if getattr(each, wanted) is None:
            yield (
                f"{where}.{wanted}",
                f"is missing: a commitment of {each.type} is to so much",
                f'write {wanted} = "..."',
            )
        if getattr(each, other) is not None:
            yield f"{where}.{other}", f"says nothing in a commitment of {each.type}", f"leave it out; {wanted} counts"
        if each.type == "units" and not each.unit:
            yield f"{where}.unit", "is missing: units of what", 'write it, e.g. unit = "ptu-month"'
        if not each.counts:
            yield f"{where}.counts", "is empty, so nothing would count", "name deployments, or leave it out for all"


def _prices(prices: Sequence[ContractPrice]) -> Iterator[Fault]:
    for index, row in enumerate(prices):
        where = f"price.{index}"
        if row.per < 1:
            yield f"{where}.per", "must be at least 1", "write how many tokens the rates are for"
        yield from _currency(where, row.currency)
        yield from _not_below(where, row, ("input", "cached_input", "output"))
        yield from _not_below(where, row, ("batch", "priority"), zero=False)
        yield from _rising(f"{where}.tiers", "above", [tier.above for tier in row.tiers])
        if row.per >= 1 and _dearest(row) > DEAREST:
            yield where, "is more than a million for a million tokens", "write the rates for `per` tokens, and factors"
        for number, tier in enumerate(row.tiers):
            yield from _not_below(f"{where}.tiers.{number}", tier, ("input", "cached_input", "output"))
        for region, factor in row.regions.items():
            if factor <= 0:
                yield f"{where}.regions.{region}", f"{factor} is not above 0", 'write a factor, e.g. "1.1"'
        yield from _ordered(f"{where}.valid_to", row.valid_from, row.valid_to)
        for earlier, other in enumerate(prices[:index]):
            if (other.deployment, other.model) == (row.deployment, row.model) and _meet(other, row):
                what = f"is for the same deployment, model and days as price.{earlier}"
                yield where, what, "let the earlier one end: valid_to, the day before the later one's valid_from"
                break


def _dearest(row: ContractPrice) -> Decimal:
    """Return the highest rate that a row can come to, for a million tokens."""
    rates = [row.input, row.output, row.cached_input or 0]
    rates += [rate for tier in row.tiers for rate in (tier.input, tier.output, tier.cached_input or 0)]
    factor = max([Decimal(1), *row.regions.values()]) * max(Decimal(1), row.batch or 1, row.priority or 1)
    return max(Decimal(rate) for rate in rates) * factor * 1_000_000 / row.per


def _meet(one: ContractPrice, other: ContractPrice) -> bool:
    first, last = max(one.valid_from or date.min, other.valid_from or date.min), min(_last(one), _last(other))
    return first <= last


def _last(row: ContractPrice) -> date:
    return row.valid_to or date.max


def _limits(contract: Contract) -> Iterator[Fault]:
    for index, limit in enumerate(contract.limit):
        yield from _not_below(f"limit.{index}", limit, ("tpm", "rpm", "tpd", "concurrent"), zero=False)


def _data(contract: Contract) -> Iterator[Fault]:
    data = contract.data
    if data.zero_retention and data.retention_days:
        what = f"{data.retention_days} days, and zero_retention says that nothing is kept"
        yield "data.retention_days", what, "leave one of the two out"
    if len(set(data.classes_allowed)) < len(data.classes_allowed):
        yield "data.classes_allowed", "names a class twice", "name each once"
    for index, right in enumerate(contract.exclusivity.first_refusal):
        if not right.scope:
            yield f"exclusivity.first_refusal.{index}.scope", "is empty", 'say of what, e.g. "compute"'


def _shares(shares: Sequence[RevenueShare], start: date) -> Iterator[Fault]:
    yield from _twice("revenue_share", (each.id for each in shares))
    for index, share in enumerate(shares):
        where = f"revenue_share.{index}"
        yield from _currency(where, share.currency)
        yield from _ordered(f"{where}.until", share.start or start, share.until)
        yield from _rising(f"{where}.tiers", "over", [tier.over for tier in share.tiers])
        yield from _percent(f"{where}.pct", share.pct)
        for number, tier in enumerate(share.tiers):
            yield from _percent(f"{where}.tiers.{number}.pct", tier.pct)
        yield from _not_below(where, share, ("cap_total",), zero=False)
        if not share.pct and not any(tier.pct for tier in share.tiers):
            cap = "; a cap alone is no share" if share.cap_total is not None else ""
            yield f"{where}.pct", f"is missing, so nothing is shared{cap}", 'write it in percent, e.g. pct = "20"'


def _percent(where: str, value: Decimal | None) -> Iterator[Fault]:
    if value is not None and not 0 <= value <= _HUNDRED:
        yield where, f"{value} is no percentage", "write 0 to 100"


def _service(contract: Contract) -> Iterator[Fault]:
    sla = contract.sla
    yield from _percent("sla.uptime", sla.uptime)
    yield from _percent("sla.percentile", sla.percentile)
    yield from _not_below("sla", sla, ("ttft_ms", "tokens_per_s"), zero=False)
    for index, credit in enumerate(sla.credits):
        yield from _percent(f"sla.credits.{index}.below", credit.below)
        yield from _percent(f"sla.credits.{index}.pct", credit.pct)
        if any(other.below == credit.below for other in sla.credits[:index]):
            yield f"sla.credits.{index}.below", f"{credit.below} stands there twice", "state one credit for each level"


def _sources(contract: Contract) -> Iterator[Fault]:
    for index, source in enumerate(contract.source):
        if not exists(contract, source.at):
            hint = 'write the dotted name of a field of this file, e.g. "term.end" or "revenue_share.0.until"'
            yield f"source.{index}.at", f"there is no {source.at!r} in this contract", hint
