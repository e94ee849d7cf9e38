"""Clauses that two laws of the European Union ask for in a contract, looked for in the fields of its file. Knows what
each article asks and which field speaks of it; refuses to give legal advice: what comes out is a finding.

- Regulation (EU) 2022/2554 (DORA), Article 30(2), for every contract on ICT services, and 30(3), in addition for those
  that support critical or important functions; applies since 17 January 2025. Read 2026-11 in summaries by law firms.
- Regulation (EU) 2023/2854 (Data Act), Chapter VI: Article 25 (terms on switching), 29 (switching charges: reduced from
  11 January 2024, none from 12 January 2027); applies since 12 September 2025 to data processing services. Read
  2026-11: Article 29 in a reprint, Article 25 in summaries, among them the Bundesnetzagentur's. Whether an API of
  models is such a service is a question of law, so the contract's file says it.
The letters of points were not compared with the Official Journal: look there before one is cited.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import date
from typing import Any, Literal

import msgspec

from freehold.contracts.organisation import Organisation
from freehold.contracts.terms import Contract
from freehold.contracts.wording import many

DISCLAIMER = "A finding, not a statement of compliance."
"""Stands beside a checklist wherever one is shown."""
NO_CHARGES = date(2027, 1, 12)
"""The first day on which switching may not be charged for: Data Act, Article 29(1)."""

Answer = Literal["met", "missing", "unclear"]
Applies = Literal["yes", "no", "unknown"]


class Item(msgspec.Struct, frozen=True):
    """One clause: the article that asks for it, what it asks, whether the file states it, the dotted fields it was
    read from and what they say, and what is lacking."""

    article: str
    clause: str
    answer: Answer
    place: str
    read: str
    note: str = ""


class Checklist(msgspec.Struct, frozen=True):
    """One law's clauses. `applies` says whether the law, or its part, holds for the contract, and `because` why."""

    id: Literal["dora", "dora_critical", "data_act"]
    title: str
    law: str
    applies: Applies
    because: str
    items: tuple[Item, ...]


def checklists(
    contract: Contract, organisation: Organisation, functions: Collection[str] = (), day: date | None = None
) -> tuple[Checklist, ...]:
    """Return the checklists of a contract. `functions` are the business functions that calls under it were for, beside
    those that its file names; `day` is today, for what holds from a day on."""
    supported = dict.fromkeys((*contract.dora.functions, *functions))
    weighty = [
        name
        for name in supported
        if (known := organisation.functions.get(name)) is not None and known.criticality != "ordinary"
    ]
    critical: Applies = "yes" if weighty else "no" if supported else "unknown"
    because = {
        "yes": f"it supports {', '.join(weighty)}",
        "no": "no function that it supports is critical or important",
        "unknown": "no function is known that it supports",
    }
    service = contract.dora.data_processing_service
    law = {
        "yes": "its file says that it is a data processing service",
        "no": "its file says that it is no data processing service",
        "unknown": "whether it is a data processing service is a question of law; its file does not say",
    }
    dora, act = "Regulation (EU) 2022/2554", "Regulation (EU) 2023/2854"
    return (
        Checklist("dora", "DORA, every contract", f"{dora}, Article 30(2)", "yes",
                  "it is a contract on ICT services", tuple(_every(contract))),
        Checklist("dora_critical", "DORA, critical or important functions", f"{dora}, Article 30(3)",
                  critical, because[critical], tuple(_critical(contract))),
        Checklist("data_act", "Data Act, switching", f"{act}, Chapter VI", service, law[service],
                  tuple(_switching(contract, day))),
    )  # fmt: skip


