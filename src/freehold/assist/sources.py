"""What stands behind every question of a conversation: instructions, memories, files, and the models that are allowed.
Knows which parts of the library say so; refuses to know how it is put to a model."""

from __future__ import annotations

from typing import Any

import msgspec

from freehold.access import Member
from freehold.assist import assistants, memories, projects
from freehold.assist.shapes import Conversation
from freehold.store import Store


class Background(msgspec.Struct, frozen=True):
    """`instructions` from the most general on, `memories` as approved by the member, `files` by their ids; `models`
    are all that may answer, none: no matter which."""

    instructions: tuple[str, ...] = ()
    memories: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    models: tuple[str, ...] = ()


async def helper(store: Store, who: Member, id: str) -> assistants.Assistant:
    """Return the assistant, which is the member's own or shared. Raises NotFound."""
    return await assistants.find_assistant(store, who, id)


async def background(store: Store, who: Member, conversation: Conversation | None) -> Background:
    """Return what goes with every question: of a temporary chat (None) nothing does. Raises NotFound."""
    if conversation is None:
        return Background()
    chosen: Any = None
    if conversation.assistant is not None:
        chosen = await helper(store, who, conversation.assistant)
    instructions = [chosen.instructions] if chosen is not None and chosen.instructions.strip() else []
    files = [file.id for file in chosen.files] if chosen is not None else []
    if conversation.project is not None:
        instructions += await projects.instructions(store, who.id, conversation.project)
        files += await projects.files_of(store, who.id, conversation.project)
    return Background(
        tuple(instructions),
        tuple(await memories.approved(store, who.id)),
        tuple(dict.fromkeys(files)),
        tuple(chosen.models) if chosen is not None else (),
    )
