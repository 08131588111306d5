"""Points that go over from one holder to another: two postings, each whole in one bucket.

What leaves the one and what reaches the other name each other, since the two may lie on two
servers; both are made in one transaction.
"""

from collections.abc import Iterable
from uuid import UUID

from coalition.kernel.ids import bucket_of, uuid7
from coalition.ledger.accounts import INTO_LOT, OUT_OF_LOT, Account, Kind
from coalition.ledger.drafts import Till
from coalition.ledger.journal import Journal, Leg

OPERATOR = 0
"""The partner number of what no partner does."""


def add_pair(
    journal: Journal,
    kind: Kind,
    holders: tuple[UUID, UUID],
    currency_no: int,
    legs: list[tuple[Leg, Leg]],
    *,
    till: Till | None = None,
    reason: str | None = None,
) -> tuple[UUID, UUID]:
    """Add both halves of what goes over from the first holder to the second.

    `legs` are those that leave, each beside the one that arrives; those that arrive in one lot
    become one leg. Return the half that left and the one that arrived.
    """
    from_holder, into_holder = holders
    left = uuid7(journal.at, bucket_of(from_holder))
    arrived = uuid7(journal.at, bucket_of(into_holder))
    till = till or Till(OPERATOR, None, None, None, journal.today, journal.at)
    for posting, linked, holder, direction, half in (
        (left, arrived, from_holder, OUT_OF_LOT, [leg for leg, _ in legs]),
        (arrived, left, into_holder, INTO_LOT, _by_lot(leg for _, leg in legs)),
    ):
        journal.add(
            kind=kind,
            holder=holder,
            till=till,
            currency_no=currency_no,
            direction=direction,
            legs=half,
            account=Account.TRANSIT,
            linked=linked,
            posting=posting,
            reason=reason,
        )
    return left, arrived


def _by_lot(legs: Iterable[Leg]) -> list[Leg]:
    points: dict[UUID, int] = {}
    for lot, part, _ in legs:
        points[lot] = points.get(lot, 0) + part
    return [(lot, part, None) for lot, part in points.items()]
