"""What left an area: calls that were served elsewhere, or whose words were seen by somebody who is seated elsewhere.
Where nobody says, it is told apart. Knows sums and places; refuses to know where bytes really went."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import msgspec

from freehold.contracts.areas import AREAS, within
from freehold.contracts.binding import OWN
from freehold.core.errors import NotFound
from freehold.exits.seen import LONGEST, PATIENCE, Ground, Parties, Party, days, recipients
from freehold.ledger.sight import Heard, Sight, roll, sights
from freehold.store import Store

# Members of the European Union and the European Economic Area: the EU's list of countries and EFTA's, read 2026-11.
_EU = frozenset({
    "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IT", "LT", "LU", "LV",
    "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK",
})  # fmt: skip
_EEA = _EU | {"IS", "LI", "NO"}
COUNTRIES: dict[str, frozenset[str]] = {
    "eu": _EU,
    "eea": _EEA,
    "uk": frozenset({"GB"}),
    "ch": frozenset({"CH"}),
    "us": frozenset({"US"}),
    "europe": _EEA | {"GB", "CH"},
}
"""Countries (ISO 3166-1 alpha-2) by the areas that are shipped."""

Why = Literal["region", "echoed", "party"]
"""What is outside: the region that was asked for, the one that the vendor named, or a party that saw the words."""
State = Literal["outside", "unstated", "inside", "own"]
AXES = ("seller", "host", "region", "data_class", "function", "recipient")


class Row(msgspec.Struct, kw_only=True):
    """Attempts that have all of this in common. `outside` are the recipients who are seated outside, `unseated` those
    of whom nobody says where they are; `promised` is where the contract says that words are processed."""

    state: State
    why: tuple[Why, ...]
    seller: Party
    host: Party
    region: str
    echoed: str
    data_class: str
    function: str
    purpose: str
    contract: str
    outside: tuple[Party, ...]
    unseated: tuple[Party, ...]
    promised: tuple[str, ...]
    assumed: bool
    attempts: int = 0
    input: int = 0
    first_at: int = LONGEST
    last_at: int = 0


class Part(msgspec.Struct, frozen=True):
    """How much left by one value of an axis; the id is empty for none."""

    id: str
    name: str
    attempts: int


class Left(msgspec.Struct, kw_only=True):
    """All of it. `rows` are what left, or may have: state outside, then unstated. `attempts` by state; those of models
    on our own machines have not left the house. `unseated` are attempts inside one of whose recipients is seated nobody
    says where. `unlisted` are regions that lie in no area that anybody knows: they count as outside."""

    area: str
    since: int
    until: int
    attempts: dict[State, int]
    unseated: int
    rows: list[Row]
    by: dict[str, list[Part]]
    unlisted: list[str]
    areas: list[str]
    done: int
    head: int


async def left(
    store: Store,
    ground: Ground,
    area: str,
    *,
    since: int = 0,
    until: int = LONGEST,
    patience: float = PATIENCE,
    heard: Heard | None = None,
) -> Left:
    """Return what left an area, a region or a country in the UTC days that hold since <= at < until (ns). Raises
    NotFound for a place that nobody knows, BadRequest for an empty span, StoreError."""
    first, last = days(since, until)
    done, head = await roll(store, patience, heard)
    some = await sights(store, first, last)
    _check(area, some, ground)
    parties, places = Parties(ground), _Place(area, ground.organisation.areas)
    found: dict[tuple[Any, ...], Row] = {}
    totals: dict[State, int] = {"outside": 0, "unstated": 0, "inside": 0, "own": 0}
    unseated = 0
    for sight in some:
        row = _row(found, sight, places, parties, ground)
        row.attempts += sight.attempts
        row.input += sight.input
        row.first_at, row.last_at = min(row.first_at, sight.first_at), max(row.last_at, sight.last_at)
        totals[row.state] += sight.attempts
        unseated += sight.attempts if row.state == "inside" and row.unseated else 0
    away = [row for row in found.values() if row.state in ("outside", "unstated")]
    rows = sorted(away, key=lambda row: (row.state, -row.attempts, -row.last_at))
    outside = [row for row in rows if row.state == "outside"]
    return Left(
        area=area, since=since, until=until, attempts=totals, unseated=unseated, rows=rows,
        by={axis: _parts(outside, axis) for axis in AXES}, unlisted=_unlisted(some, ground.organisation.areas),
        areas=known_areas(ground), done=done, head=head,
    )  # fmt: skip


class _Place:
    """An area, and what lies in it. The organisation's own areas may name regions, countries and shipped areas."""

    def __init__(self, area: str, own: Mapping[str, tuple[str, ...]]) -> None:
        self._area, self._own = area, own
        named = [_plain(place) for name, places in own.items() if _plain(name) == _plain(area) for place in places]
        self._countries = frozenset(
            code for name in (_plain(area), *named) for code in COUNTRIES.get(name, (name.upper(),))
        )

    def region(self, name: str) -> bool:
        """Return whether a region lies in it."""
        return within(name, (self._area,), self._own)

    def country(self, code: str) -> bool:
        """Return whether a country lies in it."""
        return code in self._countries


