"""Points divided in proportion: the largest remainder, and the order of members where they tie."""

from collections.abc import Sequence
from uuid import UUID


def proportional(amount: int, balances: Sequence[tuple[UUID, int]]) -> dict[UUID, int]:
    """Return how much of `amount` falls on each balance; the shares add up to it exactly.

    Each gets the whole part of its share; what is left goes by one point to the largest remainders,
    of equal ones to the smaller id. Nobody gets more than it has, as long as `amount` is no more
    than all have together; there must be something in proportion to which to divide.
    """
    total = sum(balance for _, balance in balances)
    assert amount == 0 or total > 0, "nothing can be divided in proportion to nothing"
    shares: dict[UUID, int] = {}
    remainders: list[tuple[int, UUID]] = []
    for member, balance in balances:
        share, remainder = divmod(amount * balance, total) if total else (0, 0)
        shares[member] = share
        remainders.append((-remainder, member))
    for _, member in sorted(remainders)[: amount - sum(shares.values())]:
        shares[member] += 1
    return shares
