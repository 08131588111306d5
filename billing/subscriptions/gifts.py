"""Gifts: months of a plan, paid once, given on as a code, and redeemed by whoever has that.

The code follows from the gift's id and our key, so that who bought it can see it again; kept is
only its digest.
"""

import base64
import hashlib
import hmac
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from billing.benefits.entitlements import Ground
from billing.gateway import intents
from billing.gateway.shapes import Checkout
from billing.plans.catalogue import Plan, Plans
from billing.subscriptions import customers, reading, register, syncing
from billing.subscriptions.grounds import Gift as Given
from billing.subscriptions.house import House, one_act
from billing.subscriptions.months import months_after
from billing.subscriptions.refusals import AlreadyMember, GiftNotSold, UnknownGift
from billing.subscriptions.views import GiftOrder, GiftState, GiftView
from coalition.access import logins
from coalition.kernel import outbox
from coalition.kernel.database import Connection, transaction
from coalition.kernel.ids import MemberId, bucket_of, digest16, shard_of
from coalition.kernel.money import Money
from coalition.kernel.outbox import Event
from coalition.members.contacts import bucket_of_digest
from coalition.members.sealing import MemberKeys

VALID = timedelta(days=3 * 365)
"""For how long a code can be redeemed after it was paid."""
MONTHS_MOST = 36

_FIELDS = """digest, id, bought_by, plan_no, months, amount_minor, currency, state, checkout_id,
    url, payment, made_at, paid_at, valid_until, redeemed_by, redeemed_at"""
_ADD = """
INSERT INTO gift (bucket, digest, id, bought_by, plan_no, months, amount_minor, currency, state,
    made_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'open', $9) ON CONFLICT (bucket, digest) DO NOTHING
"""
_OPENED = "UPDATE gift SET checkout_id = $3, url = $4 WHERE bucket = $1 AND digest = $2"
_PAID = """
UPDATE gift SET state = 'paid', payment = $3, paid_at = $4, valid_until = $5
WHERE bucket = $1 AND digest = $2 AND state IN ('open', 'expired') RETURNING true
"""
_EXPIRED = "UPDATE gift SET state = 'expired' WHERE bucket = $1 AND digest = $2 AND state = 'open'"
_REDEEMED = """
UPDATE gift SET state = 'redeemed', redeemed_by = $3, redeemed_at = $4
WHERE bucket = $1 AND digest = $2 AND state = 'paid'
"""
_REFUNDED = """
UPDATE gift SET state = 'refunded'
WHERE bucket = $1 AND digest = $2 AND state <> 'refunded' RETURNING true
"""
_READ = f"SELECT {_FIELDS} FROM gift WHERE bucket = $1 AND digest = $2"  # noqa: S608 - ours
_LOCK = f"{_READ} FOR UPDATE"
_OF_PAYMENT = f"SELECT {_FIELDS} FROM gift WHERE payment = $1 LIMIT 1"  # noqa: S608 - ours
_BOUGHT = f"""
SELECT {_FIELDS} FROM gift WHERE bought_by = $1 ORDER BY made_at DESC, id
"""  # noqa: S608 - ours


class _Row(msgspec.Struct, frozen=True, kw_only=True):
    digest: bytes
    id: UUID
    bought_by: MemberId
    plan_no: int
    months: int
    amount_minor: int
    currency: str
    state: GiftState
    checkout_id: str | None
    url: str | None
    payment: str | None
    made_at: datetime
    paid_at: datetime | None
    valid_until: datetime | None
    redeemed_by: MemberId | None
    redeemed_at: datetime | None


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
        place = (bucket_of_digest(digest), digest)
        async with transaction() as connection:
            facts = (plan.no, order.months, money.amount_minor, money.currency)
            await connection.execute(_ADD, *place, gift_id, member, *facts, at)
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
            await connection.execute(_OPENED, *place, page.id, page.url)
            row = await _read(connection, digest)
    assert row is not None, "it was written down above"
    return _view(house, row, plans)


async def settle(house: House, page: Checkout, *, at: datetime) -> None:
    """Write down what Stripe says of a gift's page; however often, it counts once."""
    gift_id = UUID(page.metadata["gift_id"])
    digest = _digest(_code(gift_id, house.keys), house.keys)
    place = (bucket_of_digest(digest), digest)
    async with transaction() as connection:
        if page.payment_status == "paid" and page.payment_intent_id is not None:
            is_news = await connection.fetchval(
                _PAID, *place, page.payment_intent_id, at, at + VALID
            )
            row = await _read(connection, digest)
            if is_news and row is not None:
                told = {"gift_id": str(gift_id), "member_id": str(row.bought_by)}
                shard = shard_of(bucket_of(row.bought_by))
                event = Event("membership.gift_paid", told, shard=shard)
                await outbox.append(connection, [event], at)
        elif page.status == "expired":
            await connection.execute(_EXPIRED, *place)


