"""Tells who lacks points how many more it has that cannot be spent while their funder fails."""

from collections import defaultdict
from uuid import UUID

from coalition.kernel.database import Connection
from coalition.ledger import lots
from coalition.ledger.batch import Batch
from coalition.ledger.drafts import Adjust, Convert, Hold, Redeem
from coalition.ledger.refusals import NotEnoughPoints

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
