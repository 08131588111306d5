"""Benefits in money at tills: counted against what the plan gives, paid for by who promised them.

The partner let the member have it; each funder's share becomes a compensation, which settlement
charges to the funder and pays to the partner. The partner's own share costs nobody else anything.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import asyncpg

from billing.benefits import entitlement_rows
from billing.benefits.entitlement_rows import OfMembership
from billing.benefits.funding import funders, partner_no
from billing.benefits.refusals import (
    BenefitNotHeld,
    BenefitUsedUp,
    InvalidSaving,
    ReceiptUsedOtherwise,
    UnknownUse,
)
from billing.plans.catalogue import Plans
from billing.plans.documents import FreeShipping, PartnerDiscount
from coalition.federation.catalogue import Catalogue
from coalition.federation.refusals import NoContract
from coalition.kernel.database import Connection
from coalition.kernel.ids import MemberId, bucket_of, digest16, uuid_from_bytes
from coalition.kernel.money import Money, split
from coalition.ledger import compensations
from coalition.ledger.compensations import Compensation
from coalition.members.locking import lock_open
from coalition.points.bonuses.compiled import OPERATOR
from coalition.points.terms import check_time

MoneyBenefit = FreeShipping | PartnerDiscount
_WHOLE = 10_000
_MOST_MINOR = 10_000_000
"""What one use saves at most where its plan says nothing, which is as much as a plan may say."""

_CLAIM = """
INSERT INTO benefit_use_claim (bucket, digest, member_id) VALUES ($1, $2, $3)
ON CONFLICT DO NOTHING RETURNING true
"""

_READ = """
SELECT membership_id, plan_no, saved_minor, currency, used_at, compensations, returned_at
FROM benefit_use
WHERE bucket = $1 AND member_id = $2 AND partner_no = $3 AND receipt = $4 AND benefit = $5
"""

_COUNT = """
SELECT count(*) FROM benefit_use
WHERE bucket = $1 AND member_id = $2 AND membership_id = $3 AND benefit = $4
  AND used_at >= $5 AND used_at < $6 AND returned_at IS NULL
"""

_ADD = """
INSERT INTO benefit_use (bucket, member_id, partner_no, receipt, benefit, membership_id, plan_no,
    saved_minor, currency, store_no, used_at, made_at, compensations)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
"""

_RETURNED = """
UPDATE benefit_use SET returned_at = $6
WHERE bucket = $1 AND member_id = $2 AND partner_no = $3 AND receipt = $4 AND benefit = $5
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
    """A use as it is counted; `remaining` in its period, None without a limit."""

    saved: Money
    used_at: datetime
    returned_at: datetime | None
    remaining: int | None


class Window(NamedTuple):
    """From when until when uses count together."""

    begins: datetime
    ends: datetime


class Held(NamedTuple):
    """A benefit that a member has by a membership, and in which time its uses count together."""

    membership_id: UUID
    plan_no: int
    benefit: MoneyBenefit
    window: Window


async def use(
    connection: Connection, wanted: Wanted, *, plans: Plans, known: Catalogue, at: datetime
) -> Used:
    """Count a use in the caller's transaction, and let its funders pay; the same again is told.

    Raises `BenefitNotHeld`, `BenefitUsedUp`, `InvalidSaving`, `ReceiptUsedOtherwise`,
    `TimeOutOfBounds`, `NoContract` and what `lock_open` does.
    """
    check_time(wanted.used_at, at)
    await lock_open(connection, [wanted.member])
    entitled = await entitlement_rows.read(connection, wanted.member)
    if not await _claim(connection, wanted):
        return await _before(connection, wanted, entitled, plans)
    held = _held(wanted, entitled, plans)
    _check_saving(wanted, held.benefit, known)
    remaining = await remaining_of(connection, wanted.member, held)
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
    )
    left = None if remaining is None else remaining - 1
    return Used(wanted.saved, wanted.used_at, None, left)


async def give_back(
    connection: Connection,
    *,
    member: MemberId,
    partner_no: int,
    receipt: str,
    benefit: str,
    at: datetime,
) -> datetime:
    """Take a use back whole, as its purchase was returned; return when that was done first.

    It counts no longer, and its funders have their money back. Raises `UnknownUse` and what
    `lock_open` does.
    """
    await lock_open(connection, [member])
    key = bucket_of(member), member, partner_no, receipt, benefit
    row = await connection.fetchrow(_READ, *key)
    if row is None:
        raise UnknownUse
    if row["returned_at"] is not None:
        returned_at: datetime = row["returned_at"]
        return returned_at
    await connection.execute(_RETURNED, *key, at)
    await compensations.take_back(connection, row["compensations"], occurred_at=at, at=at)
    return at


