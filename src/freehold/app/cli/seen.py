"""`seen person|left|erase`: who saw what of whom, what left an area, what must be erased where by when. Refuses to
reckon: `freehold.exits` does."""

from __future__ import annotations

import argparse
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from freehold.app.cli import arguments
from freehold.app.cli.output import UsageError

if TYPE_CHECKING:
    from freehold.app.cli.parser import Commands, Context
    from freehold.app.settings import Config
    from freehold.exits.seen import Ground, Person
    from freehold.exits.seen_held import Held
    from freehold.exits.seen_house import Erased, Kept
    from freehold.guards.vault import Vault
    from freehold.store import Store

T = TypeVar("T")
_WAIT = 3600.0  # seconds that summing new entries may take: a report on half of them would be none


def register(commands: Commands) -> None:
    group = commands.group("seen", "who saw what, what left a region, what must be erased")
    person_ = group.add(
        "person",
        person,
        "say everything about a person: which parties saw what, under which terms, until when; and what is held here",
        "A file that ends in .html can be handed to the person. Each try of a model counts.",
    )
    _whose(person_)
    _span(person_)
    _target(person_, ("table", "html", "csv", "json"))
    left_ = group.add(
        "left",
        left,
        "say what left an area: calls that were served elsewhere, or seen by somebody who is seated elsewhere",
        "Calls of which nobody says where they were served are told apart.",
    )
    left_.add_argument(
        "area", metavar="AREA", help="eu, eea, uk, us ...; one of [data] areas; a region; a country (DE)"
    )
    _span(left_)
    _target(left_, ("table", "csv", "json"))
    erase_ = group.add(
        "erase",
        erase,
        "say what must be erased where by when; with --do also erase what is held here of a person",
        "Without a person: of everybody. What others hold only they can erase: --letters writes what to ask of whom.",
    )
    _whose(erase_)
    _target(erase_, ("table", "csv", "json"))
    erase_.add_argument(
        "--letters", metavar="FOLDER", help="write a draft for each party to turn to, with the list of its calls"
    )
    erase_.add_argument(
        "--do", action="store_true", help="erase the kept texts of the person's calls, and their pseudonyms"
    )
    erase_.add_argument(
        "--library", action="store_true", help="with --do: also what they made at the page: conversations, files ..."
    )
    erase_.add_argument("--why", default="the person asked for it", help="goes on record")
    erase_.add_argument("--yes", action="store_true", help="do not ask")