def _every(contract: Contract) -> Iterator[Item]:
    dora, chain, data, term = contract.dora, contract.chain, contract.data, contract.term
    yield _stated(
        "30(2)(a)",
        "a clear and complete description of the services",
        "title, dora.service_type",
        (contract.title, dora.service_type),
    )
    yield Item(
        "30(2)(a)",
        "whether subcontracting is permitted, and under which conditions",
        "unclear" if chain.subprocessors else "missing",
        "chain.subprocessors",
        ", ".join(chain.subprocessors),
        "subcontractors are named; no field says under which conditions others may join"
        if chain.subprocessors
        else "no subcontractor is named, and no field says that there may be none",
    )
    yield _stated(
        "30(2)(b)",
        "the regions or countries where services are provided and data is kept and processed",
        "data.regions, data.processing_regions",
        (data.regions, data.processing_regions or data.regions),
    )
    yield _stated(
        "30(2)(c)",
        "availability, authenticity, integrity and confidentiality of data",
        "data.retention_days, data.human_review, data.trains_on_inputs",
        (
            "no retention"
            if data.zero_retention
            else many(data.retention_days, "day")
            if data.retention_days is not None
            else "",
            _said(data.human_review),
            _said(data.trains_on_inputs),
        ),
    )
    yield _days(
        "30(2)(d)",
        "access, recovery and return of data at an end or insolvency",
        "term.exit.retrieval_days",
        term.exit.retrieval_days,
    )
    yield _any("30(2)(e)", "service levels", "sla", _levels(contract))
    yield _yes(
        "30(2)(f)",
        "help with incidents at no cost, or at one fixed beforehand",
        "dora.incident_help",
        dora.incident_help,
    )
    yield _yes(
        "30(2)(g)", "full cooperation with competent and resolution authorities", "dora.cooperation", dora.cooperation
    )
    yield _leaving(contract)
    yield _yes("30(2)(i)", "its part in our security awareness and resilience training", "dora.training", dora.training)


def _leaving(contract: Contract) -> Item:
    term, ours = contract.term, contract.term.notice_days.customer
    fixed = f"ends by itself on {term.end}" if term.end is not None and not term.renewal.auto else ""
    return Item(
        "30(2)(h)",
        "termination rights and minimum notice periods",
        "met" if ours is not None else "unclear" if fixed else "missing",
        "term.notice_days.customer, term.end",
        many(ours, "day") if ours is not None else fixed,
        "" if ours is not None else "no field says that we may end it before" if fixed else "nothing is stated",
    )


def _critical(contract: Contract) -> Iterator[Item]:
    dora, term, sla = contract.dora, contract.term, contract.sla
    speed = sla.ttft_ms is not None or sla.tokens_per_s is not None
    yield _stated(
        "30(3)(a)",
        "service levels with precise quantitative targets, and what follows when they are missed",
        "sla.uptime, sla.ttft_ms, sla.credits",
        (
            f"{sla.uptime} %" if sla.uptime is not None else "",
            "speed of answers" if speed else "",
            "credits" if sla.credits else "",
        ),
    )
    supplier = term.notice_days.supplier
    change = "" if term.change_of_control in ("unknown", "none") else term.change_of_control
    yield _stated(
        "30(3)(b)",
        "notice periods and reports of whatever may have a material impact",
        "term.notice_days.supplier, term.change_of_control",
        (many(supplier, "day") if supplier is not None else "", change and f"on a change of control: {change}"),
    )
    yield _yes(
        "30(3)(c)",
        "contingency plans that are put in place and tested",
        "dora.business_continuity",
        dora.business_continuity,
    )
    yield _yes("30(3)(d)", "its part in threat-led penetration tests", "dora.testing", dora.testing)
    yield _yes("30(3)(e)", "the right to monitor its performance all the time", "dora.monitoring", dora.monitoring)
    right = contract.audit.right
    rights: dict[str, tuple[Answer, str]] = {
        "on_site": ("met", ""),
        "third_party_report": ("unclear", "only reports by others; whether that is enough has to be agreed"),
        "unknown": ("unclear", "its file does not say"),
    }
    answer, note = rights.get(right, ("missing", "its file says that there is none"))
    yield Item(
        "30(3)(e)(i)",
        "unrestricted rights of access, inspection and audit",
        answer,
        "audit.right",
        _said(right).replace("_", " "),
        note,
    )
    yield _days(
        "30(3)(f)", "a mandatory adequate transition period", "term.exit.transition_days", term.exit.transition_days
    )
    yield _yes(
        "30(3)(f)(ii)", "help to move to another provider or in-house", "term.exit.assistance", term.exit.assistance
    )


