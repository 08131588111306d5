"""Benefits in money at tills: counted against what the plan gives, paid for by who promised them.

The partner let the member have it; each funder's share becomes a compensation, which settlement
charges to the funder and pays to the partner. The partner's own share costs nobody else anything.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import asyncpg

from billing.benefits import counting, entitlement_rows, payers
from billing.benefits.counting import Held, MoneyBenefit, held_by, remaining_of
from billing.benefits.entitlement_rows import OfMembership
from billing.benefits.entitlements import Entitlement
from billing.benefits.refusals import (
    BenefitNotHeld,
    BenefitUsedUp,
    InvalidSaving,
    ReceiptUsedOtherwise,
    SavingInOtherCurrency,
)
from billing.plans.catalogue import Plans
from billing.plans.documents import PartnerDiscount
from coalition.federation.catalogue import Catalogue
from coalition.kernel.database import Connection
from coalition.kernel.ids import MemberId, bucket_of, digest16, uuid_from_bytes
from coalition.kernel.money import Money
from coalition.ledger import compensations
from coalition.ledger.compensations import Compensation
from coalition.members.locking import lock_open
from coalition.members.queries import lock_members
from coalition.points.terms import check_time

_WHOLE = 10_000
_MOST_MINOR = 10_000_000
"""What one use saves at most where its plan says nothing, which is as much as a plan may say."""

_CLAIM = """
INSERT INTO benefit_use_claim (bucket, digest, member_id) VALUES ($1, $2, $3)
ON CONFLICT DO NOTHING RETURNING true
"""

_READ = """
SELECT membership_id, plan_no, saved_minor, first_minor, currency, used_at, returned_at
FROM benefit_use_now
WHERE bucket = $1 AND member_id = $2 AND partner_no = $3 AND receipt = $4 AND benefit = $5
"""

_ADD = """
INSERT INTO benefit_use (bucket, member_id, partner_no, receipt, benefit, membership_id, plan_no,
    saved_minor, currency, store_no, used_at, made_at, compensations, paid_by)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