async def look_at_payment(house: House, payment: str, at: datetime) -> None:
    """Take a gift back whose payment was given back whole; one that was redeemed ends now."""
    async with transaction() as connection:
        found = await connection.fetchrow(_OF_PAYMENT, payment)
    if found is None:
        return
    row = msgspec.convert(dict(found), _Row)
    refunds = await house.gateway.refunds_of(payment)
    back = sum(one.amount.amount_minor for one in refunds if one.counts)
    if back < row.amount_minor:
        return
    async with transaction() as connection:
        place = bucket_of_digest(row.digest), row.digest
        is_news = await connection.fetchval(_REFUNDED, *place)
        now = await _read(connection, row.digest)
        if is_news and now is not None and now.redeemed_by is not None:
            source = _source(row.id)
            await syncing.take_back(connection, source, member=now.redeemed_by, at=at)


async def bought(house: House, member: MemberId, *, at: datetime) -> tuple[GiftView, ...]:
    """Return the gifts that a member has bought; see `Memberships.gifts`."""
    plans = await house.plans()
    async with transaction() as connection:
        rows = await _bought(connection, member)
    for row in rows:
        if row.state is GiftState.OPEN and row.checkout_id is not None:
            await settle(house, await house.gateway.checkout(row.checkout_id), at=at)
    async with transaction() as connection:
        rows = await _bought(connection, member)
    return tuple(_view(house, row, plans) for row in rows)


async def redeem(house: House, member: MemberId, code: str, *, key: str, at: datetime) -> None:
    """Turn a code into months of its plan; see `Memberships.redeem_gift`.

    Each wrong code counts as an attempt of the member, so that codes cannot be tried out.
    """
    attempts = digest16("redeems gifts", member.bytes)
    await logins.count_attempt(attempts, at)
    async with one_act(member, "redeem", key, at):
        live = await _free_from(house, member, at)
        digest = _digest(_plain(code), house.keys)
        async with transaction() as connection:
            found = await connection.fetchrow(_LOCK, bucket_of_digest(digest), digest)
            row = None if found is None else msgspec.convert(dict(found), _Row)
            if row is not None and row.redeemed_by == member:
                return
            if row is None or row.state is not GiftState.PAID or (row.valid_until or at) <= at:
                raise UnknownGift
            await connection.execute(_REDEEMED, bucket_of_digest(digest), digest, member, at)
            given = Given(
                ground=Ground.GIFT,
                plan_no=row.plan_no,
                begins=live,
                ends=months_after(live, row.months),
                source=_source(row.id),
                made_by=f"member:{row.bought_by}",
            )
            await syncing.give(connection, given, member=member, at=at)
    await logins.forgive_attempt(attempts)


async def _free_from(house: House, member: MemberId, at: datetime) -> datetime:
    """Return from when months that are given hold: after all that the member has without them."""
    async with transaction() as connection:
        live = await register.live(connection, member)
    if live is None:
        return at
    if live.subscription is not None:
        one = (await house.gateway.picture(live.subscription)).subscription
        if one.status in reading.LIVING and not one.cancel_at_period_end:
            raise AlreadyMember(
                "A membership that renews is paid already; cancel it, and the gift follows it",
                membership_id=str(live.id),
            )
    return max(at, live.entitled_until or at)


def _source(gift_id: UUID) -> str:
    """Return the source of the months that a gift gives."""
    return f"gift:{gift_id}"


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


async def _read(connection: Connection, digest: bytes) -> _Row | None:
    row = await connection.fetchrow(_READ, bucket_of_digest(digest), digest)
    return None if row is None else msgspec.convert(dict(row), _Row)


async def _bought(connection: Connection, member: MemberId) -> list[_Row]:
    rows = await connection.fetch(_BOUGHT, member)
    return [msgspec.convert(dict(row), _Row) for row in rows]


def _view(house: House, row: _Row, plans: Plans) -> GiftView:
    is_paid = row.state in {GiftState.PAID, GiftState.REDEEMED}
    return GiftView(
        gift_id=row.id,
        state=row.state,
        plan=plans.plan(row.plan_no).code,
        months=row.months,
        price=Money(row.amount_minor, row.currency),
        url=row.url if row.state is GiftState.OPEN else None,
        code=_shown(_code(row.id, house.keys)) if is_paid else None,
        valid_until=row.valid_until,
        redeemed_at=row.redeemed_at,
    )
