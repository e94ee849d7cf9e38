"""What was found, as papers: a report that the person can be handed, a letter to whoever still holds words. Pure;
refuses to send anything, and to say that a law is kept."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from html import escape

from freehold.contracts.binding import OWN
from freehold.core.clock import iso
from freehold.exits.seen import Party
from freehold.exits.seen_held import Duty, Held
from freehold.exits.seen_person import Report, Row, Sum

PURPOSES = {
    "serve": "to answer",
    "hedge": "to answer, asked at the same time as another",
    "shadow": "to compare models, in the background",
    "judge": "to judge answers",
    "moderate": "to check the words against our rules",
    "embed": "to make text searchable",
    "drill": "to rehearse an outage",
}
"""Why words were sent, by an entry's purpose."""
ROLES = {
    "host": "runs the service",
    "seller": "sells it",
    "compute": "owns the machines",
    "subprocessor": "subprocessor",
}
_SAID = {"yes": "yes", "no": "no", "": "not stated"}
_HELD = {
    "entry": "records that a call took place (they hold none of its words, and stay)",
    "text": "texts of calls",
    "pseudonym": "pseudonyms and what they stand for",
    "account": "account",
    "session": "sign-ins that are open",
    "conversation": "conversations",
    "message": "messages",
    "file": "files",
    "project": "projects",
    "prompt": "prompts",
    "assistant": "assistants",
    "memory": "remembered facts",
    "share": "shared copies",
    "import": "imports",
}
_STYLE = """
:root { color-scheme: light; }
body { font: 15px/1.5 system-ui, sans-serif; color: #1b1b1f; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; } .box { overflow-x: auto; }
th, td { text-align: start; vertical-align: top; padding: .35rem .6rem; border-bottom: 1px solid #d5d5dc; }
thead th { border-bottom-width: 2px; } .day { white-space: nowrap; }
.faint { color: #5a5a66; } .warn { font-weight: 600; }
@media print { body { margin: 0; max-width: none; font-size: 11px; } thead { display: table-header-group; } }
"""


def page(found: Report) -> str:
    """Return a report on a person as one page of HTML that needs nothing else."""
    title = f"What is known of {found.person.title}: who saw the words"
    head = (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style></head><body>\n<h1>{escape(title)}</h1>"
    )
    parts = (_opening(found), _parties(found), _details(found), _tools(found), _house(found), _closing())
    return "\n".join([head, *(line for part in parts for line in part), "</body></html>"]) + "\n"


def _opening(found: Report) -> Iterator[str]:
    yield f'<p class="faint">Made on {found.today} from the records of calls, which are sealed and cannot be changed.'
    yield f"Counted for: {escape(_subject(found))}. Days are in UTC.</p>"
    if found.done < found.head:
        yield f'<p class="warn">Partial: {found.done} of {found.head} records had been counted.</p>'
    if not found.attempts:
        yield "<p>No words of this person were sent to any model.</p>"
        return
    yield (
        f"<p>{_many(found.calls, 'call')} from {_day(found.first_at)} to {_day(found.last_at)}, in "
        f"{_many(found.attempts, 'attempt')}. The words of {found.outside} were seen by others; those of "
        f"{found.attempts - found.outside} stayed on our own machines.</p>"
    )
    if found.astray:
        yield (
            f'<p class="warn">{_many(found.astray, "attempt")} answered from another region than was asked for: '
            "marked (!) below.</p>"
        )


def _subject(found: Report) -> str:
    person = found.person
    own = person.member.key if person.member is not None else ""
    words = [f"the member {person.member.name}"] if person.member is not None else []
    words += [f"the key {name}" for id, name in person.keys.items() if id != own]
    return ", ".join([*words, *(f"calls that named the user {user}" for user in person.users)])


def _parties(found: Report) -> Iterator[str]:
    outside = [each for each in found.sums if each.party.id != OWN]
    yield "<h2>Who received the words</h2>"
    if not outside:
        yield "<p>Nobody outside.</p>"
        return
    heads = ("Recipient", "Country", "As", "Attempts", "Classes of data", "First", "Last", "May still be kept")
    yield _table(heads, [_sum(each) for each in outside])


def _sum(each: Sum) -> tuple[str, ...]:
    return (
        each.party.name, each.party.country or "not stated", ", ".join(ROLES[role] for role in each.roles),
        str(each.attempts), ", ".join(each.classes) or "not stated", _day(each.first_at), _day(each.last_at),
        _still(each),
    )  # fmt: skip


def _still(each: Sum) -> str:
    parts = []
    if each.held - each.unstated:
        parts.append(f"{each.held - each.unstated} until {each.until} at the latest")
    if each.unstated:
        parts.append(f"{each.unstated} for as long as nobody has stated")
    return ", ".join(parts) or "nothing, by what was promised"


def _details(found: Report) -> Iterator[str]:
    rows = [row for row in found.rows if row.party.id != OWN]
    if not rows:
        return
    yield "<h2>Under which terms</h2>"
    heads = ("Recipient", "Contract", "Class", "Why", "Region", "Attempts", "From, to", "Kept until", "Trained with",
             "Read by people", "Taken out before")  # fmt: skip
    yield _table(heads, [_detail(row) for row in rows])
    if any(row.assumed for row in rows):
        yield "<p>Records marked * are too old to say who saw the words: whoever hosts and sells was taken.</p>"


def _detail(row: Row) -> tuple[str, ...]:
    return (
        row.party.name + ("*" if row.assumed else ""), _contract(row), row.data_class or "not stated",
        PURPOSES.get(row.purpose, row.purpose), _region(row), str(row.attempts),
        f"{_day(row.first_at)}, {_day(row.last_at)}", kept_until(row), _SAID.get(row.trains, row.trains),
        _SAID.get(row.review, row.review), ", ".join(f"{kind} in {n}" for kind, n in sorted(row.redactions.items())),
    )  # fmt: skip


