"""Settlement on the console: statements, chargeback, and the files that finance and a regulator take. Refuses to
reckon: `freehold.exits` does. That a file was taken is put on record."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import Struct

from freehold.access.members import Member
from freehold.console import settlement_shapes as shapes
from freehold.console.office import Office
from freehold.console.shapes import CatchingUp
from freehold.core.clock import now_ns
from freehold.core.errors import FreeholdError
from freehold.exits import chargeback, dora, dora_files, focus, sheets, statement
from freehold.exits.dora import Register
from freehold.exits.periods import period
from freehold.exits.revenue import load
from freehold.exits.settlement import Books, settle
from freehold.exits.statement_paper import paper
from freehold.exits.stretches import day_of
from freehold.ledger import reliance, traffic
from freehold.wire.api import Endpoint, Raw, Request

PATIENCE = 0.4  # seconds that summing what is new may take before the answer goes out without it
LONGER = 20.0  # the same for a file, which is not made of half the entries
_MEDIA = {
    "csv": "text/csv; charset=utf-8", "pdf": "application/pdf", "json": "application/json", "zip": "application/zip",
    "parquet": "application/vnd.apache.parquet",
}  # fmt: skip


class SettlementQuery(Struct, frozen=True, kw_only=True):
    """`period`: 2026Q3, 2026-09, 2026, a day, or two of these with .. between; `contract`: under one alone."""

    period: str
    contract: str = ""


class StatementQuery(SettlementQuery, frozen=True, kw_only=True):
    format: Literal["csv", "pdf", "json"]


class ChargebackQuery(Struct, frozen=True, kw_only=True):
    """`shortfall`: with each one's part of commitments that were not met."""

    period: str
    by: chargeback.By = "team"
    shortfall: bool = False


class ChargesQuery(ChargebackQuery, frozen=True, kw_only=True):
    format: Literal["csv", "json"]


class FocusQuery(Struct, frozen=True, kw_only=True):
    period: str
    format: Literal["csv", "parquet"] = "csv"


class DoraQuery(Struct, frozen=True, kw_only=True):
    """As of today; amounts in `currency`, by default the one of most calls."""

    currency: str = ""


def endpoints(office: Office) -> list[Endpoint]:
    """Return the endpoints."""
    desk = _Settlement(office)
    path = "/api/admin/settlement"
    ask = partial(Endpoint, method="GET", access="auditor", tag="console")
    return [
        ask(path=path, run=desk.settle, query=SettlementQuery, answer=shapes.Settled,
            summary="What is owed to whom for a period, by contract, line by line"),
        ask(path=f"{path}/export", run=desk.statement, query=StatementQuery, summary="The same as a file"),
        ask(path=f"{path}/chargeback", run=desk.charge, query=ChargebackQuery, answer=shapes.Charges,
            summary="What each team, function or key owes inside the house"),
        ask(path=f"{path}/chargeback/export", run=desk.charges, query=ChargesQuery, summary="The same as a file"),
        ask(path=f"{path}/focus", run=desk.focus, query=FocusQuery,
            summary="Cost and use of a period in the columns of FOCUS 1.2, as a file"),
        ask(path=f"{path}/dora", run=desk.dora, query=DoraQuery, answer=shapes.Dora,
            summary="Templates of the DORA register, each cell with where it is from"),
        ask(path=f"{path}/dora/export", run=desk.register, query=DoraQuery,
            summary="The same as CSV files with a companion of origins, in a ZIP file"),
    ]  # fmt: skip


