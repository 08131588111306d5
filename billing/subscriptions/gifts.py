"""Gifts: months of a plan, paid once, given on as a code, and redeemed by whoever has that.

The code follows from the gift's id and our key, so that who bought it can see it again; kept is
only its digest.
"""

import base64
import hashlib
import hmac
from datetime import datetime, timedelta
from uuid import UUID

from billing.benefits.entitlements import Ground
from billing.gateway import intents
from billing.gateway.shapes import Checkout, Payment, Subscription
from billing.plans.catalogue import Plan, Plans
from billing.subscriptions import (
    customers,
    gift_paying,
    gift_rows,
    putting_off,
    reading,
    register,
    syncing,
)
from billing.subscriptions.gift_rows import Gift
from billing.subscriptions.grounds import Gift as Given
from billing.subscriptions.house import House, one_act
from billing.subscriptions.months import months_after
from billing.subscriptions.recovering import PUT_OFF
from billing.subscriptions.refusals import GiftNotSold, GiftWaits, UnknownGift
from billing.subscriptions.telling import of_gifts
from billing.subscriptions.views import GiftOrder, GiftState, GiftView
from coalition.access import logins
from coalition.kernel.database import transaction
from coalition.kernel.ids import MemberId, digest16
from coalition.kernel.money import Money
from coalition.members import queries
from coalition.members.sealing import MemberKeys

VALID = timedelta(days=3 * 365)
"""For how long a code can be redeemed after it was paid."""
MONTHS_MOST = 36


async def buy(
    house: House, member: MemberId, order: GiftOrder, *, key: str, at: datetime
) -> GiftView:
    """Begin to buy a gift; see `Memberships.buy_gift`."""
    back = house.way_back(order.back_to)
    plans = await house.plans()
    plan = plans.by_code(order.plan, at)
    money = _price(plan, order, at)
    async with one_act(member, "gift", key, at) as own:
        gift_id = UUID(bytes=digest16("gift", own))
        digest = _digest(_code(gift_id, house.keys), house.keys)
        async with transaction() as connection:
            await gift_rows.add(
                connection,
                digest,
                gift_id=gift_id,
                bought_by=member,
                plan_no=plan.no,
                months=order.months,
                price=money,
                at=at,
            )
        customer = await customers.ensure(house, member, country=None, at=at)
        metadata = {"member_id": str(member), "gift_id": str(gift_id)}

        async def call() -> Checkout:
            return await house.gateway.open_payment_checkout(
                own,
                customer_id=customer,
                money=money,
                what=f"{plan.document.name}, months: {order.months}",
                metadata=metadata,
                success_url=back,
                cancel_url=back,
            )

        request = metadata | {"amount_minor": money.amount_minor, "currency": money.currency}
        page = await intents.perform("gift", own, request, call, answer=Checkout, at=at)
        async with transaction() as connection:
            await gift_rows.opened(connection, digest, page.id, page.url)
            row = await gift_rows.read(connection, digest)
    assert row is not None, "it was written down above"
    return _view(house, row, plans)


async def settle(house: House, page: Checkout, *, at: datetime) -> None:
    """Write down what Stripe says of a gift's page; however often, it counts once.

    Its payment is looked at then: it may have been given back or disputed already.
    """
    gift_id = UUID(page.metadata["gift_id"])
    digest = _digest(_code(gift_id, house.keys), house.keys)
    payment = page.payment_intent_id if page.payment_status == "paid" else None
    async with transaction() as connection:
        if payment is not None:
            is_news = await gift_rows.paid(
                connection, digest, payment, at=at, valid_until=at + VALID
            )
            row = await gift_rows.read(connection, digest)
            if is_news and row is not None:
                await gift_paying.tell(connection, "membership.gift_paid", row, at)
                await of_gifts.tell_of_paid(connection, house, row, at)
        elif page.status == "expired":
            await gift_rows.expired(connection, digest)
    if payment is not None:
        await gift_paying.look(house.gateway, payment, at)


async def bought(house: House, member: MemberId, *, at: datetime) -> tuple[GiftView, ...]:
    """Return the gifts that a member has bought; see `Memberships.gifts`."""
    plans = await house.plans()
    async with transaction() as connection:
        members = [member, *await queries.merged_into(connection, member)]
        rows = await gift_rows.bought(connection, members)
    for row in rows:
        if row.state is GiftState.OPEN and row.checkout_id is not None:
            await settle(house, await house.gateway.checkout(row.checkout_id), at=at)
    async with transaction() as connection:
        rows = await gift_rows.bought(connection, members)
    return tuple(_view(house, row, plans) for row in rows)