async def remaining_of(connection: Connection, member: MemberId, held: Held) -> int | None:
    """Return how often a benefit can still be had in its period; None without a limit."""
    limit = held.benefit.uses_per_period
    if limit is None:
        return None
    key = bucket_of(member), member, held.membership_id, held.benefit.code
    count: int = await connection.fetchval(_COUNT, *key, *held.window)
    return max(0, limit - count)


def window(entitled: Iterable[OfMembership], membership_id: UUID, at: datetime) -> Window:
    """Return from when until when uses count together with one at an instant that is entitled.

    It is the billing period, in grace the last one. Where a period was changed, the one before
    counts on for as long as it would have lasted: so changing to and fro begins nothing anew.
    """
    periods = [
        (one.period_start, max(one.period_end, one.ends))
        for of, one in entitled
        if of == membership_id
        and (one.period_start <= at < one.period_end or one.begins <= at < one.ends)
    ]
    return Window(min(start for start, _ in periods), max(end for _, end in periods))


def holds_here(benefit: MoneyBenefit, at_partner: int) -> bool:
    """Tell whether a benefit can be had at a partner."""
    only = partner_no(benefit.partner)
    return only is None or only == at_partner


def _held(wanted: Wanted, entitled: Sequence[OfMembership], plans: Plans) -> Held:
    """Return the benefit that a till names, as the member was entitled to it when it was used."""
    for membership_id, one in entitled:
        if not one.begins <= wanted.used_at < one.ends:
            continue
        for benefit in plans.plan(one.plan_no).document.benefits:
            if (
                isinstance(benefit, MoneyBenefit)
                and benefit.code == wanted.benefit
                and holds_here(benefit, wanted.partner_no)
            ):
                counted = window(entitled, membership_id, wanted.used_at)
                return Held(membership_id, one.plan_no, benefit, counted)
    raise BenefitNotHeld


def _check_saving(wanted: Wanted, benefit: MoneyBenefit, known: Catalogue) -> None:
    saved = wanted.saved
    paid_in = known.contract_at(wanted.partner_no, wanted.used_at).currency
    if not saved.currency == benefit.currency == paid_in:
        raise InvalidSaving(
            f"The benefit is in {benefit.currency} and your contract in {paid_in}; "
            "what was saved is in the currency of both"
        )
    if isinstance(benefit, PartnerDiscount):
        price = wanted.price
        if price is None or price.currency != saved.currency:
            raise InvalidSaving("A discount needs the price before it, in the same currency")
        share = -(-price.amount_minor * benefit.basis_points // _WHOLE)
        most = min(share, _MOST_MINOR if benefit.most_minor is None else benefit.most_minor)
    else:
        most = benefit.most_minor
    if not 0 < saved.amount_minor <= most:
        raise InvalidSaving(f"The benefit saves at most {most} minor units here", most_minor=most)


def _owed(wanted: Wanted, benefit: MoneyBenefit, known: Catalogue) -> list[Compensation]:
    """Return what others owe the partner; what a funder does not pay the operator does."""
    parties = funders(benefit.funding)
    shares = split(wanted.saved.amount_minor, [weight for _, weight in parties])
    by_payer: dict[int, int] = {}
    for (funder_no, _), share in zip(parties, shares, strict=True):
        payer = funder_no if _pays(funder_no, wanted.used_at, known) else OPERATOR
        by_payer[payer] = by_payer.get(payer, 0) + share
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
        for payer, share in sorted(by_payer.items())
        if share and payer != wanted.partner_no
    ]


def _pays(funder_no: int, instant: datetime, known: Catalogue) -> bool:
    if funder_no == OPERATOR:
        return True
    try:
        known.contract_at(funder_no, instant)
    except NoContract:
        return False
    return known.default_at(funder_no, instant) is None


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
    remaining = None
    for benefit in plans.plan(row["plan_no"]).document.benefits:
        if isinstance(benefit, MoneyBenefit) and benefit.code == wanted.benefit:
            counted = window(entitled, row["membership_id"], row["used_at"])
            held = Held(row["membership_id"], row["plan_no"], benefit, counted)
            remaining = await remaining_of(connection, wanted.member, held)
    return Used(wanted.saved, row["used_at"], row["returned_at"], remaining)


def _is_same(row: asyncpg.Record, wanted: Wanted) -> bool:
    return Money(row["saved_minor"], row["currency"]) == wanted.saved


def _key(wanted: Wanted) -> tuple[int, UUID, int, str, str]:
    of = wanted.member
    return bucket_of(of), of, wanted.partner_no, wanted.receipt, wanted.benefit
