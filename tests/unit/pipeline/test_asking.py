"""What guards and probes ask a deployment for: under the same terms as any call, and on record where they forbid it."""

from __future__ import annotations

import json

import msgspec
import pytest
from tests.unit.pipeline.test_attempt import NAME, House
from tests.unit.pipeline.test_guarded import Guard, house

from freehold.access import Key
from freehold.contracts.binding import Bonds
from freehold.core.errors import Blocked, FreeholdError, TermsForbid
from freehold.wire.dialects import openai


async def ask(made: House) -> bytes:
    body = {"model": NAME, "messages": [{"role": "user", "content": "is it?"}]}
    call = openai.parse("chat", json.dumps(body).encode())
    call.purpose = "probe"
    return await made.pipeline.ask(call, Key(id="k", name="k", prefix=""))


@pytest.mark.parametrize(("blocks", "error"), [(False, TermsForbid), (True, Blocked)])
async def test_what_is_forbidden_is_on_record_and_has_not_left(blocks: bool, error: type[FreeholdError]) -> None:
    made = house(Guard(blocks=blocks))
    ended = msgspec.structs.replace(made.pipeline.snapshot, bonds=Bonds({NAME: ()}))
    made.pipeline.snapshot = ended
    with pytest.raises(error):
        await ask(made)
    (entry,) = made.book.entries
    assert (entry.kind, entry.purpose, entry.error, entry.deployment) == ("outcome", "probe", error.code, "")
    assert [v.by for v in entry.verdicts] == ["rules" if blocks else "contract"]
    assert made.sent == []  # type: ignore[attr-defined]
