"""Memberships in the books, as billing leaves them, with what their members bought."""

from datetime import datetime
from uuid import UUID

from billing.benefits import applying
from billing.benefits.entitlements import Entitlement, Ground
from billing.plans.catalogue import PlanPrice
from billing.subscriptions import entries, register
from billing.subscriptions.bookings import Booking
from billing.subscriptions.register import Membership
from billing.subscriptions.states import State
from coalition.kernel.database import transaction
from coalition.kernel.ids import MemberId, bucket_of, uuid7
from coalition.points.commands import IssueBody, Purchase
from tests.billing.benefits.world import Club
from tests.points.world import receipt

Span = tuple[datetime, datetime]


async def subscribe(
    club: Club,
    member: MemberId,
    *spans: tuple[Span, Ground],
    plan: str = "plus",
    interval: str = "month",
    ended_at: datetime | None = None,
) -> UUID:
    """Let a member have a membership with these entitlements; return its id."""
    begins, ends = spans[0][0][0], spans[-1][0][1]
    bought = club.plans.by_code(plan)
    price = next(one for one in bought.prices if one.interval == interval)
    made = Membership(
        id=uuid7(begins, bucket_of(member)),
        member_id=member,
        state=State.ACTIVE if ended_at is None else State.ENDED,
        ground=Ground.PAID if ended_at is None else None,
        plan_no=bought.no,
        price_no=price.no,
        subscription=None,
        customer_id=None,
        started_at=begins,
        entitled_until=ends,
        period_start=begins,
        period_end=ends,
        turns_at=None,
        ended_at=ended_at,
        changed_at=begins,
    )
    held = [entitlement(price, span, ground) for span, ground in spans]
    async with transaction() as connection:
        assert await register.add(connection, made)
        await applying.apply(
            connection,
            member=member,
            membership_id=made.id,
            entitlements=held,
            plans=club.plans,
            at=begins,
        )
    return made.id


async def pay(
    member: MemberId,
    membership: UUID,
    amount_minor: int,
    period: Span,
    *,
    tax_minor: int = 0,
    kind: str = "payment",
) -> None:
    """Book money for a period of a membership, on its first day."""
    told = Booking(
        source=f"{kind}:{period[0]:%Y%m%d}:{member}",
        kind=kind,
        amount_minor=amount_minor,
        tax_minor=tax_minor,
        currency="SEK",
        period=period,
        payment="pi_1",
        occurred_at=period[0],
    )
    async with transaction() as connection:
        await entries.agree(
            connection, member=member, membership_id=membership, told=[told], at=period[0]
        )


async def buy(club: Club, member: MemberId, amount_minor: int, at: datetime) -> UUID:
    """Let a member buy at the grocer's; return the posting."""
    body = IssueBody(
        member_id=member,
        receipt=receipt(),
        occurred_at=at,
        purchase=Purchase(amount_minor=amount_minor, currency="SEK"),
    )
    return UUID((await club.world.ask(body))["posting_id"])


def entitlement(price: PlanPrice, span: Span, ground: Ground) -> Entitlement:
    """Return what a member is entitled to by a price, of which the span is a period."""
    is_charged = ground in {Ground.PAID, Ground.GRACE}
    return Entitlement(
        plan_no=price.plan_no,
        begins=span[0],
        ends=span[1],
        ground=ground,
        period_start=span[0],
        period_end=span[1],
        source=f"invoice:{span[0]:%Y%m%d}",
        price_no=price.no if is_charged or ground is Ground.TRIAL else None,
        recurring_minor=price.money.amount_minor if is_charged else None,
    )