def _plain(name: str) -> str:
    return name.replace(" ", "").lower()


def _row(found: dict[tuple[Any, ...], Row], sight: Sight, places: _Place, parties: Parties, ground: Ground) -> Row:
    ids, assumed = recipients(sight)
    seen = [parties.get(id) for id in ids]
    outside = tuple(party for party in seen if party.country and not places.country(party.country))
    unseated = tuple(party for party in seen if not party.country)
    state, why = _judged(sight, bool(ids), places, bool(outside))
    place = (
        state, why, sight.seller, sight.host, sight.region, sight.echoed, sight.data_class, sight.function,
        sight.purpose, sight.contract, ids, assumed,
    )  # fmt: skip
    row = found.get(place)
    if row is None:
        row = found[place] = Row(
            state=state, why=why, seller=parties.get(sight.seller), host=parties.get(sight.host), region=sight.region,
            echoed=sight.echoed, data_class=sight.data_class, function=sight.function, purpose=sight.purpose,
            contract=sight.contract, outside=outside, unseated=unseated, promised=_promised(sight, parties, ground),
            assumed=assumed,
        )  # fmt: skip
    return row


def _judged(sight: Sight, others: bool, places: _Place, seated: bool) -> tuple[State, tuple[Why, ...]]:
    """Return how a sum stands to the area, and why."""
    if not others:
        return "own", ()
    why: list[Why] = []
    if sight.region and not places.region(sight.region):
        why.append("region")
    if sight.echoed and not places.region(sight.echoed):
        why.append("echoed")
    if seated:
        why.append("party")
    if why:
        return "outside", tuple(why)
    return ("inside" if sight.region or sight.echoed else "unstated"), ()


def _promised(sight: Sight, parties: Parties, ground: Ground) -> tuple[str, ...]:
    version = parties.version(sight.contract, sight.terms) or ground.register.get(sight.contract)
    return (version.contract.data.processing_regions or version.contract.data.regions) if version is not None else ()


def _parts(rows: Iterable[Row], axis: str) -> list[Part]:
    """Return what left by one axis, most first. By recipient it is those who are seated outside."""
    sums: dict[str, int] = {}
    names: dict[str, str] = {}
    for row in rows:
        for id, name in _values(row, axis):
            sums[id] = sums.get(id, 0) + row.attempts
            names[id] = name
    return [Part(id, names[id], count) for id, count in sorted(sums.items(), key=lambda each: (-each[1], each[0]))]


def _values(row: Row, axis: str) -> list[tuple[str, str]]:
    if axis == "recipient":
        return [(party.id, party.name) for party in row.outside]
    if axis in ("seller", "host"):
        party: Party = getattr(row, axis)
        return [(party.id, party.name)]
    value = (row.echoed or row.region) if axis == "region" else str(getattr(row, axis))
    return [(value, value)]


def known_areas(ground: Ground) -> list[str]:
    """Return the names of areas that can be asked for, the organisation's own first."""
    return [*ground.organisation.areas, *(name for name in AREAS if name not in ground.organisation.areas)]


def _check(area: str, some: Iterable[Sight], ground: Ground) -> None:
    areas = known_areas(ground)
    regions = {name for sight in some for name in (sight.region, sight.echoed) if name}
    listed = {name for places in (*AREAS.values(), *ground.organisation.areas.values()) for name in places}
    countries = {code for codes in COUNTRIES.values() for code in codes}
    if _plain(area) not in {_plain(name) for name in (*areas, *regions, *listed, *countries)}:
        hint = f"one of {', '.join(areas)}, a region, a country of two letters; [data] areas names your own"
        raise NotFound(f"Nobody knows the area {area[:64]!r}.", param="area", hint=hint)


def _unlisted(some: Iterable[Sight], own: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Return the regions of others' machines that lie in no area."""
    names = {name for sight in some if sight.host != OWN for name in (sight.region, sight.echoed) if name}
    return sorted(name for name in names if not within(name, [area for area in (*AREAS, *own) if area != name], own))
