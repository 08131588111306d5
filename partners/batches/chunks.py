"""Posts the lines of one chunk in the caller's transaction, each line answered in its place."""

import asyncio
from datetime import datetime

from coalition.kernel.database import Connection
from coalition.kernel.errors import Forbidden, Refused
from coalition.points.commands import Asked, HoldAnswer, PostingAnswer
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


async def post_chunk(
    connection: Connection,
    tills: Tills,
    decoded: Decoded,
    *,
    sender: Sender,
    first_line: int,
    at: datetime,
) -> Written:
    """Post `decoded` and return the answers; the event loop is let go between the steps."""
    missing = {
        kind: [scope for scope in scopes if scope not in sender.scopes]
        for kind, scopes in _SCOPES.items()
    }
    answers: list[PostingAnswer | Refused | None] = [None] * len(decoded)
    asked: list[Asked] = []
    positions: list[int] = []
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
    posted = await tills.post_lines(connection, asked, at)
    await asyncio.sleep(0)
    for position, answer in zip(positions, posted, strict=True):
        assert not isinstance(answer, HoldAnswer), "no line of a batch makes a hold"
        answers[position] = answer
    given = [answer for answer in answers if answer is not None]
    assert len(given) == len(answers), "every line has its answer"
    return results.write(first_line, given)


def _lacking(scopes: list[str]) -> Forbidden:
    return Forbidden(f"The token lacks the scope {' and '.join(scopes)}", scope=" ".join(scopes))