async def redeem(house: House, member: MemberId, code: str, *, key: str, at: datetime) -> None:
    """Turn a code into months of its plan; see `Memberships.redeem_gift`.

    Each wrong code counts as an attempt of the member, so that codes cannot be tried out.
    """
    attempts = digest16("redeems gifts", member.bytes)
    await logins.count_attempt(attempts, at)
    async with one_act(member, "redeem", key, at):
        digest = _digest(_plain(code), house.keys)
        try:
            free = await _free_from(house, member, digest, at)
        except GiftWaits:
            await logins.forgive_attempt(attempts)
            raise
        if free is None:
            return
        begins, renewing = free
        put_off = None
        async with transaction() as connection:
            row = await gift_rows.read(connection, digest, lock=True)
            if row is not None and row.redeemed_by == member:
                return
            if row is None or row.state is not GiftState.PAID or (row.valid_until or at) <= at:
                raise UnknownGift
            await gift_rows.redeemed(connection, digest, member, at)
            ends = months_after(begins, row.months)
            given = Given(
                ground=Ground.GIFT,
                plan_no=row.plan_no,
                begins=begins,
                ends=ends,
                source=row.source,
                made_by=f"member:{row.bought_by}",
            )
            await syncing.give(connection, given, member=member, at=at)
            await of_gifts.tell_of_redeemed(
                connection,
                house,
                row,
                given,
                member=member,
                at=at,
                is_put_off=renewing is not None,
            )
            if renewing is not None:
                # Promised with the gift: what a dying process leaves undone, the worker does.
                put_off = putting_off.request_of(renewing, ends, at)
                await intents.promise(connection, PUT_OFF, f"put-off-{row.id}", put_off, at=at)
        if put_off is not None:
            await putting_off.perform(house, f"put-off-{row.id}", put_off, at=at)
    await logins.forgive_attempt(attempts)


async def _free_from(
    house: House, member: MemberId, digest: bytes, at: datetime
) -> tuple[datetime, Subscription | None] | None:
    """Return from when months that are given hold, and the subscription whose renewal they put off.

    They follow all that the member has without them. None for a code that the member has redeemed.
    Raises `UnknownGift` for a code that is none, and `GiftWaits`.
    """
    async with transaction() as connection:
        row = await gift_rows.read(connection, digest)
        live = await register.live(connection, member)
        given = None if live is None else await putting_off.given_until(connection, live)
    if row is not None and row.redeemed_by == member:
        return None
    if row is None or row.state is not GiftState.PAID:
        raise UnknownGift
    if live is None:
        return at, None
    follows = max(at, live.entitled_until or at, given or at)
    if live.subscription is None:
        return follows, None
    one = (await house.gateway.picture(live.subscription)).subscription
    if one.status not in reading.LIVING or one.cancel_at_period_end:
        return follows, None
    putting_off.check(one, at)
    return max(one.period_end, given or at), one


def _price(plan: Plan, order: GiftOrder, at: datetime) -> Money:
    """Return what the months of a gift cost: the monthly price for all, each."""
    found = [
        price.money
        for price in plan.prices
        if price.interval == "month"
        and price.money.currency == order.currency
        and price.eligibility is None
    ]
    if not found or not plan.is_sold(at) or not 1 <= order.months <= MONTHS_MOST:
        raise GiftNotSold(plan=plan.code, months_most=MONTHS_MOST)
    return Money(found[0].amount_minor * order.months, order.currency)


def _code(gift_id: UUID, keys: MemberKeys) -> str:
    """Return the code of a gift: 80 bits that nobody finds without our key."""
    made = hmac.digest(keys.master_key, b"gift" + gift_id.bytes, "sha256")[:10]
    return base64.b32encode(made).decode()


def _plain(code: str) -> str:
    return "".join(sign for sign in code.upper() if sign.isalnum())


def _shown(code: str) -> str:
    return "-".join(code[first : first + 4] for first in range(0, len(code), 4))


def _digest(code: str, keys: MemberKeys) -> bytes:
    return hashlib.blake2b(
        code.encode(), key=keys.blind_index_key, person=b"gift", digest_size=16
    ).digest()


def _view(house: House, row: Gift, plans: Plans) -> GiftView:
    is_good = row.state in {GiftState.PAID, GiftState.REDEEMED}
    back = _went_back(row.picture)
    return GiftView(
        gift_id=row.id,
        state=row.state,
        plan=plans.plan(row.plan_no).code,
        months=row.months,
        price=row.price,
        url=row.url if row.state is GiftState.OPEN else None,
        code=_shown(_code(row.id, house.keys)) if is_good else None,
        valid_until=row.valid_until,
        redeemed_at=row.redeemed_at,
        refunded=back,
    )


def _went_back(payment: Payment | None) -> Money | None:
    """Return what was given back of a payment; None for nothing."""
    if payment is None:
        return None
    back = sum(one.amount.amount_minor for one in payment.refunds if one.counts)
    return Money(back, payment.amount.currency) if back else None
