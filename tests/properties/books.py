"""The books of the product, asked for what the model is asked for, in the model's words."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from uuid import UUID

from coalition.kernel.database import Connection, transaction
from coalition.kernel.errors import Refused
from coalition.ledger import (
    clocks,
    debts,
    expiry,
    forfeits,
    holders,
    merging,
    posting,
    resolutions,
    upkeep,
)
from coalition.ledger.accounts import HolderState
from coalition.ledger.clocks import Clock
from coalition.ledger.drafts import Converted, Draft, Outcome, Owed, Paid, Posted
from coalition.ledger.forfeits import Remains
from coalition.ledger.partitions import ensure_partition
from coalition.ledger.provenance import Provenance
from tests.properties.model.things import Answer, Source
from tests.support.ledger import open_holder, provenance

_LOTS = """
SELECT every_lot.holder, every_lot.issuer_no, every_lot.earned_month, every_lot.expires_on,
       every_lot.currency_no, kept.clock_no, kept.issue_price,
       every_lot.points_in, every_lot.points_out, every_lot.held
FROM every_lot, LATERAL (
    SELECT clock_no, issue_price FROM lot
    WHERE lot.bucket = every_lot.bucket AND lot.id = every_lot.id
    UNION ALL
    SELECT clock_no, issue_price FROM lot_history AS swept
    WHERE swept.bucket = every_lot.bucket AND swept.id = every_lot.id
    LIMIT 1) AS kept
WHERE every_lot.holder = ANY ($1)
"""

_OWED = """
SELECT holder, posting, sum(booked - recovered - written_off - moved)::int AS points
FROM debt WHERE holder = ANY ($1) AND booked > recovered + written_off + moved
GROUP BY holder, posting
"""

_CLOCKS = """
SELECT holder, currency_no, clock_no, live_until FROM holder_clock WHERE holder = ANY ($1)
"""

Counters = tuple[int, int, int]


def provenance_of(source: Source) -> Provenance:
    """Return where points of a model's source come from."""
    price = Decimal(source.price.numerator) / source.price.denominator
    return provenance(source.issuer, expires_on=source.expires, earned_month=source.month)._replace(
        currency_no=source.currency, clock_no=source.clock, issue_price=price
    )


