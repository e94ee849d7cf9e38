"""`vault show|reveal|erase|reset`: the pseudonyms that recipients got to see instead of the words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freehold.app.cli.output import UsageError

if TYPE_CHECKING:
    import argparse

    from freehold.app.cli.parser import Commands, Context
    from freehold.store import Store


def register(commands: Commands) -> None:
    group = commands.group("vault", "pseudonyms and what they stand for")
    group.add("show", show, "how much the vault holds, and whether its key opens it")
    reveal_ = group.add(
        "reveal",
        reveal,
        "say what a pseudonym stands for",
        "A pseudonym means something in its conversation alone. That it was asked for goes on record.",
    )
    reveal_.add_argument("token", help="as it stands in what was sent, e.g. EMAIL_7f3a12")
    _conversation(reveal_)
    erase_ = group.add("erase", erase, "make the pseudonyms of a conversation unreadable for good")
    _conversation(erase_)
    reset_ = group.add("reset", reset, "forget all pseudonyms, whatever key they were written with")
    reset_.add_argument("--yes", action="store_true", help="do it: nobody can ever say again what they stood for")


def _conversation(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--key", required=True, help="key that the conversation was held with, by name or id")
    parser.add_argument("--session", required=True, help="what the client called it, as the ledger's entries have it")


async def _names(store: Store, key: str, session: str) -> list[str]:
    """Return what the vault may know the conversation by: a name may have been another key's before."""
    from freehold import access
    from freehold.core.errors import NotFound

    ids = [each.id for each in await access.list_keys(store) if key in (each.id, each.name)]
    if not ids:
        raise NotFound(f"No key is called {key!r}.", hint="`freehold keys list --all` shows them")
    return [f"{each}/{session}" for each in ids]


def show(context: Context) -> int:
    from freehold.app.cli.stored import run
    from freehold.app.guarding import vault

    async def work(store: Store) -> tuple[int, int]:
        found = vault(context.config, store)
        await found.holds("")  # says whether the key is the one
        return await found.size()

    conversations, pseudonyms = run(context.config, work)
    days = context.config.vault.days
    context.talk.result(
        {"conversations": conversations, "pseudonyms": pseudonyms, "days": days},
        f"{pseudonyms} pseudonyms of {conversations} conversations; forgotten after {days} days without use",
    )
    return 0


def reveal(context: Context) -> int:
    from freehold.app.cli.stored import record, run
    from freehold.app.guarding import vault
    from freehold.core.errors import NotFound

    args = context.args

    async def work(store: Store) -> str | None:
        found = vault(context.config, store)
        for name in await _names(store, args.key, args.session):
            words = await found.reveal(name, args.token)
            if words is not None:
                await record(store, "vault.reveal", conversation=name, token=args.token)
                return words
        return None

    words = run(context.config, work)
    if words is None:
        raise NotFound(
            f"This conversation has no pseudonym {args.token!r}, or no longer.",
            hint="its key and session stand in the entry: `freehold ledger show CALL`",
        )
    context.talk.result({"token": args.token, "words": words}, words)
    return 0


def erase(context: Context) -> int:
    from freehold.app.cli.stored import record, run
    from freehold.app.guarding import vault

    args = context.args

    async def work(store: Store) -> int:
        found = vault(context.config, store)
        names = await _names(store, args.key, args.session)
        held = await found.holds(*names)
        if await found.erase(*names):
            await record(store, "vault.erase", conversations=names, pseudonyms=held)
        return held

    held = run(context.config, work)
    context.talk.result({"erased": held}, f"{held} pseudonyms erased; workers know within two seconds")
    return 0


def reset(context: Context) -> int:
    from freehold.app.cli.stored import record, run
    from freehold.app.guarding import vault

    if not context.args.yes:
        raise UsageError("this forgets all pseudonyms for good", hint="say --yes if that is meant")

    async def work(store: Store) -> tuple[int, int]:
        found = vault(context.config, store)
        size = await found.size()
        await found.reset()
        await record(store, "vault.reset", conversations=size[0], pseudonyms=size[1])
        return size

    conversations, pseudonyms = run(context.config, work)
    context.talk.result(
        {"conversations": conversations, "pseudonyms": pseudonyms},
        f"{pseudonyms} pseudonyms of {conversations} conversations forgotten; restart the server",
    )
    return 0
