"""All contracts of an organisation and which of them holds on which day. Pure: the day is an argument; nothing is read
but contract files, by `load`. Refuses to know what follows from a term."""

from __future__ import annotations

import hashlib
import json
from calendar import monthrange
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from decimal import Decimal
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal

import msgspec

from freehold.contracts.faults import ContractsFaulty, Problem
from freehold.contracts.fields import usual
from freehold.contracts.linking import linked
from freehold.contracts.reading import parse, parse_file, read
from freehold.contracts.schema import schema
from freehold.contracts.terms import Commitment, Contract
from freehold.contracts.wording import shortest

__all__ = ["ContractsFaulty", "Problem", "Register", "State", "Version", "fingerprint", "load", "read", "schema"]

State = Literal["draft", "future", "active", "in_notice", "ended", "superseded"]
_DAY = timedelta(days=1)


class Version(msgspec.Struct, frozen=True):
    """One contract file: its terms, the first 12 hexadecimal digits of their SHA-256, and where they stand."""

    contract: Contract
    hash: str
    path: str = ""

    @classmethod
    def at(cls, path: Path) -> Version:
        """Return the contract in one file, whatever others there are. Raises ContractsFaulty."""
        contract, problems = parse_file(path)
        if problems or contract is None:
            raise ContractsFaulty(problems)
        return cls.of(contract, str(path))

    @classmethod
    def of(cls, contract: Contract, path: str = "") -> Version:
        """Return `contract` with its fingerprint."""
        return cls(contract, fingerprint(contract), path)


def fingerprint(contract: Contract) -> str:
    """Return what tells these terms from any others: the same for the same terms, however they are written, and
    whatever fields later releases add."""
    text = json.dumps(_plain(contract), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _plain(value: Any) -> Any:
    """Return `value` for JSON: fields that stand at their defaults left out, numbers in their shortest form."""
    if isinstance(value, msgspec.Struct):
        fields = msgspec.structs.fields(value)
        stated = {field.name: getattr(value, field.name) for field in fields}
        return {field.name: _plain(stated[field.name]) for field in fields if stated[field.name] != usual(field)}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Decimal):
        return shortest(value)
    return value.isoformat() if isinstance(value, date) else value


class Register:
    """The contracts in force and all others that are on file. Never changed once built."""

    def __init__(self, versions: Iterable[Version] = ()) -> None:
        self.versions: tuple[Version, ...] = tuple(versions)
        self._by_id = {version.contract.id: version for version in self.versions}
        self._chains: dict[str, tuple[Version, ...]] = {}
        self._follower: dict[str, Contract] = {}
        for version in self.versions:
            contract = version.contract
            # A draft takes nobody's place.
            if contract.supersedes and contract.status != "draft":
                known = self._follower.get(contract.supersedes)
                if known is None or contract.term.start < known.term.start:
                    self._follower[contract.supersedes] = contract
        for chain in linked(self.versions):
            self._chains |= {version.contract.id: chain for version in chain}

    def __len__(self) -> int:
        return len(self.versions)

    def get(self, id: str) -> Version | None:
        """Return the version of that id; None when there is none."""
        return self._by_id.get(id)

    def chain(self, id: str) -> tuple[Version, ...]:
        """Return all versions that supersede each other and one of which is `id`, oldest first; empty when none is."""
        return self._chains.get(id, ())

    def ids(self, version: Version) -> frozenset[str]:
        """Return the ids of all versions of a contract, also of one that is not on file."""
        return frozenset({version.contract.id, *(each.contract.id for each in self.chain(version.contract.id))})

    def at(self, id: str, day: date) -> Version | None:
        """Return the version that holds on `day`, of the chain that `id` is in; None when none does."""
        held = [version for version in self.chain(id) if self.state(version, day) in ("active", "in_notice")]
        return held[-1] if held else None

    def state(self, version: Version, day: date) -> State:
        """Return how a version stands on `day`."""
        contract, follower = version.contract, self._follower.get(version.contract.id)
        if contract.status == "draft":
            return "draft"
        if follower is not None and follower.term.start <= day:
            return "superseded"
        if contract.status in ("expired", "terminated"):
            return "ended"
        if day < contract.term.start:
            return "future"
        last = self.last_day(version, day)
        if last is not None and last < day:
            return "ended"
        return "in_notice" if _notified(contract, day) else "active"

    def last_day(self, version: Version, day: date) -> date | None:
        """Return the last day on which a version holds, as far as it is known on `day`; None when it is open-ended.

        A term that renews itself rolls on until it reaches `day`, as long as no notice was given. Notice ends it with
        the first term that it is early enough for, by the shorter of the notice periods, for nobody says whose it was;
        an open-ended one ends that long after the notice. A version that another one supersedes ends on the day before
        that one starts, if not earlier.
        """
        contract, follower = version.contract, self._follower.get(version.contract.id)
        own = _own_last(contract, day)
        if follower is None:
            return own
        before = follower.term.start - _DAY
        return before if own is None or before < own else own

    def renews(self, version: Version, day: date) -> bool:
        """Return whether the term that runs on `day`, or the first one, goes on by itself at its end, as far as it is
        known on `day`."""
        if self.state(version, day) not in ("active", "future"):
            return False
        last = self.last_day(version, max(day, version.contract.term.start))
        if last is None or last == date.max:
            return False
        following = self.last_day(version, last + _DAY)
        return following is not None and following > last

    def until(self, version: Version, day: date) -> date | None:
        """Return the last day on which a version holds if nothing is decided after `day`: None when it is open-ended or
        renews itself for ever."""
        follower = self._follower.get(version.contract.id)
        if not self.renews(version, day):
            return self.last_day(version, day)
        return None if follower is None else self.last_day(version, follower.term.start - _DAY)

    def counts(self, version: Version, commitment: Commitment, deployments: Mapping[str, str]) -> tuple[str, ...]:
        """Return the names of those `deployments` (name -> id of its contract) whose use counts towards a commitment:
        those that its globs name, under whatever contract; for the glob "*" all under this contract, in any version."""
        own = self.ids(version)
        return tuple(
            name
            for name, contract in deployments.items()
            if any(contract in own if glob == "*" else fnmatchcase(name, glob) for glob in commitment.counts)
        )