class Books:
    """A few holders of the ledger, numbered as in the model."""

    def __init__(self) -> None:
        """Start without holders."""
        self.members: list[UUID] = []
        self.clocks: tuple[Clock, ...] = ()

    async def open(
        self, at: datetime, number: int, wanted: Sequence[tuple[int, bool, bool]]
    ) -> None:
        """Open `number` holders, and register clocks: months, whether issue and redeem count."""
        self.members = [await open_holder(at) for _ in range(number)]
        async with transaction() as connection:
            for months, issue, redeem in wanted:
                await clocks.register(
                    connection, months=months, counts_issue=issue, counts_redeem=redeem
                )
            self.clocks = await clocks.registered(connection)

    async def post(self, drafts: Sequence[Draft], at: datetime) -> list[Outcome]:
        """Post `drafts` in one transaction."""
        await ensure_partition(at)
        async with transaction(posting.PINNED, role=posting.POSTER_ROLE) as connection:
            _, outcomes = await posting.post(
                connection, drafts, at=at, today=at.date(), clocks=self.clocks
            )
        return outcomes

    async def night(self, at: datetime) -> None:
        """Run expiry, sweep and roll-up."""
        await expiry.expire(at, at.date())
        await upkeep.sweep()
        await upkeep.roll_up_totals()

    async def expire_holds(self, at: datetime) -> None:
        """Release the holds whose time has run out."""
        async with transaction(posting.PINNED, role=posting.POSTER_ROLE) as connection:
            await resolutions.expire_holds(connection, at)

    async def set_state(self, holder: int, state: HolderState) -> None:
        """Freeze or reopen a holder."""
        async with transaction() as connection:
            await holders.set_state(connection, self.members[holder], state)

    async def suspend(self, holder: int, until: date) -> None:
        """Let nothing of a holder expire through a day."""
        async with transaction() as connection:
            await holders.suspend_expiry(connection, self.members[holder], until)

    async def merge(self, gone: int, kept: int, at: datetime) -> Answer:
        """Merge a holder into another."""

        async def work(connection: Connection) -> Answer:
            outcome = await merging.merge(
                connection,
                from_holder=self.members[gone],
                into_holder=self.members[kept],
                at=at,
                today=at.date(),
            )
            earlier = await connection.fetch(
                "SELECT id FROM holder WHERE merged_into = $1", self.members[gone]
            )
            await holders.forward(connection, [row[0] for row in earlier], self.members[kept])
            return Answer("done", outcome.points)

        return await _answered(work, at)

    async def erase(self, holder: int, at: datetime) -> Answer:
        """End an account as an erasure does: all is given up, it is closed, and looked at again."""
        member = self.members[holder]

        async def work(connection: Connection) -> Answer:
            left = await forfeits.forfeit(connection, member, at=at, today=at.date(), actor="staff")
            await holders.set_state(connection, member, HolderState.CLOSED)
            for one in (member, *await holders.merged_into(connection, member)):
                again = await forfeits.forfeit(
                    connection, one, at=at, today=at.date(), actor="staff"
                )
                assert again == Remains(0, 0)
            return Answer("done", left.points, debt=left.owes)

        return await _answered(work, at)

    async def forgive(self, holder: int, currency: int, points: int | None, at: datetime) -> Answer:
        """Write off what a holder owes."""

        async def work(connection: Connection) -> Answer:
            forgiven = await debts.write_off(
                connection,
                self.members[holder],
                currency_no=currency,
                points=points,
                issue=None,
                actor="staff",
                reason="forgiven",
                at=at,
            )
            return Answer("done", debt=forgiven)

        return await _answered(work, at)

    async def balances(self, at: datetime, currency: int) -> list[int]:
        """Return what each holder can spend."""
        async with transaction() as connection:
            found = await posting.balances(
                connection, self.members, currency_no=currency, today=at.date()
            )
        return [found[member] for member in self.members]

    async def lots(self) -> dict[tuple[int, Source], Counters]:
        """Return the counters of every lot."""
        async with transaction() as connection:
            rows = await connection.fetch(_LOTS, self.members)
        return {
            (
                self.members.index(row[0]),
                Source(row[1], row[2], row[3], row[4], row[5], Fraction(row[6])),
            ): (row[7], row[8], row[9])
            for row in rows
        }

    async def owed(self) -> dict[tuple[int, bytes], int]:
        """Return what each holder owes for each issue that was reversed."""
        async with transaction() as connection:
            rows = await connection.fetch(_OWED, self.members)
        return {(self.members.index(row[0]), row[1].bytes): row[2] for row in rows}

    async def running(self) -> dict[tuple[int, int, int], date]:
        """Return through which day each holder's points of a currency and clock live."""
        async with transaction() as connection:
            rows = await connection.fetch(_CLOCKS, self.members)
        return {(self.members.index(row[0]), row[1], row[2]): row[3] for row in rows}

    async def kept_until(self) -> list[date | None]:
        """Return through which day nothing of each holder expires."""
        async with transaction() as connection:
            found = await holders.read_states(connection, self.members)
        return [found[member].suspended_until for member in self.members]


async def _answered(work: Callable[[Connection], Awaitable[Answer]], at: datetime) -> Answer:
    """Do something in a transaction of its own; return its refusal as an answer."""
    await ensure_partition(at)
    try:
        async with transaction() as connection:
            return await work(connection)
    except Refused as refusal:
        return told(refusal)


def told(outcome: Outcome) -> Answer:
    """Return an outcome as the model words it."""
    if isinstance(outcome, Refused):
        fact = outcome.facts.get("balance", outcome.facts.get("remaining", 0))
        assert isinstance(fact, int)
        return Answer(outcome.code, fact)
    match outcome:
        case Owed():
            return Answer("done", debt=outcome.points)
        case Posted() | Paid():
            paid = sum(recovered.points for recovered in outcome.recovered)
            debt = outcome.debt if isinstance(outcome, Posted) else 0
            return Answer("done", outcome.points, debt=debt, paid=paid)
        case Converted():
            return Answer("done", outcome.points, given=outcome.given)
        case _:
            return Answer("done", outcome.points)