class _Settlement:
    def __init__(self, office: Office) -> None:
        self._office = office

    async def settle(self, request: Request[Member]) -> shapes.Settled:
        asked = request.query
        late = await self._rolled(PATIENCE)
        books = await self._books()
        found = await settle(self._office.store, books, period(asked.period), _today(), asked.contract)
        return shapes.Settled(settlement=found, revenue=books.earned is not None, catching_up=late)

    async def statement(self, request: Request[Member]) -> Raw:
        asked, today = request.query, _today()
        await self._whole()
        found = await settle(self._office.store, await self._books(), period(asked.period), today, asked.contract)
        makers = {
            "csv": lambda: sheets.comma_separated(statement.COLUMNS, statement.rows(found)),
            "pdf": lambda: paper(found, made=f"made on {today}"),
            "json": lambda: msgspec.json.encode(found),
        }
        name = f"settlement-{found.name}" + (f"-{asked.contract}" if asked.contract else "")
        return await self._file(request, name, asked.format, await asyncio.to_thread(makers[asked.format]))

    async def charge(self, request: Request[Member]) -> shapes.Charges:
        late = await self._rolled(PATIENCE)
        return shapes.charges(await self._charged(request.query), await self._names(request.query.by), late)

    async def charges(self, request: Request[Member]) -> Raw:
        asked = request.query
        await self._whole()
        found = await self._charged(asked)
        rows = chargeback.rows(found, await self._names(asked.by))
        csv = asked.format == "csv"
        data = sheets.comma_separated(chargeback.COLUMNS, rows) if csv else msgspec.json.encode(rows)
        return await self._file(request, f"chargeback-{found.name}-{asked.by}", asked.format, data)

    async def focus(self, request: Request[Member]) -> Raw:
        asked, snapshot = request.query, self._office.pipeline.snapshot
        await self._whole()
        ground = focus.Ground(
            books=await self._books(), table=snapshot.table, bonds=snapshot.bonds, own=snapshot.prices,
            organisation=snapshot.organisation, names=await self._office.names(),
        )  # fmt: skip
        wanted = period(asked.period)
        rows = (await focus.focus(self._office.store, ground, wanted, _today())).rows
        if asked.format == "parquet":
            data = await asyncio.to_thread(sheets.parquet, focus.TYPES, rows)
        else:
            data = await asyncio.to_thread(sheets.comma_separated, tuple(focus.TYPES), rows)
        return await self._file(request, f"focus-{wanted}", asked.format, data)

    async def dora(self, request: Request[Member]) -> shapes.Dora:
        late = await self._rolled(PATIENCE)
        return shapes.dora(await self._filled(request.query), late)

    async def register(self, request: Request[Member]) -> Raw:
        await self._whole()
        found = await self._filled(request.query)
        data = await asyncio.to_thread(dora_files.package, found)
        return await self._file(request, f"dora-{found.day}", "zip", data)

    # -- what all of them need

    async def _charged(self, asked: ChargebackQuery) -> chargeback.Chargeback:
        wanted, books = period(asked.period), await self._books()
        return await chargeback.chargeback(
            self._office.store, books, wanted, _today(), asked.by, shortfalls=asked.shortfall
        )

    async def _filled(self, asked: DoraQuery) -> Register:
        snapshot = self._office.pipeline.snapshot
        ground = dora.Ground(
            register=snapshot.register, organisation=snapshot.organisation, table=snapshot.table, bonds=snapshot.bonds
        )  # fmt: skip
        return await dora.fill(self._office.store, ground, _today(), asked.currency)

    async def _books(self) -> Books:
        """Return what a settlement goes by. Raises ConfigError for a file of revenue that is none."""
        snapshot = self._office.pipeline.snapshot
        told = await self._office.control.order("settings")
        named = next((row["value"] for row in told["settings"] if row["name"] == "contracts.revenue"), None)
        earned = await asyncio.to_thread(load, Path(named) if named else None)
        deployments = {it.name: it.contract for it in snapshot.table.deployments.values() if it.contract}
        return Books(register=snapshot.register, book=snapshot.book, deployments=deployments, earned=earned)

    async def _rolled(self, seconds: float) -> CatchingUp | None:
        """Sum what is new; return how far that is where it is not done. Errors count for credits alone."""
        store, register = self._office.store, self._office.pipeline.snapshot.register
        done, head = await reliance.roll(store, seconds)
        if done == head and any(version.contract.sla.uptime is not None for version in register.versions):
            done, head = await traffic.roll(store, seconds)
        return CatchingUp(done, head) if done < head else None

    async def _whole(self) -> None:
        """Sum what is new. Raises FreeholdError where that takes too long."""
        late = await self._rolled(LONGER)
        if late is not None:
            said = f"The ledger is still being summed: {late.done} of {late.total} entries."
            hint = "ask again in a minute"
            raise FreeholdError(said, code="catching_up", status=503, retryable=True, hint=hint)

    async def _names(self, by: chargeback.By) -> dict[str, str]:
        if by != "function":
            return await self._office.names()
        functions = self._office.pipeline.snapshot.organisation.functions
        return {name: it.title or name for name, it in functions.items()}

    async def _file(self, request: Request[Member], name: str, form: str, data: bytes) -> Raw:
        given = {key: value for key, value in msgspec.structs.asdict(request.query).items() if value not in ("", False)}
        await self._office.note(request.who, "settlement.export", file=f"{name}.{form}", asked=given)
        attached = f'attachment; filename="{_plain(name)}.{form}"'
        headers = ((b"content-disposition", attached.encode()), (b"cache-control", b"no-store"),
                   (b"x-content-type-options", b"nosniff"))  # fmt: skip
        return Raw(data, _MEDIA[form], headers)


def _today() -> Any:
    return day_of(now_ns())


def _plain(name: str) -> str:
    """Return a name that fits a header and a file system."""
    return "".join(sign if sign.isascii() and (sign.isalnum() or sign in "-_.") else "_" for sign in name)
