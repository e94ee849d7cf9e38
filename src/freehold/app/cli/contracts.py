"""`contracts list|show|diff|schema`: what was agreed with whom, and what changed. Needs no store, no server, no key."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from freehold.app.cli import arguments, contracts_watch

if TYPE_CHECKING:
    from freehold.app.cli.parser import Commands, Context
    from freehold.contracts.register import Register, Version


def register(commands: Commands) -> None:
    group = commands.group("contracts", "what was agreed with whom")
    list_ = group.add(
        "list",
        list_contracts,
        "show all contracts: whom they are with, how they stand, by when to decide",
        "`notice by` is the last day on which notice from us is in time; it is empty where nothing can be done.",
    )
    list_.add_argument("--all", action="store_true", help="also what is superseded or has ended")
    _on(list_)
    show_ = group.add("show", show, "show one contract: every term in words, what nobody says, where values are from")
    show_.add_argument("contract", help="its id, or a contract file")
    _on(show_)
    diff_ = group.add(
        "diff",
        diff,
        "show how the terms of two contracts differ, and what that means",
        "Of one alone: how it differs from the one that it supersedes. Exit code 0 whether or not they differ.",
    )
    diff_.add_argument("old", metavar="OLD", help="id of a contract, or a contract file")
    diff_.add_argument("new", metavar="NEW", nargs="?", help="the one to compare it with")
    contracts_watch.register(group)
    schema_ = group.add("schema", schema, "print the JSON schema of a contract file, for editors and checkers")
    schema_.add_argument("--markdown", action="store_true", help="the reference page instead")


def _on(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--on", type=arguments.day, metavar="DAY", help="as of that day, e.g. 2027-01-31; default: today"
    )


def find(register: Register, name: str) -> Version:
    """Return the contract of that id, or in that file. Raises NotFound, and ContractsFaulty for a file that is none."""
    from freehold.contracts.faults import nearest
    from freehold.contracts.register import Version
    from freehold.core.errors import NotFound

    version = register.get(name)
    if version is not None:
        return version
    if Path(name).is_file():
        return Version.at(Path(name))
    ids = [each.contract.id for each in register.versions]
    hint = nearest(name, ids) if ids else "name contract files in freehold.toml: [contracts] include"
    raise NotFound(f"no contract is called {name!r}", hint=hint)


def list_contracts(context: Context) -> int:
    from msgspec import to_builtins

    from freehold.contracts import shown

    found = shown.rows(contracts_watch.filed(context), contracts_watch.day(context))
    standing = [row for row in found if context.args.all or row.state not in ("ended", "superseded")]
    rows = [to_builtins(row) for row in standing]
    if not context.talk.json:
        for row, told in zip(standing, rows, strict=True):
            told["party"] = row.supplier + (f" ({row.maker})" if row.maker not in ("", row.supplier) else "")
            told["state"] = row.state.replace("_", " ")
            told["last day"] = f"{row.last or 'open'}{', renews' if row.renews else ''}"
            told["notice by"] = row.notice_by
    empty = "no contracts; name their files in freehold.toml: [contracts] include"
    columns = ("id", "version", "party", "kind", "state", "last day", "notice by", "owner")
    context.talk.rows(rows, columns, empty if not found else "no contract stands; --all shows those that have ended")
    return 0


def show(context: Context) -> int:
    from msgspec import to_builtins

    from freehold.app.cli.contracts_shown import page
    from freehold.contracts import shown
    from freehold.contracts.register import Register

    register, day = contracts_watch.filed(context), contracts_watch.day(context)
    version = find(register, context.args.contract)
    if register.get(version.contract.id) != version:
        register = Register((version,))
    told = shown.page(register, version, day)
    if context.talk.json:
        context.talk.result({**to_builtins(told), "contract": to_builtins(version.contract)})
    else:
        context.talk.text(page(told, day))
    return 0


def diff(context: Context) -> int:
    from msgspec import to_builtins

    from freehold.app.cli.contracts_shown import compared
    from freehold.contracts.diff import changes

    old, new = _two(context)
    found = changes(old.contract, new.contract)
    if context.talk.json:
        ends = {name: {"id": each.contract.id, "version": each.contract.version, "hash": each.hash, "path": each.path}
                for name, each in (("old", old), ("new", new))}  # fmt: skip
        context.talk.result({**ends, "changes": to_builtins(found)})
    else:
        context.talk.text(compared(old, new, found))
    return 0


def _two(context: Context) -> tuple[Version, Version]:
    """Return the contracts to compare: a file named alone is compared with what is on file under its id."""
    from freehold.core.errors import NotFound

    register, args = contracts_watch.filed(context), context.args
    one = find(register, args.old)
    if args.new is not None:
        return one, find(register, args.new)
    filed = register.get(one.contract.id)
    if filed is not None and filed.hash != one.hash:
        return filed, one
    before = register.get(one.contract.supersedes)
    if before is None:
        raise NotFound(f"{one.contract.id} supersedes nothing", hint="name two contracts: OLD NEW")
    return before, one


def schema(context: Context) -> int:
    if context.args.markdown:
        from freehold.app import reference_contracts

        context.talk.text(reference_contracts.page().rstrip())
    else:
        from freehold.contracts.schema import schema

        context.talk.text(json.dumps(schema(), indent=2, ensure_ascii=False))
    return 0