"""


class Wanted(NamedTuple):
    """What a till let a member have: `price` is that before the discount, where it is one."""

    member: MemberId
    partner_no: int
    store_no: int | None
    benefit: str
    receipt: str
    saved: Money
    price: Money | None
    used_at: datetime


class Used(NamedTuple):
    """A use as it is counted; `remaining` in its period, None without a limit.

    `saved` is what it saved when it was had, `left` what of that has not been returned.
    """

    saved: Money
    left: Money
    used_at: datetime
    returned_at: datetime | None
    remaining: int | None


async def use(
    connection: Connection, wanted: Wanted, *, plans: Plans, known: Catalogue, at: datetime
) -> Used:
    """Count a use in the caller's transaction, and let its funders pay; the same again is told.

    Raises `BenefitNotHeld`, `BenefitUsedUp`, `InvalidSaving`, `SavingInOtherCurrency`,
    `ReceiptUsedOtherwise`, `TimeOutOfBounds`, `NoContract` and what `lock_open` does.
    """
    check_time(wanted.used_at, at)
    entitled = await _locked(connection, wanted)
    if not await _claim(connection, wanted):
        return await _before(connection, wanted, entitled, plans)
    held = await _held(connection, wanted, entitled, plans)
    _check_saving(wanted, held.benefit, known)
    remaining = await remaining_of(connection, held)
    if remaining == 0:
        limit, ends = held.benefit.uses_per_period, held.window.ends
        raise BenefitUsedUp(limit=limit, renews_at=ends.isoformat())
    owed = _owed(wanted, held.benefit, known)
    booked = await compensations.book(connection, owed, at=at)
    await connection.execute(
        _ADD,
        *_key(wanted),
        held.membership_id,
        held.plan_no,
        wanted.saved.amount_minor,
        wanted.saved.currency,
        wanted.store_no,
        wanted.used_at,
        at,
        booked,
        held.pool.membership_id if held.pool.payer != wanted.member else None,
    )
    left = None if remaining is None else remaining - 1
    return Used(wanted.saved, wanted.saved, wanted.used_at, None, left)


async def _locked(connection: Connection, wanted: Wanted) -> list[OfMembership]:
    """Lock a member, and who pays for what it shares; return what it is entitled to."""
    entitled = await entitlement_rows.read(connection, wanted.member)
    while True:
        payers = _payers(entitled, wanted)
        await lock_members(connection, [wanted.member, *payers])
        await lock_open(connection, [wanted.member])
        entitled = await entitlement_rows.read(connection, wanted.member)
        # Seats change under these locks alone, so the second look has seen the last of it.
        if _payers(entitled, wanted) <= payers:
            return entitled


def _payers(entitled: Sequence[OfMembership], wanted: Wanted) -> set[MemberId]:
    return {MemberId(one.pool.payer) for _, one in entitled if one.pool and _holds(one, wanted)}


def _holds(one: Entitlement, wanted: Wanted) -> bool:
    return one.begins <= wanted.used_at < one.ends


async def _held(
    connection: Connection, wanted: Wanted, entitled: Sequence[OfMembership], plans: Plans
) -> Held:
    """Return the benefit that a till names, as the member was entitled to it when it was used."""
    for of in entitled:
        one = of.entitlement
        if not _holds(one, wanted):
            continue
        for benefit in plans.plan(one.plan_no).document.benefits:
            if (
                isinstance(benefit, MoneyBenefit)
                and benefit.code == wanted.benefit
                and counting.holds_here(benefit, wanted.partner_no)
            ):
                at = wanted.used_at
                return await held_by(
                    connection, wanted.member, benefit, entitled=entitled, of=of, at=at
                )
    raise BenefitNotHeld


def _check_saving(wanted: Wanted, benefit: MoneyBenefit, known: Catalogue) -> None:
    saved = wanted.saved
    paid_in = known.contract_at(wanted.partner_no, wanted.used_at).currency
    if benefit.currency != paid_in:
        raise SavingInOtherCurrency(
            f"The benefit saves {benefit.currency} and your contract is in {paid_in}: it cannot be "
            f"had with you before the plan has one in {paid_in}",
            benefit=benefit.code,
            currency=paid_in,
        )
    if saved.currency != paid_in:
        raise SavingInOtherCurrency(
            f"Say what was saved in {paid_in}, not in {saved.currency}",
            benefit=benefit.code,
            currency=paid_in,
        )
    if isinstance(benefit, PartnerDiscount):
        price = wanted.price
        if price is None:
            raise InvalidSaving(f"A discount needs `price`, that before it, in {paid_in}")
        if price.currency != paid_in:
            raise SavingInOtherCurrency(
                f"Say the price before the discount in {paid_in}, not in {price.currency}",
                benefit=benefit.code,
                currency=paid_in,
            )
        share = -(-price.amount_minor * benefit.basis_points // _WHOLE)
        most = min(share, _MOST_MINOR if benefit.most_minor is None else benefit.most_minor)
    else:
        most = benefit.most_minor
    if not 0 < saved.amount_minor <= most:
        raise InvalidSaving(
            f"The benefit saves at most {most} minor units of {paid_in} here",
            most_minor=most,
            currency=paid_in,
        )


def _owed(wanted: Wanted, benefit: MoneyBenefit, known: Catalogue) -> list[Compensation]:
    """Return what others owe the partner; what a funder does not pay the operator does."""
    shares = payers.shares(benefit.funding, wanted.saved.amount_minor)
    unpaying = payers.silent(shares, wanted.used_at, known)
    return [
        Compensation(
            holder=wanted.member,
            partner_no=wanted.partner_no,
            funder_no=payer,
            amount_minor=share,
            receipt=wanted.receipt,
            store_no=wanted.store_no,
            reason=benefit.code,
            occurred_at=wanted.used_at,
        )
        for payer, share in payers.owed(shares, wanted.partner_no, unpaying).items()
    ]


async def _claim(connection: Connection, wanted: Wanted) -> bool:
    """Claim the receipt for the benefit; return whether nobody had."""
    named = digest16(wanted.partner_no, wanted.receipt, wanted.benefit)
    digest = uuid_from_bytes(named)
    claimed = await connection.fetchval(_CLAIM, bucket_of(digest), digest, wanted.member)
    return bool(claimed)


async def _before(
    connection: Connection, wanted: Wanted, entitled: Sequence[OfMembership], plans: Plans
) -> Used:
    """Return the use that claimed the receipt before, where it is the same."""
    row = await connection.fetchrow(_READ, *_key(wanted))
    if row is None or not _is_same(row, wanted):
        raise ReceiptUsedOtherwise
    left = 0 if row["returned_at"] is not None else row["saved_minor"]
    remaining = await _remaining_now(connection, row, wanted, entitled, plans)
    money = Money(left, row["currency"])
    return Used(wanted.saved, money, row["used_at"], row["returned_at"], remaining)


async def _remaining_now(
    connection: Connection,
    row: asyncpg.Record,
    wanted: Wanted,
    entitled: Sequence[OfMembership],
    plans: Plans,
) -> int | None:
    """Return how often more a benefit can be had that was had; never, once its time was undone."""
    code = wanted.benefit
    benefits = plans.plan(row["plan_no"]).document.benefits
    benefit = next(one for one in benefits if isinstance(one, MoneyBenefit) and one.code == code)
    if benefit.uses_per_period is None:
        return None
    for of in entitled:
        one = of.entitlement
        if of.membership_id == row["membership_id"] and one.begins <= row["used_at"] < one.ends:
            at = row["used_at"]
            held = await held_by(
                connection, wanted.member, benefit, entitled=entitled, of=of, at=at
            )
            return await remaining_of(connection, held)
    return 0


def _is_same(row: asyncpg.Record, wanted: Wanted) -> bool:
    return Money(row["first_minor"], row["currency"]) == wanted.saved


def _key(wanted: Wanted) -> tuple[int, UUID, int, str, str]:
    of = wanted.member
    return bucket_of(of), of, wanted.partner_no, wanted.receipt, wanted.benefit
