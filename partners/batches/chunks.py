"""Posts the lines of one chunk in the caller's transaction, each line answered in its place."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from coalition.kernel.database import Connection
from coalition.kernel.database.later import Later
from coalition.kernel.errors import Forbidden, Refused
from coalition.points.commands import Asked, HoldAnswer, PostingAnswer
from coalition.points.service import LineAnswer
from coalition.points.till import Tills
from partners.batches import results
from partners.batches.lines import Decoded, IssueLine, Line, RedeemLine, ReverseLine
from partners.batches.queries import Sender
from partners.batches.results import Written

_SCOPES: dict[type[Line], tuple[str, ...]] = {
    IssueLine: ("points:issue",),
    RedeemLine: ("points:redeem",),
    ReverseLine: ("points:issue", "points:redeem"),
}
"""The scopes that a line of each kind needs. What a reversal reverses is not known beforehand, so
it needs both."""


class Answered(NamedTuple):
    """The answers of a chunk: how many lines were refused, and all answers, also as kept."""

    refused: int
    ndjson: bytes
    packed: bytes


async def post_chunk(
    connection: Connection,
    tills: Tills,
    decoded: Decoded,
    *,
    sender: Sender,
    first_line: int,
    at: datetime,
    last: Later,
) -> Answered:
    """Post `decoded` and return the answers; the event loop is let go between the steps.

    The caller tells `last` of the commit.
    """
    missing = {
        kind: [scope for scope in scopes if scope not in sender.scopes]
        for kind, scopes in _SCOPES.items()
    }
    answering = _Answering(first_line, len(decoded))
    answers, positions = answering.answers, answering.positions
    asked: list[Asked] = []
    for position, line in enumerate(decoded):
        if isinstance(line, Refused):
            answers[position] = line
        elif missing[type(line)]:
            answers[position] = _lacking(missing[type(line)])
        else:
            target = line.posting_id if isinstance(line, ReverseLine) else None
            asked.append(Asked(sender.partner_no, sender.client_no, sender.store_no, line, target))
            positions.append(position)
    await asyncio.sleep(0)
    posted = await tills.post_lines(connection, asked, at, told=answering.tell, last=last)
    return await answering.finish(posted)


async def refuse_chunk(refusal: Refused, *, first_line: int, lines: int) -> Answered:
    """Return the answers of a chunk of which no line is posted."""
    answering = _Answering(first_line, lines)
    answering.answers[:] = [refusal] * lines
    return await answering.finish([])


class _Answering:
    """Writes the answers to the lines of a chunk while the server still writes what was posted."""

    def __init__(self, first_line: int, lines: int) -> None:
        self.answers: list[PostingAnswer | Refused | None] = [None] * lines
        """Those of lines that are not posted are put in by the caller."""
        self.positions: list[int] = []
        """Where the lines are that are posted."""
        self._first_line = first_line
        self._told: Sequence[LineAnswer] | None = None
        self._written = Written(0, b"")
        self._packing: asyncio.Task[bytes] | None = None

    def tell(self, posted: Sequence[LineAnswer]) -> None:
        """Write the answers, and begin to pack them beside the event loop."""
        self._told = posted
        for position, answer in zip(self.positions, posted, strict=True):
            assert not isinstance(answer, HoldAnswer), "no line of a batch makes a hold"
            self.answers[position] = answer
        given = [answer for answer in self.answers if answer is not None]
        assert len(given) == len(self.answers), "every line has its answer"
        self._written = results.write(self._first_line, given)
        packing = asyncio.to_thread(results.pack, self._written.ndjson)
        self._packing = asyncio.create_task(packing)

    async def finish(self, posted: Sequence[LineAnswer]) -> Answered:
        """Return what is written, which is made anew if others than told were `posted`."""
        if self._told is not posted:
            self.tell(posted)
        assert self._packing is not None, "told answers are being packed"
        return Answered(self._written.refused, self._written.ndjson, await self._packing)


def _lacking(scopes: list[str]) -> Forbidden:
    return Forbidden(f"The token lacks the scope {' and '.join(scopes)}", scope=" ".join(scopes))
