"""What a member is entitled to at one partner now, as a till asks for it: one look-up."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal
from uuid import UUID

import asyncpg
import msgspec
from msgspec import UNSET, UnsetType

from billing.benefits import counting, entitlement_rows
from billing.benefits.counting import MoneyBenefit
from billing.benefits.entitlement_rows import OfMembership
from billing.benefits.funding import partner_no
from billing.benefits.spans import union
from billing.plans.catalogue import Plans
from billing.plans.documents import (
    Benefit,
    EarlyAccess,
    EarnMultiplier,
    FamilyPerk,
    FreeShipping,
    MonthlyPoints,
    PartnerDiscount,
)
from coalition.kernel.database import Connection
from coalition.kernel.ids import MemberId, bucket_of

_STATE = "SELECT state FROM member WHERE bucket = $1 AND id = $2"


class HeldBenefit(msgspec.Struct, frozen=True, kw_only=True):
    """A benefit that counts at the partner who asks; what does not apply to its kind is left out.

    `factor` multiplies the base points; `most_minor` and `basis_points` bound what may be saved;
    `remaining` is how often in this period, by whoever shares the plan, and is left out where there
    is no limit.
    """

    code: str
    kind: Literal["earn_multiplier", "free_shipping", "partner_discount", "early_access"]
    factor: str | UnsetType = UNSET
    category: str | UnsetType = UNSET
    most_minor: int | UnsetType = UNSET
    basis_points: int | UnsetType = UNSET
    currency: str | UnsetType = UNSET
    remaining: int | UnsetType = UNSET


class HeldNow(msgspec.Struct, frozen=True, kw_only=True):
    """A member's plan at one instant; without one `plan` and `until` are null.

    `until` is when it ends as things stand, renewals not counted.
    """

    member_id: UUID
    plan: str | None = None
    plan_name: str | None = None
    until: datetime | None = None
    flags: tuple[str, ...] = ()
    benefits: tuple[HeldBenefit, ...] = ()


async def read(
    connection: Connection,
    member: MemberId,
    *,
    at_partner: int,
    plans: Plans,
    at: datetime,
) -> HeldNow | None:
    """Return what a member is entitled to at a partner; None where there is no such member."""
    entitled = await entitlement_rows.read(connection, member)
    current = [one for one in entitled if one.entitlement.begins <= at < one.entitlement.ends]
    if not current:
        known: asyncpg.Record | None = await connection.fetchrow(_STATE, bucket_of(member), member)
        return None if known is None else HeldNow(member_id=member)
    best = max(current, key=lambda one: plans.plan(one.entitlement.plan_no).document.rank)
    document = plans.plan(best.entitlement.plan_no).document
    benefits = []
    for benefit in document.benefits:
        told = _told(benefit, at_partner)
        if isinstance(benefit, MoneyBenefit) and told is not None:
            held = await counting.held_by(
                connection, member, benefit, entitled=entitled, of=best, at=at
            )
            remaining = await counting.remaining_of(connection, held)
            if remaining is not None:
                told = msgspec.structs.replace(told, remaining=remaining)
        if told is not None:
            benefits.append(told)
    return HeldNow(
        member_id=member,
        plan=document.code,
        plan_name=document.name,
        until=_until(entitled, document.code, plans, at),
        flags=tuple(
            sorted({one.flag for one in document.benefits if isinstance(one, EarlyAccess)})
        ),
        benefits=tuple(benefits),
    )


def _until(entitled: Sequence[OfMembership], code: str, plans: Plans, at: datetime) -> datetime:
    """Return until when a plan is held without a gap."""
    spans = union(
        (one.begins, one.ends)
        for _, one in entitled
        if plans.plan(one.plan_no).document.code == code
    )
    return next(ends for begins, ends in spans if begins <= at < ends)


def _told(benefit: Benefit, at_partner: int) -> HeldBenefit | None:
    """Return what a partner is told of a benefit; None of one that does not concern it."""
    match benefit:
        case EarnMultiplier():
            only = partner_no(benefit.partner)
            if only is not None and only != at_partner:
                return None
            category = benefit.category or UNSET
            kind: Literal["earn_multiplier"] = "earn_multiplier"
            return HeldBenefit(
                code=benefit.code, kind=kind, factor=benefit.factor, category=category
            )
        case FreeShipping() if counting.holds_here(benefit, at_partner):
            return HeldBenefit(
                code=benefit.code,
                kind="free_shipping",
                most_minor=benefit.most_minor,
                currency=benefit.currency,
            )
        case PartnerDiscount() if counting.holds_here(benefit, at_partner):
            most = UNSET if benefit.most_minor is None else benefit.most_minor
            return HeldBenefit(
                code=benefit.code,
                kind="partner_discount",
                most_minor=most,
                basis_points=benefit.basis_points,
                currency=benefit.currency,
            )
        case EarlyAccess():
            return HeldBenefit(code=benefit.code, kind="early_access")
        case FreeShipping() | PartnerDiscount() | MonthlyPoints() | FamilyPerk():
            return None