def _whose(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("member", nargs="?", default="", metavar="NAME", help="a member, by the name to sign in with")
    parser.add_argument("--person", metavar="NAME", default="", help="the same")
    parser.add_argument("--key", action="append", default=[], help="calls of a key, by name or id; repeat for several")
    parser.add_argument(
        "--user", action="append", default=[], help="calls whose client named this user; repeat for several"
    )


def _span(parser: argparse.ArgumentParser) -> None:
    when = arguments.moment
    parser.add_argument(
        "--since", type=when, default=0, metavar="WHEN", help="a span back (90d) or a day; default: all"
    )
    parser.add_argument("--until", type=when, metavar="WHEN", help="as --since, not included; whole days in UTC")


def _target(parser: argparse.ArgumentParser, formats: tuple[str, ...]) -> None:
    parser.add_argument("--format", choices=formats, help="default: as the file's name ends, else the first of these")
    parser.add_argument("-o", "--output", metavar="FILE", help="where to; - for standard output")
    parser.add_argument("--force", action="store_true", help="replace an existing file")
    parser.set_defaults(formats=formats)


def person(context: Context) -> int:
    from freehold.app.cli.seen_shown import person as shown
    from freehold.console import seen_shapes
    from freehold.core.clock import now_ns
    from freehold.exits.seen_document import page
    from freehold.exits.seen_person import Report, report

    form = _form(context)
    ground, config = _ground(context)

    async def work(store: Store) -> Report:
        who, vault = await _person(context, store), await _vault(config, store)
        return await report(
            store, ground, who, now_ns(), **_between(context), vault=vault, patience=_WAIT, heard=_bar(context)
        )

    found = _run(context, work)
    if form == "html":
        return _saved(context, page(found).encode(), form)
    return _told(context, found, seen_shapes.person(found), form, shown)


def left(context: Context) -> int:
    from freehold.app.cli.seen_shown import left as shown
    from freehold.console import seen_shapes
    from freehold.exits.seen_left import Left
    from freehold.exits.seen_left import left as look

    form = _form(context)
    ground, _ = _ground(context)

    async def work(store: Store) -> Left:
        area, span = context.args.area, _between(context)
        return await look(store, ground, area, **span, patience=_WAIT, heard=_bar(context))

    found = _run(context, work)
    return _told(context, found, seen_shapes.left(found), form, shown)


def erase(context: Context) -> int:
    from freehold.app.cli.seen_shown import outstanding as shown
    from freehold.console import seen_shapes

    args, form = context.args, _form(context)
    named = bool(args.member or args.person or args.key or args.user)
    if args.do and not named:
        raise UsageError("nothing says whose words to erase", hint="name a member, --key or --user")
    if args.library and not (args.member or args.person):
        raise UsageError("only a member has a library", hint="name the member whose it is")
    ground, config = _ground(context)
    found, here = _run(context, lambda store: _outstanding(context, store, ground, config, named))
    written = _letters(context, ground, found) if args.letters else []
    done = _erased(context, config, found, here) if args.do and here is not None else None
    if context.talk.json and not args.output:
        more = {"here": _counts(here), "letters": written, "erased": done}
        context.talk.result({**_plain(seen_shapes.outstanding(found)), **more})
        return 0
    code = _told(context, found, seen_shapes.outstanding(found), form, shown)
    if here is not None and not done:
        _say_here(context, here)
    if done is not None:
        context.talk.text(_done(done))
    return code


async def _outstanding(
    context: Context, store: Store, ground: Ground, config: Config, named: bool
) -> tuple[Held, Kept | None]:
    from freehold.core.clock import now_ns
    from freehold.exits.seen_held import outstanding
    from freehold.exits.seen_house import kept

    who, bar = (await _person(context, store) if named else None), _bar(context)
    found = await outstanding(store, ground, now_ns(), who, patience=_WAIT, heard=bar)
    if who is None:
        return found, None
    return found, await kept(store, who, await _vault(config, store), bar)


def _counts(here: Kept | None) -> dict[str, Any] | None:
    if here is None:
        return None
    return {
        "texts": len(here.texts),
        "bytes": sum(text.bytes for text in here.texts),
        "pseudonyms": here.pseudonyms,
        "conversations": len(here.conversations),
    }


def _say_here(context: Context, here: Kept) -> None:
    from freehold.app.cli.output import size

    texts = f"{len(here.texts)} texts of calls ({size(sum(text.bytes for text in here.texts))})"
    context.talk.text(
        f"\nHeld here: {texts}, {here.pseudonyms} pseudonyms of {len(here.conversations)} conversations. "
        "Nothing was erased; --do erases them."
    )


def _erased(context: Context, config: Config, found: Held, here: Kept) -> dict[str, int] | None:
    """Erase what is held here; None where that was not wanted in the end. The act goes on record first: who could erase
    unseen could hide it."""
    import sys

    from freehold.app.cli.stored import record, run
    from freehold.exits.seen_house import erase as shred

    args, who = context.args, found.person
    if not args.yes:
        if not sys.stdin.isatty():
            raise UsageError("erasing cannot be undone", hint="add --yes")
        _say_here(context, here)
        if input(f"erase for good what is held here of {who.title if who else ''}? type yes: ").strip() != "yes":
            context.talk.say("nothing was erased")
            return None

    async def work(store: Store) -> tuple[Erased, dict[str, int]]:
        about = {"texts": len(here.texts), "conversations": len(here.conversations), "library": args.library}
        await record(store, "person.erase", why=args.why, **_about(who), **about)
        gone = await shred(store, here, await _vault(config, store), args.why)
        return gone, await _forget(store, config, who) if args.library else {}

    gone, library = run(context.kept, work)
    return {"text": gone.texts, "bytes": gone.bytes, "pseudonyms_of": gone.conversations, **library}


async def _forget(store: Store, config: Config, who: Person | None) -> dict[str, int]:
    from freehold.assist.leaving import forget

    if who is None or who.member is None:
        return {}
    waiting = await store.fetch("SELECT id FROM import WHERE member = ?", who.member.id)
    for (id,) in waiting:
        (config.data / "imports" / f"{id}.part").unlink(missing_ok=True)
    return await forget(store, who.member.id)


def _about(who: Person | None) -> dict[str, Any]:
    if who is None:
        return {}
    member = {"of": who.member.id, "name": who.member.name} if who.member is not None else {}
    return {**member, "keys": list(who.keys), "users": list(who.users)}


def _done(done: dict[str, int]) -> str:
    words = [f"{count} {kind.replace('_', ' ')}" for kind, count in done.items() if kind != "bytes"]
    return f"\nErased here: {', '.join(words)}. The ledger's entries stay; `freehold ledger verify` proves them whole."


def _letters(context: Context, ground: Ground, found: Held) -> list[str]:
    """Write a draft and a list of calls for each party to turn to; return the names of the files."""
    from freehold.app.cli.saving import save
    from freehold.app.cli.stored import run
    from freehold.core.clock import now_ns
    from freehold.exits import seen_rows
    from freehold.exits.seen_document import letter
    from freehold.exits.seen_held import calls
    from freehold.exits.sheets import comma_separated

    folder = Path(context.args.letters)
    folder.mkdir(parents=True, exist_ok=True)
    addressees = {duty.addressee.id: duty.addressee for duty in found.duties}
    written = []

    async def listed(store: Store, id: str) -> list[dict[str, Any]]:
        duties = [duty for duty in found.duties if duty.addressee.id == id]
        return [seen_rows.call(each) async for each in calls(store, ground, now_ns(), duties, found.person)]

    for id, party in addressees.items():
        name = "".join(sign if sign.isalnum() or sign in "-_" else "-" for sign in id)
        text, table = folder / f"{name}.txt", folder / f"{name}.csv"
        rows = run(context.kept, lambda store, id=id: listed(store, id))  # type: ignore[misc]
        save(str(text), letter(found, party, table.name).encode(), force=context.args.force)
        save(str(table), comma_separated(seen_rows.CALLS, rows), force=context.args.force)
        written += [str(text), str(table)]
        context.talk.say(f"{text}, {table}: {len(rows)} calls")
    return written


def _ground(context: Context) -> tuple[Ground, Config]:
    from freehold.app.cli.contracts_watch import keyless
    from freehold.exits.seen import Ground

    config = keyless(context)
    return Ground(config.register, config.organisation), config


async def _person(context: Context, store: Store) -> Person:
    from freehold.exits.seen import find

    args = context.args
    return await find(store, member=args.person or args.member, keys=args.key, users=args.user)


async def _vault(config: Config, store: Store) -> Vault | None:
    """Return the vault where anything is in it; else its key need not be there either."""
    if not await store.fetch("SELECT 1 FROM vault LIMIT 1"):
        return None
    from freehold.app.guarding import vault

    return vault(config, store)


def _between(context: Context) -> dict[str, int]:
    from freehold.exits.seen import LONGEST

    until = context.args.until
    return {"since": context.args.since, "until": LONGEST if until is None else until}


def _bar(context: Context) -> Callable[[int, int], None]:
    return context.talk.progress("looking", unit="entries")


def _run(context: Context, work: Callable[[Store], Awaitable[T]]) -> T:
    from freehold.app.cli.stored import run

    found = run(context.kept, work)
    context.talk.end()
    return found


def _form(context: Context) -> str:
    """Return the format: as asked, as --json says, or as the file's name ends."""
    args = context.args
    suffix = Path(args.output).suffix[1:] if args.output else ""
    form = args.format or ("json" if context.talk.json and not args.output else suffix or args.formats[0])
    if form not in args.formats or (args.output and form == "table"):
        names = ", ".join(name for name in args.formats if name != "table")
        raise UsageError(f"{args.output}: its name does not say the format", hint=f"add --format, one of {names}")
    return str(form)


def _told(context: Context, found: Any, plain: Any, form: str, shown: Callable[[Any], list[Any]]) -> int:
    """Print or write a report in a format."""
    import msgspec

    from freehold.exits.seen_rows import rows
    from freehold.exits.sheets import comma_separated

    if form == "json":
        return _saved(context, msgspec.json.format(msgspec.json.encode(plain), indent=2), form)
    if form == "csv":
        return _saved(context, comma_separated(*rows(found)), form)
    for part in shown(plain):
        if isinstance(part, str):
            context.talk.text(part)
        else:
            context.talk.rows(*part)
    return 0


def _saved(context: Context, data: bytes, form: str) -> int:
    from freehold.app.cli.saving import save

    target = context.args.output
    if target is None:
        context.talk.text(data.decode().rstrip("\r\n"))
        return 0
    save(target, data, force=context.args.force)
    if target != "-":
        context.talk.result({"file": target, "format": form}, f"{target}: {len(data)} bytes")
    return 0


def _plain(value: Any) -> dict[str, Any]:
    import msgspec

    found: dict[str, Any] = msgspec.to_builtins(value)
    return found
