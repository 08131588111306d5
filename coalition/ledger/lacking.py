"""Tells who lacks points how many more it has: of funders that fail, or for other partners."""

from collections import defaultdict
from uuid import UUID

from coalition.kernel.database import Connection
from coalition.ledger import elsewhere, lots
from coalition.ledger.batch import Batch
from coalition.ledger.drafts import Adjust, Convert, Hold, Redeem
from coalition.ledger.elsewhere import At
from coalition.ledger.funds import others_of
from coalition.ledger.refusals import NotEnoughPoints, bound_elsewhere

_SPENDING = Adjust | Convert | Hold | Redeem


async def tell_suspended(connection: Connection, batch: Batch) -> None:
    """Add to refusals for lack of points how many of the holder's own are suspended."""
    today, suspended = batch.journal.today, batch.journal.suspended
    if not suspended:
        return
    lacking: dict[int, dict[int, UUID]] = defaultdict(dict)
    for i, outcome in enumerate(batch.outcomes):
        draft, holder = batch.drafts[i], batch.holders.get(i)
        if (
            isinstance(outcome, NotEnoughPoints)
            and isinstance(draft, _SPENDING)
            and holder is not None
        ):
            lacking[draft.currency_no][i] = holder
    for currency_no, holders in lacking.items():
        wanted = set(holders.values())
        whole = await lots.balances(connection, wanted, currency_no, today)
        spendable = await lots.balances(connection, wanted, currency_no, today, suspended)
        for i, holder in holders.items():
            points = whole.get(holder, 0) - spendable.get(holder, 0)
            refusal = batch.outcomes[i]
            if points and isinstance(refusal, NotEnoughPoints):
                batch.outcomes[i] = NotEnoughPoints(
                    f"{refusal.detail}; {points} more are suspended, since who pays for them is in "
                    "default",
                    **refusal.facts,
                    suspended=points,
                )


async def tell_bound(connection: Connection, batch: Batch) -> None:
    """Add to refusals of spending how many of the holder's own points are bound elsewhere.

    Where others pay too, their funds have told it.
    """
    if not batch.journal.classes.are_bound:
        return
    lacking: dict[int, dict[int, At]] = defaultdict(dict)
    for i, outcome in enumerate(batch.outcomes):
        draft = batch.drafts[i]
        if (
            isinstance(outcome, NotEnoughPoints)
            and isinstance(draft, Redeem | Hold)
            and others_of(draft) is None
        ):
            lacking[draft.currency_no][i] = (batch.holders[i], draft.till.partner_no)
    for currency_no, asked in lacking.items():
        found = await elsewhere.read(
            connection,
            asked.values(),
            currency_no=currency_no,
            today=batch.journal.today,
            suspended=batch.journal.suspended,
        )
        for i, one in asked.items():
            refusal = batch.outcomes[i]
            if found.get(one) and isinstance(refusal, NotEnoughPoints):
                batch.outcomes[i] = bound_elsewhere(refusal, found[one])
