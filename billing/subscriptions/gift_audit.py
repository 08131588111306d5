"""Checks of gifts: each is booked, and gives its months, as its payment makes it; a walk of I9."""

from billing.subscriptions import entries, gift_money, gift_rows, grounds
from billing.subscriptions.gift_rows import Gift
from coalition.kernel.database import Connection
from coalition.ledger.audit import Walk

_PAGE = 500


async def _not_as_paid(connection: Connection) -> list[str]:
    """Return what of each gift is not as its payment, as it was fetched last, makes it."""
    broken: list[str] = []
    after: bytes | None = None
    while gifts := await gift_rows.paid_after(connection, after, _PAGE):
        for gift in gifts:
            broken += await _of_gift(connection, gift)
        after = gifts[-1].digest
    return broken


async def _of_gift(connection: Connection, gift: Gift) -> list[str]:
    if gift.picture is None:
        return []  # It was paid before payments of gifts were kept; reconciling fetches it.
    broken = []
    told = gift_money.bookings(gift.picture)
    for _, lacking in await entries.lacking(connection, gift.bought_by, told):
        broken.append(f"gift {gift.id}: {lacking.source} is not booked as it is paid")
    others = await entries.unlike(connection, gift.bought_by, told)
    broken += [f"gift {gift.id}: {one} is booked as something else" for one in others]
    wanted = gift_money.state(gift.picture, is_redeemed=gift.redeemed_by is not None)
    if gift.state is not wanted:
        broken.append(f"gift {gift.id} is {gift.state}, its payment says {wanted}")
    if gift.redeemed_by is not None:
        lost = gift_money.gone(gift.picture)
        rests = await grounds.unpaid_since(connection, gift.source, gift.redeemed_by)
        if rests != tuple(lost):
            broken.append(f"gift {gift.id}: its months hold otherwise than it is paid")
    return broken


WALK = Walk(
    "I9",
    "a gift is booked, and gives its months, as its payment makes it",
    _not_as_paid,
)
