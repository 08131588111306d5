"""A ledger with clocks, for the tests of what runs out and what is kept."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from uuid import UUID

from coalition.kernel.database import retrying, transaction
from coalition.ledger import audit, clocks, posting
from coalition.ledger.clocks import Clock
from coalition.ledger.drafts import Draft, Grant, Issue, Outcome
from coalition.ledger.partitions import ensure_partition
from tests.support.ledger import GROCER, provenance, till

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


class Book:
    """A ledger with one clock of six months, or those given."""

    def __init__(self, *registered: Clock) -> None:
        self.clocks = registered or (Clock(1, 6, counts_issue=True, counts_redeem=True),)

    async def open(self) -> "Book":
        async with transaction() as connection:
            for clock in self.clocks:
                no = await clocks.register(
                    connection,
                    months=clock.months,
                    counts_issue=clock.counts_issue,
                    counts_redeem=clock.counts_redeem,
                )
                assert no == clock.no
        return self

    async def post(self, drafts: Sequence[Draft], at: datetime) -> list[Outcome]:
        await ensure_partition(at)

        async def attempt() -> list[Outcome]:
            async with transaction(posting.PINNED, role=posting.POSTER_ROLE) as connection:
                _, outcomes = await posting.post(
                    connection, drafts, at=at, today=at.date(), clocks=self.clocks
                )
            return outcomes

        return await retrying(attempt)

    async def one(self, draft: Draft, at: datetime) -> Outcome:
        (outcome,) = await self.post([draft], at)
        return outcome


def issue(
    holder: UUID,
    points: int,
    at: datetime,
    *,
    clock_no: int = 1,
    expires_on: date | None = None,
    currency_no: int = 1,
    receipt: str | None = None,
) -> Issue:
    """Return an issue of this month under a clock; 0 is none."""
    month = at.year * 100 + at.month
    of = provenance(GROCER, expires_on=expires_on, earned_month=month)
    given_under = of._replace(clock_no=clock_no, currency_no=currency_no)
    return Issue(holder, till(GROCER, at, receipt), (Grant(given_under, points),))


async def assert_books_hold() -> None:
    report = await audit.run()
    assert report.ok, report.breaches
