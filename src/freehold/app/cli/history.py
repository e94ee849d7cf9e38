"""`export`: a member's conversations, files and all around them, taken out whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freehold.app.cli.output import UsageError

if TYPE_CHECKING:
    from freehold.app.cli.parser import Commands, Context
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
