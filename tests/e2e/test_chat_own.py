"""Conversations with a real small model of one's own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.conftest import Starter
from tests.e2e.page import Page, text
from tests.models import chat_model
from tests.system import System, config

__all__ = ["chat_model"]


@pytest.fixture
def house(system: Starter, chat_model: Path) -> System:
    own = f'[deployments."own"]\nkind = "llamacpp"\nmodel = "{chat_model}"\ncontext = 1024\n'
    return system(config(own), key=None)


@pytest.fixture
async def olga(house: System) -> AsyncIterator[Page]:
    page = await Page(house).enter()
    yield page
    await page.close()


async def test_a_conversation_with_a_model_of_ones_own(house: System, olga: Page) -> None:
    talk = await olga.begin()
    async with olga.follow(talk) as screen:
        posted = await olga.turn(talk, "Write a long story about a lighthouse, in many chapters.", "own")
        id = posted["answers"][0]["id"]
        await screen.until(lambda s: id in s.messages and len(text(s.messages[id])) > 60, 120)
        stopped = await olga.ask("POST", f"/messages/{id}/stop")
        assert stopped["state"] == "stopped"
        kept = text(stopped)
        assert len(kept) > 60 and stopped["facts"]["host"] == "own" and stopped["facts"]["cost"] == "0.00"
        await olga.ask("POST", f"/messages/{id}/continue")
        await screen.until(lambda s: len(text(s.messages[id])) > len(kept) + 40, 120)
        await olga.ask("POST", f"/messages/{id}/stop")
        ended = await olga.ended(talk, id)
        assert text(ended).startswith(kept) and ended["facts"]["calls"] == 2 and screen.gaps == 0
    again = (await olga.ask("POST", f"/messages/{posted['message']['id']}/answers", {"models": ["own"]}))["answers"][0]
    await olga.ask("POST", f"/messages/{again['id']}/stop")
    too_long = await olga.turn(talk, "word " * 9000, "own", parent=again["id"])
    refused = await olga.ended(talk, too_long["answers"][0]["id"])
    assert refused["state"] == "failed" and refused["error"]["code"] == "context_length_exceeded"
    assert text(refused) == "" and "1,0" not in refused["error"]["message"]
    (model,) = await olga.ask("GET", "/models")
    assert model["id"] == "own" and model["own"] and model["context"]


async def test_a_temporary_chat_with_a_model_of_ones_own(house: System, olga: Page) -> None:
    body = {"messages": [{"role": "user", "text": "Say hello to the sesquipedalian."}], "models": ["own"]}
    async with olga.client.stream("POST", "/api/temporary", json=body) as reply:
        lines = [line async for line in reply.aiter_lines()]
    assert "event: delta" in lines and '"state":"done"' in [line for line in lines if line][-1]
    assert house.sql("SELECT COUNT(*) AS n FROM message")[0]["n"] == 0
