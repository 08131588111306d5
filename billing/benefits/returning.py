"""What a benefit in money saved goes back with what was bought: whole, or a part of it.

A use of which something is left counts on; one of which nothing is left counts no more. Its funders
have back what they paid of it, each in proportion, and together it is exact to the minor unit.
"""

from datetime import datetime
from typing import NamedTuple

import asyncpg

from billing.benefits.refusals import ReturnsTooMuch, SavingInOtherCurrency, UnknownUse
from coalition.kernel.database import Connection
from coalition.kernel.ids import MemberId, bucket_of
from coalition.kernel.money import Money, split
from coalition.ledger import compensations
from coalition.members import queries
from coalition.members.locking import lock_open

_READ = """
SELECT saved_minor, first_minor, currency, compensations, returned_at, returns FROM benefit_use_now
WHERE bucket = $1 AND member_id = $2 AND partner_no = $3 AND receipt = $4 AND benefit = $5
"""
_RETURNED = """
UPDATE benefit_use SET returned_at = $6
WHERE bucket = $1 AND member_id = $2 AND partner_no = $3 AND receipt = $4 AND benefit = $5
"""
_PART = """
INSERT INTO benefit_return (bucket, member_id, partner_no, receipt, benefit, no, returned_minor,
    left_minor, returned_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
"""


class UseKey(NamedTuple):
    """Which use of a member's benefit: that on a partner's receipt."""

    member: MemberId
    partner_no: int
    receipt: str
    benefit: str


class Returned(NamedTuple):
    """When something went back, and what is left of what the use saved."""

    returned_at: datetime
    left: Money


async def give_back(
    connection: Connection, key: UseKey, *, amount: Money | None = None, at: datetime
) -> Returned:
    """Take a use back, whole or `amount` of it, in the caller's transaction.

    What a member used who was merged since goes back of the survivor, under whose lock it is. Whole
    once more is told as it was first; a part once more is a further part. Raises
    `UnknownUse`, `SavingInOtherCurrency`, `ReturnsTooMuch` and what `lock_open` does.
    """
    await lock_open(connection, [key.member])
    place, row = await _used(connection, key)
    currency, left = row["currency"], _left(row)
    _check(amount, left, key, currency)
    if amount is not None and amount.amount_minor < left:
        rest = left - amount.amount_minor
        await connection.execute(_PART, *place, row["returns"] + 1, amount.amount_minor, rest, at)
        await _take(connection, row, amount.amount_minor, at)
        return Returned(at, Money(rest, currency))
    if row["returned_at"] is not None:
        return Returned(row["returned_at"], Money(0, currency))
    await connection.execute(_RETURNED, *place, at)
    await _take(connection, row, left, at)
    return Returned(at, Money(0, currency))


async def _used(
    connection: Connection, key: UseKey
) -> tuple[tuple[int, MemberId, int, str, str], asyncpg.Record]:
    """Return the use with its place: of the member, or of whoever was merged into it since."""
    for holder in (key.member, *await queries.merged_into(connection, key.member)):
        place = bucket_of(holder), *key._replace(member=holder)
        row = await connection.fetchrow(_READ, *place)
        if row is not None:
            return place, row
    raise UnknownUse


def _left(row: asyncpg.Record) -> int:
    return 0 if row["returned_at"] is not None else int(row["saved_minor"])


def _check(amount: Money | None, left: int, key: UseKey, currency: str) -> None:
    if amount is None:
        return
    if amount.currency != currency:
        raise SavingInOtherCurrency(
            f"The benefit saved {currency}: say in {currency} what of it goes back",
            benefit=key.benefit,
            currency=currency,
        )
    if amount.amount_minor > left:
        raise ReturnsTooMuch(left_minor=left, currency=currency)


async def _take(connection: Connection, row: asyncpg.Record, minor: int, at: datetime) -> None:
    """Let `minor` of what is left go back, of each funder in proportion to what it still pays.

    The partner's own part is among them. None gives back more than it has left, and together they
    give back just that.
    """
    standing = await compensations.standing(connection, row["compensations"])
    left = [one.left_minor for one in standing]
    shares = split(minor, [*left, row["saved_minor"] - sum(left)])
    parts = {one.id: share for one, share in zip(standing, shares, strict=False) if share}
    await compensations.take_back(connection, parts, occurred_at=at, at=at)