def _notified(contract: Contract, day: date) -> bool:
    given = contract.term.notice_given
    return given <= day if given is not None else contract.status == "in_notice"


def _own_last(contract: Contract, day: date) -> date | None:
    """Return the last day by the contract's own words."""
    term = contract.term
    if not _notified(contract, day):
        return rolled(term.end, term.renewal.months, day) if term.renewal.auto and term.end is not None else term.end
    if term.notice_given is None:
        return term.end
    ends = ahead(term.notice_given, min(notice_periods(contract), default=0))
    if term.end is None:
        return ends
    return rolled(term.end, term.renewal.months, ends) if term.renewal.auto else term.end


def notice_periods(contract: Contract) -> tuple[int, ...]:
    """Return the notice periods that are stated, ours first, in days."""
    stated = contract.term.notice_days
    return tuple(days for days in (stated.customer, stated.supplier) if days is not None)


def rolled(end: date, months: int, until: date) -> date:
    """Return the first last day, `end` or so many times `months` later, that is not before `until`."""
    if months < 1 or end >= until:
        return end
    times = max(0, (until.year - end.year) * 12 + until.month - end.month) // months
    for each in (times - 1, times, times + 1, times + 2):
        if each >= 0 and (last := later(end, each * months)) >= until:
            return last
    return date.max


def later(end: date, months: int) -> date:
    """Return the last day of a term that is `months` longer than one that ends on `end`: what ends with a month goes on
    ending with one."""
    if end == date.max:
        return end
    after = end + _DAY
    year, month = divmod(after.year * 12 + after.month - 1 + months, 12)
    if year > date.max.year:
        return date.max
    return date(year, month + 1, min(after.day, monthrange(year, month + 1)[1])) - _DAY


def ahead(day: date, days: int) -> date:
    """Return the day that many days later, or the last one that there is."""
    return date.max if days > (date.max - day).days else day + timedelta(days=days)


def load(paths: Iterable[Path]) -> Register:
    """Read contract files. Raises ContractsFaulty with all that is wrong with all of them: what does not stand in a
    contract's form, and what does not fit together."""
    found, problems = parse(paths)
    if problems:
        raise ContractsFaulty(problems)
    return Register(Version.of(contract, origin) for contract, origin in found)
