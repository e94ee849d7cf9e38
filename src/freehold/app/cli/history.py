"""`export`: a member's conversations, files and all around them, taken out whole. `import`: brought in, from us or from
another assistant's export."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freehold.app.cli.output import UsageError

if TYPE_CHECKING:
    from freehold.app.cli.parser import Commands, Context
    from freehold.assist.imports.report import Item
    from freehold.assist.imports.run import Imported
    from freehold.store import Store


def register(commands: Commands) -> None:
    export_ = commands.add(
        "export",
        export,
        "write all of a member's conversations and files to one file",
        "A ZIP holds everything, files and branches too; JSON everything but the bytes of files.",
    )
    export_.add_argument("target", metavar="FILE", help="where to; its name ends in .zip or .json")
    export_.add_argument("--member", required=True, metavar="NAME", help="whose: the name to sign in with, or the id")
    export_.add_argument("--force", action="store_true", help="replace an existing file")
    import_ = commands.add(
        "import",
        bring,
        "bring conversations in from another assistant's export",
        "Takes the export of ChatGPT (the ZIP as it came), Claude, Open WebUI, LibreChat and Freehold. Twice makes no "
        "doubles; a newer export adds what is new.",
    )
    import_.add_argument("source", metavar="FILE", help="the export: a ZIP or JSON file")
    import_.add_argument("--member", required=True, metavar="NAME", help="whose: the name to sign in with, or the id")


def export(context: Context) -> int:
    """The act goes on record before anything is read: whoever has the store could read it all, and says so here."""
    from pathlib import Path

    from freehold.access import members
    from freehold.app.cli.output import size
    from freehold.app.cli.stored import record, run
    from freehold.assist.export import save

    args = context.args
    target = Path(args.target)
    if target.suffix not in (".zip", ".json"):
        raise UsageError(f"{args.target}: its name does not say the format", hint="end it in .zip or .json")
    if target.exists() and not args.force:
        raise UsageError(f"{args.target} exists", hint="choose another name, or add --force")

    async def work(store: Store) -> int:
        who = await members.find(store, args.member)
        await record(store, "member.export", member=who.id, name=who.name, form=target.suffix[1:])
        return await save(store, who, target)

    count = run(context.kept, work)
    bytes_ = target.stat().st_size
    facts = {"file": args.target, "conversations": count, "bytes": bytes_}
    context.talk.result(facts, f"{args.target}: {count} conversations, {size(bytes_)}")
    return 0


_SHOWN = 40
"""So many conversations are told one by one to people; --json tells more."""


def bring(context: Context) -> int:
    """Import a file. What was not kept is said, conversation by conversation."""
    from pathlib import Path

    import msgspec

    from freehold.access import members
    from freehold.app.cli.stored import record, run
    from freehold.app.place import library
    from freehold.app.shelving import settings
    from freehold.assist.imports.run import run as import_file

    args, talk = context.args, context.talk
    source = Path(args.source)
    if not source.is_file():
        raise UsageError(f"{args.source}: no such file", hint="name the export as it was downloaded")
    place = context.place
    bounds = settings(library(place, context.environment), place.data)
    show = talk.progress(source.name, "conversations")

    async def progress(_: str, done: int, total: int) -> None:
        show(done, total)

    async def work(store: Store) -> Imported:
        who = await members.find(store, args.member)
        await record(store, "member.import", member=who.id, name=who.name, file=source.name)
        return await import_file(store, who.id, source, bounds, progress)

    found = run(context.kept, work)
    talk.end()
    counts = {name: count for name, count in found.report.conversations.items() if count}
    for item in [each for each in found.report.items if each.lost][:_SHOWN]:
        talk.say(_line(item))
    facts = {"file": args.source, "sources": found.sources, **msgspec.to_builtins(found.report)}
    words = ", ".join(f"{count} {name}" for name, count in counts.items()) or "nothing new"
    talk.result(facts, f"{args.source}: {words}" + (f" (from {', '.join(found.sources)})" if found.sources else ""))
    return 0


def _line(item: Item) -> str:
    title = " ".join("".join(sign if sign.isprintable() else " " for sign in item.title).split())[:60]
    return f"{title}: {item.outcome}; not kept: {', '.join(item.lost)}"
