"""Spending order: points that end first are spent first, by a date or by a clock.

Where there are no clocks, the ids of lots are in that order, and a walk reads no further than it
needs. A clock is set back by each activity, and no id can follow it: so where there are clocks all
that a holder can spend is read, and put in order as its clocks stand.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from uuid import UUID

from coalition.kernel.database import Connection
from coalition.ledger import lots
from coalition.ledger.accounts import Kind
from coalition.ledger.clocks import months_later
from coalition.ledger.journal import Journal
from coalition.ledger.provenance import NO_CLOCK
from coalition.ledger.rules import Available, after_activity, in_spending_order


async def spendable(
    connection: Connection,
    journal: Journal,
    wanted: dict[UUID, int],
    currency_no: int,
    partners: Mapping[UUID, int] | None = None,
) -> dict[UUID, list[Available]]:
    """Return, per holder, lots in spending order that cover the `wanted` points, or more.

    They are all its lots where even those do not; with `partners`, all that are open at its own.
    The holders are locked by the caller, so nobody else takes from these lots meanwhile.
    """
    today, suspended = journal.today, journal.suspended
    if not journal.clocks:
        return await lots.walk(connection, wanted, currency_no, today, suspended, partners=partners)
    found = await lots.live(connection, wanted, currency_no, today, suspended, partners=partners)
    return {holder: in_order(journal, kept) for holder, kept in found.items()}


def in_order(journal: Journal, live: Iterable[Available]) -> list[Available]:
    """Return lots that can be spent, each told with its end, in the order in which they are."""
    fresh = {clock.no: months_later(journal.today, clock.months) for clock in journal.clocks}
    return in_spending_order(_started(one, fresh) for one in live)


def after_redeeming(journal: Journal, available: Sequence[Available]) -> list[Available]:
    """Return what is left to a holder that has just redeemed, as its clocks stand then."""
    return after_activity(
        available,
        {
            clock.no: months_later(journal.today, clock.months)
            for clock in journal.clocks
            if clock.counts(Kind.REDEEM)
        },
    )


def after_spending_of_others(journal: Journal, available: Sequence[Available]) -> list[Available]:
    """Return what is left to a holder whose points somebody else has spent, as activity of it."""
    today = journal.today
    fresh = {clock.no: months_later(today, clock.months) for clock in journal.clocks}
    return after_activity(available, fresh)


def _started(one: Available, fresh: Mapping[int, date]) -> Available:
    """Let points that this stage has given count with the clock that it is about to start."""
    end = one.end
    if end is None or end.clock_no == NO_CLOCK or end.live_until is not None:
        return one
    return one._replace(end=end._replace(live_until=fresh.get(end.clock_no)))
