"""An answer on its way back, looked at before it is let through, with a bounded delay. Knows how much is held and for
how long; refuses to know what is wrong with words.

Events are held whole. At most `delay` characters wait at a time: the lists look at what has come each time that half of
it has, and then the older half goes. A moderator is asked about every `window` characters, beside the stream; what has
not gone yet when the answer comes waits for it, as far as the delay allows. So `delay` >= `window` lets nothing go that
the moderator has not seen, and a smaller one lets a little of it go, quicker. Policies that only look on hold nothing.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple

import msgspec
from msgspec import Raw

from freehold.core.call import Call
from freehold.core.errors import Blocked, FreeholdError
from freehold.guards import rules
from freehold.guards.judging import RULES, blocked, moderated, stopping
from freehold.guards.policy import Policy
from freehold.guards.semantic import Ask, newest
from freehold.guards.shield import Look, Send
from freehold.guards.taxonomy import Side
from freehold.ledger import Verdict
from freehold.wire import sse
from freehold.wire.dialects.openai_pieces import Place, further, pieces
from freehold.wire.dialects.openai_texts import texts

Asking = Callable[[Sequence[Policy], str, Side, str, Call, Ask], Awaitable[list[Verdict]]]
FILTERED = "content_filter"
OVERLAP = 200
"""Characters of what was asked about before that a question repeats: what is wrong may stand across the border."""


class _Held(NamedTuple):
    """One event that waits; `number` counts events with words, from 1."""

    block: bytes
    chars: int
    number: int
    ends: bool


class Outflow:
    """Implements shield.Flow for the policies that look at answers. `asking` asks their moderators."""

    def __init__(self, look: Look, policies: Sequence[Policy], send: Send, asking: Asking) -> None:
        self._look = look
        self._send = send
        self._ruled = [policy for policy in policies if policy.moderation is not None and policy.moderation.rules]
        self._asked = [policy for policy in policies if policy.moderation is not None and policy.moderation.deployment]
        self._asking = asking
        said = [policy.moderation for policy in policies if policy.moderation is not None]
        acting = [each.moderation for each in policies if each.moderation is not None and not each.dry_run]
        self._window = min(each.window for each in said)
        self._delay = min((each.delay for each in acting), default=0)
        self._holds = bool(acting)
        self._waits = any(not policy.dry_run for policy in self._asked)
        self._step = max(self._delay // 2, 1) if self._holds else self._window // 2
        self._queue: deque[_Held] = deque()
        self._chars = 0  # that wait
        self._fresh = 0  # that the lists have not looked at
        self._unasked = 0  # that no moderator was asked about
        self._number = self._approved = 0
        self._tails: dict[Place, str] = {}  # of each channel, what the lists look at
        self._new: set[Place] = set()  # channels that have gone on since
        self._texts: dict[int, list[str]] = {}  # of each choice, what no moderator was asked about
        self._ends: dict[int, str] = {}  # of each choice, the end of what one was
        self._like = b""
        self._task: asyncio.Task[None] | None = None

    def feed(self, events: bytes) -> None:
        self._check_stopped()
        for block, event in sse.blocks(events):
            said = pieces(event.data) if event is not None else None
            chars, ends = 0, False
            for choice, channel, text, finish in said or ():
                ends = ends or finish is not None
                if text:
                    chars += len(text)
                    place = (choice, channel)
                    self._tails[place] = self._tails.get(place, "") + text
                    self._new.add(place)
                    self._texts.setdefault(choice, []).append(text)
            if said and event is not None:
                self._like = event.data
            self._add(block, chars, ends)
        if self._fresh and (self._fresh >= self._step or self._chars > self._delay):
            self._look_at()
        self._ask_on()
        self._let_go()

    async def finish(self) -> None:
        self._check_stopped()
        if self._fresh:
            self._look_at()
        while (task := self._task) is not None:
            await asyncio.wait([task])
            task.result()
            self._check_stopped()
        if self._asked and self._unasked:
            await self._ask()
            self._check_stopped()
        self._send_all(len(self._queue))

    def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
        self._queue.clear()

    def _add(self, block: bytes, chars: int, ends: bool) -> None:
        self._number += chars > 0
        self._queue.append(_Held(block, chars, self._number, ends))
        self._chars += chars
        self._fresh += chars
        self._unasked += chars

    def _look_at(self) -> None:
        """Have the lists look at the end of every channel that has gone on. Raises Blocked."""
        self._fresh = 0
        for place in self._new if self._ruled else ():
            text = self._tails[place]
            concerns = rules.find(text)
            self._rule([v for policy in self._ruled for v in moderated(policy, concerns, RULES, "output")])
            self._tails[place] = text[-self._window :]
        self._new.clear()
        self._check_stopped()

    def _let_go(self) -> None:
        """Send what may go: what was looked at, but for the last of it, in which something may have begun; of what no
        moderator has approved only what cannot be held any longer."""
        if not self._holds:
            self._send_all(len(self._queue))
            return
        looked_at = self._fresh + self._delay - self._step
        chars, count = self._chars, 0
        for held in self._queue:
            waits = self._waits and held.number > self._approved
            if held.chars and chars <= (self._delay if waits else max(looked_at, 0)):
                break
            if held.ends and self._waits and self._look.call.choices == 1:
                break  # why it ends is said once: when the moderator has seen all
            chars -= held.chars
            count += 1
        self._send_all(count)

    def _send_all(self, count: int) -> None:
        """Send the oldest `count` events."""
        if not count:
            return
        out = [self._queue.popleft() for _ in range(count)]
        self._chars -= sum(held.chars for held in out)
        self._send(out[0].block if count == 1 else b"".join(held.block for held in out))

    async def _ask(self) -> None:
        """Ask the moderators about what has come since they were asked last."""
        upto, self._unasked = self._number, 0
        new = {choice: self._ends.get(choice, "") + "".join(parts) for choice, parts in self._texts.items()}
        self._texts.clear()
        look = self._look
        before = newest(texts(look.call))
        try:
            told = await asyncio.gather(
                *(self._asking(self._asked, text, "output", before, look.call, look.ask) for text in new.values())
            )
        except FreeholdError as e:  # the ledger takes no more: nothing may go on
            self._stop(e)
            return
        finally:
            self._task = None
        self._ends |= {choice: text[-OVERLAP:] for choice, text in new.items()}
        self._approved = max(self._approved, upto)
        self._rule([verdict for verdicts in told for verdict in verdicts])
        if look.stopped is None:
            self._ask_on()
            self._let_go()

    def _ask_on(self) -> None:
        """Ask the moderators when there is enough to ask about, one question after the other."""
        if self._asked and self._unasked >= self._window and self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._ask())

    def _rule(self, verdicts: Sequence[Verdict]) -> None:
        for verdict in verdicts:
            self._look.note(verdict)
        stops = stopping(verdicts)
        if stops:
            self._stop(blocked(stops, "output"))

    def _stop(self, e: FreeholdError) -> None:
        """End the stream as vendors' filters do, drop what waits, and have the vendor cut off."""
        look = self._look
        if look.stopped is not None:
            return
        look.stopped = e
        self._queue.clear()
        self._chars = 0
        if isinstance(e, Blocked) and self._like:
            ends = dict.fromkeys({choice: (choice, channel) for choice, channel in self._tails}.values(), "")
            self._send(sse.encode(further(self._like, ends, FILTERED)))
        if look.enough is not None:
            look.enough()

    def _check_stopped(self) -> None:
        if self._look.stopped is not None:
            raise self._look.stopped


_members = msgspec.json.Decoder(dict[str, Raw])
_choices = msgspec.json.Decoder(list[dict[str, Any]])
_encode = msgspec.json.Encoder().encode


def stopped(body: bytes, choices: set[int]) -> bytes:
    """Return a whole answer without the words of these choices, which end as a vendor's filter ends them."""
    fields = _members.decode(body)
    kept = []
    for place, choice in enumerate(_choices.decode(fields["choices"])):
        if choice.get("index", place) in choices:
            choice = {"index": choice.get("index", place), "finish_reason": FILTERED, "logprobs": None} | (
                {"text": ""} if "text" in choice else {"message": {"role": "assistant", "content": "", "refusal": None}}
            )
        kept.append(choice)
    fields["choices"] = Raw(_encode(kept))
    return _encode(fields)