def _contract(row: Row) -> str:
    if not row.contract:
        return "none"
    version = f", version {row.version}" if row.version else f" ({row.terms})" if row.terms else ""
    return f"{row.title or row.contract}{version}"


def _region(row: Row) -> str:
    if not row.region and not row.echoed:
        return "not stated"
    if not row.echoed or row.echoed == row.region:
        return row.region or row.echoed
    if not row.region:
        return f"{row.echoed} (as the vendor said)"
    return f"{row.region} was asked for, {row.echoed} answered" + (" (!)" if row.astray else "")


def kept_until(row: Row) -> str:
    """Return for how long the words may be kept, in words."""
    if row.retention < 0:
        return "not stated"
    return "not kept" if row.retention == 0 else str(row.until)


def _tools(found: Report) -> Iterator[str]:
    if found.tools:
        yield "<h2>Tools that were sent something</h2>"
        rows = [(t.server, str(t.uses), str(t.bytes), _day(t.first_at), _day(t.last_at)) for t in found.tools]
        yield _table(("Tool server", "Uses", "Bytes", "First", "Last"), rows)


def _house(found: Report) -> Iterator[str]:
    yield "<h2>What we hold ourselves</h2>"
    rows = [(_HELD[each.kind], "not known" if each.count is None else str(each.count)) for each in found.house]
    yield _table(("What", "How many"), rows)
    yield "<p>Conversations and files can be handed out whole, as an archive, on request.</p>"


def _closing() -> Iterator[str]:
    yield "<h2>What this page does not say</h2>"
    yield (
        "<p>It is made of records alone. Why the words were processed and on which legal ground, where they come from, "
        "whether a decision was made by a machine alone, and what safeguards hold for transfers abroad is to be added "
        "by whoever answers for the processing. How long a recipient keeps words is told as it was promised under the "
        "terms of the day; nobody here can look into another house.</p>\n<p>You may ask for what is wrong to be "
        "corrected, for erasure, for restriction, and object; and you may complain to the supervisory authority.</p>"
    )


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    top = "".join(f'<th scope="col">{escape(head)}</th>' for head in heads)
    body = "\n".join("<tr>" + "".join(_cell(text) for text in row) + "</tr>" for row in rows)
    return f'<div class="box"><table><thead><tr>{top}</tr></thead><tbody>\n{body}\n</tbody></table></div>'


def _cell(text: str) -> str:
    return f"<td>{_DAY.sub(_WHOLE, escape(text))}</td>"


_DAY, _WHOLE = re.compile(r"\d{4}-\d\d-\d\d"), r'<span class="day">\g<0></span>'


def _many(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _day(at: int) -> str:
    return iso(at)[:10]


def letter(found: Held, addressee: Party, file: str) -> str:
    """Return a draft of what to ask of an addressee: for a person if the report is on one, without their name, which
    the addressee need not learn. `file` names the list of calls that goes with it."""
    duties = [duty for duty in found.duties if duty.addressee.id == addressee.id]
    one = found.person is not None
    subject = "Erasure of personal data (Art. 17 and 19 GDPR)" if one else "Erasure of our data"
    contracts = sorted({_under(duty) for duty in duties if duty.contract})
    lines = [
        f"To: {addressee.name}", f"Date: {found.today}", f"Subject: {subject}", "",
        "Dear Sir or Madam,", "",
        f"We have sent you words to be processed{' under ' + '; '.join(contracts) if contracts else ''}. "
        + ("A person has asked us to erase what concerns them. " if one else "")
        + f"By our records you, or those whom you have engaged, may still hold the words of the calls in {file}.", "",
        "Please erase them, prompts, answers and whatever was made of them, copies in backups as far as these can be "
        "reached, and have those whom you have engaged do the same:", "",
        *(f"- {_item(duty)}" for duty in duties), "",
        *_terms(duties),
        "Each line of the list is one attempt of ours: when it was sent (UTC), which of your models it was for, in "
        "which region. The ids are our own.", *_users(found), "",
        "Please confirm in writing that this was done and when; name what you have to keep, under which law, and "
        "until when you keep it.", "",
        "This is a draft made from records; have it checked before it is sent.",
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def _users(found: Held) -> Iterator[str]:
    """Yield what the recipients may know the calls by: it went along with them."""
    if found.person is not None and found.person.users:
        yield f"They named as user: {', '.join(found.person.users)}."


def _under(duty: Duty) -> str:
    return f"{duty.exit.title or duty.contract}{f', version {duty.exit.version}' if duty.exit.version else ''}"


def _item(duty: Duty) -> str:
    ends = []
    if duty.until is not None:
        ends.append(f"{duty.attempts - duty.unstated} of them until {duty.until} at the latest, as promised")
    if duty.unstated:
        ends.append(f"{duty.unstated} without a stated end")
    return (
        f"{duty.party.name} ({', '.join(ROLES[role] for role in duty.roles)}): {_many(duty.attempts, 'attempt')} from "
        f"{_day(duty.first_at)} to {_day(duty.last_at)}; {', '.join(ends)}"
    )


def _terms(duties: Iterable[Duty]) -> Iterator[str]:
    for contract, exit in {duty.contract: duty.exit for duty in duties if duty.exit.over}.items():
        if exit.due is not None:
            yield f"{exit.title or contract} ended on {exit.ends}: erasure was agreed on by {exit.due}."
            yield ""