def _switching(contract: Contract, day: date | None) -> Iterator[Item]:
    term, leaving = contract.term, contract.term.exit
    # Two months are 59 days at the shortest and 62 at the longest.
    yield _most(
        "25(2)(d)",
        "notice of at most two months",
        "term.notice_days.customer",
        term.notice_days.customer,
        59,
        62,
        "two months are 59 to 62 days, by the calendar",
    )
    # Article 25(4): up to seven months where thirty days are not feasible and the provider says why.
    yield _most(
        "25(2)(a)",
        "a transition of at most 30 days",
        "term.exit.transition_days",
        leaving.transition_days,
        30,
        214,
        "more than 30 days, up to seven months, have to be justified",
    )
    yield _yes("25(2)(a)(i)", "reasonable assistance with the switch", "term.exit.assistance", leaving.assistance)
    kept = leaving.retrieval_days
    yield Item(
        "25(2)(g)",
        "at least 30 days to fetch data",
        "met" if kept is not None and kept >= 30 else "missing",
        "term.exit.retrieval_days",
        many(kept, "day") if kept is not None else "",
        "" if kept is not None and kept >= 30 else "fewer than 30 days" if kept is not None else "not stated",
    )
    yield _yes("25(2)(h)", "full erasure afterwards", "term.exit.erasure", leaving.erasure)
    yield _charges(contract, day)


def _charges(contract: Contract, day: date | None) -> Item:
    leaving, end = contract.term.exit, contract.term.end
    clause, place = "no charges for switching from 12 January 2027 on", "term.exit.charges, term.exit.charges_until"
    until = leaving.charges_until
    read = _said(leaving.charges) + (f", until {until}" if until is not None else "")
    if leaving.charges == "no" or (until is not None and until < NO_CHARGES):
        return Item("29(1)", clause, "met", place, read)
    if leaving.charges == "unknown":
        return Item("29(1)", clause, "unclear", place, read, "its file does not say")
    before = end is not None and end < NO_CHARGES and not contract.term.renewal.auto
    if before and (day is None or day < NO_CHARGES):
        return Item("29(1)", clause, "unclear", place, read, "it ends before; until then charges are at cost at most")
    return Item("29(1)", clause, "missing", place, read, "charges go on beyond 11 January 2027")


def _said(value: str) -> str:
    return "" if value == "unknown" else value


def _yes(article: str, clause: str, place: str, value: str) -> Item:
    answers: dict[str, tuple[Answer, str]] = {"yes": ("met", ""), "no": ("missing", "its file says no")}
    answer, note = answers.get(value, ("unclear", "its file does not say"))
    return Item(article, clause, answer, place, _said(value), note)


def _days(article: str, clause: str, place: str, value: int | None) -> Item:
    note = "" if value else "not stated" if value is None else "it is no time at all"
    return Item(
        article, clause, "met" if value else "missing", place, "" if value is None else many(value, "day"), note
    )


def _any(article: str, clause: str, place: str, values: tuple[str, ...]) -> Item:
    told = ", ".join(value for value in values if value)
    return Item(article, clause, "met" if told else "missing", place, told, "" if told else "not stated")


def _stated(article: str, clause: str, place: str, values: tuple[Any, ...]) -> Item:
    """Return an item that is met when all of its fields say something, and unclear when some do."""
    told = [", ".join(value) if isinstance(value, tuple) else str(value) for value in values if value]
    answer: Answer = "met" if len(told) == len(values) else "unclear" if told else "missing"
    notes = {"met": "", "unclear": "only a part of it is stated", "missing": "not stated"}
    return Item(article, clause, answer, place, "; ".join(dict.fromkeys(told)), notes[answer])


def _most(article: str, clause: str, place: str, value: int | None, most: int, doubtful: int, doubt: str) -> Item:
    if value is None:
        return Item(article, clause, "missing", place, "", "not stated")
    answer: Answer = "met" if value <= most else "unclear" if value <= doubtful else "missing"
    notes = {"met": "", "unclear": doubt, "missing": "longer than that"}
    return Item(article, clause, answer, place, many(value, "day"), notes[answer])


def _levels(contract: Contract) -> tuple[str, ...]:
    sla = contract.sla
    return (
        f"up {sla.uptime} % of a month" if sla.uptime is not None else "",
        f"first token in {sla.ttft_ms} ms" if sla.ttft_ms is not None else "",
        f"{sla.tokens_per_s} tokens a second" if sla.tokens_per_s is not None else "",
    )
