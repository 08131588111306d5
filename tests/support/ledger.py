"""Short ways to make holders and drafts for tests of the ledger."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from coalition.kernel.database import transaction
from coalition.kernel.ids import random_id
from coalition.ledger import holders, posting
from coalition.ledger.drafts import Draft, Grant, Issue, Outcome, Redeem, Reverse, Till
from coalition.ledger.partitions import ensure_partition
from coalition.ledger.provenance import Provenance

GROCER, FUEL = 1, 2


def provenance(
    issuer_no: int = GROCER, *, expires_on: date | None = None, earned_month: int = 202611
) -> Provenance:
    """Return where points of `issuer_no` come from, in the coalition's own currency."""
    return Provenance(
        currency_no=1,
        issuer_no=issuer_no,
        contract_no=issuer_no * 10,
        funder_no=issuer_no,
        earned_month=earned_month,
        expires_on=expires_on,
        issue_price=Decimal("0.0100"),
        prefunded_share=Decimal(1),
    )


def till(partner_no: int, at: datetime, receipt: str | None = None) -> Till:
    """Return a till of `partner_no`; without a receipt nothing guards against a second posting."""
    return Till(partner_no, None, None, receipt, at.date(), at)


async def open_holder(at: datetime) -> UUID:
    """Return a new, active holder."""
    holder = random_id()
    async with transaction() as connection:
        await holders.open_holders(connection, [holder], at)
    return holder


async def post(drafts: Sequence[Draft], at: datetime) -> list[Outcome]:
    """Post `drafts` in a transaction of their own, as the product does."""
    await ensure_partition(at)
    async with transaction(posting.PINNED, role=posting.POSTER_ROLE) as connection:
        _, outcomes = await posting.post(connection, drafts, at=at, today=at.date())
    return outcomes


def issue(
    holder: UUID,
    points: int,
    at: datetime,
    *,
    partner_no: int = GROCER,
    expires_on: date | None = None,
    receipt: str | None = None,
) -> Issue:
    """Return a draft that issues `points` of one provenance."""
    grant = Grant(provenance(partner_no, expires_on=expires_on), points)
    return Issue(holder, till(partner_no, at, receipt), (grant,))


def redeem(
    holder: UUID, points: int, at: datetime, *, partner_no: int = FUEL, receipt: str | None = None
) -> Redeem:
    """Return a draft that redeems `points`."""
    return Redeem(holder, till(partner_no, at, receipt), 1, points)


def reverse(
    of: UUID, at: datetime, *, partner_no: int, points: int | None = None, order: str = "reverse"
) -> Reverse:
    """Return a draft that reverses a posting with 30 days of grace."""
    return Reverse(of, till(partner_no, at), points, order, at.date() + timedelta(days=30))


async def balance(holder: UUID, at: datetime) -> int:
    """Return what `holder` can spend."""
    async with transaction() as connection:
        found = await posting.balances(connection, [holder], currency_no=1, today=at.date())
    return found[holder]
