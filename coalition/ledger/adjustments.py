"""Adjustments: staff give points or take them, against the account `adjusted`."""

from collections.abc import Sequence

from coalition.kernel.database import Connection
from coalition.ledger.accounts import INTO_LOT, OUT_OF_LOT, Account, Kind
from coalition.ledger.drafts import Adjust, Outcome, Posted
from coalition.ledger.journal import Journal, Leg
from coalition.ledger.lots import LotChanges
from coalition.ledger.refusals import NotEnoughPoints
from coalition.ledger.rules import take_in_order
from coalition.ledger.spending import spendable


async def adjust(
    connection: Connection, journal: Journal, drafts: Sequence[Adjust]
) -> list[Outcome]:
    """Post `drafts`, whose holders are locked, one after the other: staff are in no hurry."""
    return [await _adjust(connection, journal, draft) for draft in drafts]


async def _adjust(connection: Connection, journal: Journal, draft: Adjust) -> Outcome:
    changes = LotChanges()
    if draft.given is not None:
        lot = changes.put_in(draft.holder, draft.given, draft.points)
        legs: list[Leg] = [(lot, draft.points, None)]
    else:
        wanted = {draft.holder: draft.points}
        found = await spendable(connection, journal, wanted, draft.currency_no)
        balance = sum(available.points for available in found[draft.holder])
        taken = take_in_order(draft.points, found[draft.holder])
        if taken is None:
            return NotEnoughPoints(
                f"{draft.points} points are to be taken and fewer can be spent; "
                "take at most the balance",
                points=draft.points,
                balance=balance,
            )
        for lot, part in taken:
            changes.take_out(lot, draft.holder, points=part)
        legs = [(lot, part, None) for lot, part in taken]
    posting = journal.add(
        kind=Kind.ADJUSTMENT,
        holder=draft.holder,
        till=draft.till,
        currency_no=draft.currency_no,
        direction=OUT_OF_LOT if draft.given is None else INTO_LOT,
        legs=legs,
        account=Account.ADJUSTED,
        reason=draft.reason,
    )
    await changes.write(connection)
    return Posted(posting, draft.holder, draft.points)
