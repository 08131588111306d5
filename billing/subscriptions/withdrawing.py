"""Withdrawing from an order, in two steps: declared, then confirmed; also without signing in.

What comes back is reckoned when it is declared; confirmed within a day, it is just that, less what
was used since.
"""

from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from billing.benefits import value
from billing.benefits.value import Stretch
from billing.gateway import intents
from billing.gateway.shapes import Picture, Refund, Subscription
from billing.plans.catalogue import Plans
from billing.subscriptions import metering, reading, receipts, register, syncing
from billing.subscriptions.house import House, one_act
from billing.subscriptions.metering import PartOfPayment, Reckoning
from billing.subscriptions.reading import Paid
from billing.subscriptions.recovering import CREDIT, REFUND, WITHDRAW
from billing.subscriptions.refusals import (
    NotAMember,
    NothingToWithdraw,
    UnknownMembership,
    UnknownWithdrawal,
    WithdrawalTooLate,
)
from billing.subscriptions.views import Receipt, ReceiptKind, Withdrawal
from coalition.access import logins
from coalition.federation import catalogue
from coalition.kernel.database import transaction
from coalition.kernel.ids import MemberId, bucket_of, digest16, uuid7
from coalition.kernel.money import Money
from coalition.members.blind_index import contact_digest
from coalition.members.contacts import ContactKind
from coalition.members.refusals import InvalidField

CONFIRMED_WITHIN = timedelta(days=1)
"""How long after it was declared in time a withdrawal may be confirmed."""

_COLUMNS = """id, member_id, membership_id, declared_at, until, currency, paid_minor, days_minor,
    use_minor, refund_minor, confirmed_at"""
# Declared again before it is confirmed it is reckoned anew, and keeps its id.
_DECLARE = f"""
INSERT INTO membership_withdrawal (bucket, id, member_id, membership_id, declared_at, until,
    currency, paid_minor, days_minor, use_minor, refund_minor)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
ON CONFLICT (bucket, membership_id) DO UPDATE
SET declared_at = excluded.declared_at, paid_minor = excluded.paid_minor,
    days_minor = excluded.days_minor, use_minor = excluded.use_minor,
    refund_minor = excluded.refund_minor
WHERE membership_withdrawal.confirmed_at IS NULL
RETURNING {_COLUMNS}
"""  # noqa: S608 - names of our own
_READ = f"""
SELECT {_COLUMNS} FROM membership_withdrawal WHERE bucket = $1 AND id = $2
"""  # noqa: S608 - ours
_CONFIRM = """
UPDATE membership_withdrawal SET confirmed_at = $3
WHERE bucket = $1 AND id = $2 AND confirmed_at IS NULL
"""


class _Row(msgspec.Struct, frozen=True, kw_only=True):
    id: UUID
    member_id: MemberId
    membership_id: UUID
    declared_at: datetime
    until: datetime
    currency: str
    paid_minor: int
    days_minor: int
    use_minor: int
    refund_minor: int
    confirmed_at: datetime | None


async def declare(house: House, member: MemberId, *, at: datetime) -> Withdrawal:
    """Say what a withdrawal would give back; see `Memberships.declare_withdrawal`."""
    try:
        paid = await reading.paid(house, member)
    except NotAMember as error:
        raise NothingToWithdraw from error
    until = await _until(house, paid)
    if at >= until:
        raise WithdrawalTooLate(until=until.isoformat())
    reckoned = await _reckoned(paid, await house.plans(), at)
    bucket = bucket_of(member)
    async with transaction() as connection:
        row = await connection.fetchrow(
            _DECLARE,
            bucket,
            uuid7(at, bucket),
            member,
            paid.membership.id,
            at,
            until,
            reckoned.currency,
            reckoned.paid,
            reckoned.kept_for_days,
            reckoned.kept_for_use,
            reckoned.refund,
        )
    if row is None:
        raise NothingToWithdraw
    return _view(msgspec.convert(dict(row), _Row))


async def declare_as_stranger(
    house: House, *, reference: UUID, email: str, at: datetime
) -> Withdrawal:
    """Declare without signing in; see `Memberships.declare_withdrawal_as_stranger`."""
    return await declare(house, await member_behind(house, reference, email, at=at), at=at)


async def member_behind(house: House, reference: UUID, email: str, *, at: datetime) -> MemberId:
    """Return whose membership a stranger names by its reference and the member's address.

    Each attempt for a reference counts, and a right one takes its own back, so that addresses
    cannot be tried out. Raises `UnknownMembership` and `TooManyAttempts`.
    """
    attempts = digest16("withdraws as a stranger", reference.bytes)
    await logins.count_attempt(attempts, at)
    async with transaction() as connection:
        found = await register.by_id(connection, reference)
        person = None if found is None else await house.person(connection, found.member_id)
    if found is None or person is None or not _is_address_of(house, email, person.email):
        raise UnknownMembership
    await logins.forgive_attempt(attempts)
    return found.member_id


async def confirm(
    house: House, withdrawal_id: UUID, *, member: MemberId | None, at: datetime
) -> Receipt:
    """Withdraw as it was declared, which is once; see `Memberships.confirm_withdrawal`."""
    row = await _read(withdrawal_id)
    if row is None or (member is not None and row.member_id != member):
        raise UnknownWithdrawal
    async with one_act(row.member_id, "withdraw", str(row.id), at) as own:
        async with transaction() as connection:
            before = await receipts.of_key(connection, row.member_id, own)
        if before is not None:
            return before
        if at >= row.declared_at + CONFIRMED_WITHIN:
            raise WithdrawalTooLate(
                "It was declared more than a day ago; declare it again", until=row.until.isoformat()
            )
        plan, refund_minor = await _withdraw(house, row, own, at=at)
        receipt = Receipt(
            receipt_id=uuid7(at, bucket_of(row.member_id)),
            kind=ReceiptKind.WITHDRAWN,
            membership_id=row.membership_id,
            at=at,
            plan=plan,
            ends_at=at,
            refund=Money(refund_minor, row.currency),
        )
        async with transaction() as connection:
            await connection.execute(_CONFIRM, bucket_of(row.member_id), row.id, at)
            return await receipts.keep(connection, row.member_id, own, receipt)


async def _withdraw(house: House, row: _Row, own: str, *, at: datetime) -> tuple[str, int]:
    """Give back and end; return the plan and what goes back.

    Each step is one at Stripe, however often it is tried.
    """
    async with transaction() as connection:
        membership = await register.by_id(connection, row.membership_id)
        plans = await house.shelf.read(connection)
    assert membership is not None, "a withdrawal is from a membership"
    subscription = membership.subscription
    assert subscription is not None, "only what was ordered is withdrawn from"
    parts = await _parts(house, row, subscription, own, at=at)
    credit = await _credit_of(house, row, subscription, own, at=at)
    request = {"subscription": subscription, "withdrawal_id": str(row.id)}
    async with transaction() as connection:
        # All of it or nothing: what a dying process leaves undone, the worker does.
        for part in parts:
            key = f"{own}:{part.payment_intent_id}"
            await intents.promise(connection, REFUND, key, _refund_of(row, part), at=at)
        if credit is not None:
            await intents.promise(connection, CREDIT, f"{own}:credit", credit, at=at)
        await intents.promise(connection, WITHDRAW, own, request, at=at)
    for part in parts:
        await _refund(house, row, part, f"{own}:{part.payment_intent_id}", at=at)
    if credit is not None:
        await _take_credit(house, row, credit, f"{own}:credit", at=at)

    async def call() -> Subscription:
        return await house.gateway.cancel_now(own, subscription)

    await intents.perform(WITHDRAW, own, request, call, answer=Subscription, at=at)
    await syncing.sync(house.gateway, subscription, at=at)
    return plans.plan(membership.plan_no).code, sum(part.amount_minor for part in parts)


async def _parts(
    house: House, row: _Row, subscription: str, own: str, *, at: datetime
) -> tuple[PartOfPayment, ...]:
    """Return what goes back of which payment: settled once, before anything has gone back."""

    async def call() -> list[tuple[str, int]]:
        picture = await house.gateway.picture(subscription)
        # What was paid after it was declared, for a change of the plan, goes back whole.
        since = max(0, metering.paid_in_all(picture) - row.paid_minor)
        back = row.refund_minor + since - await _used_since(row, picture, at)
        found = metering.parts(picture, max(0, back))
        return [(part.payment_intent_id, part.amount_minor) for part in found]

    request = {"withdrawal_id": str(row.id)}
    found = await intents.perform(
        "withdrawal-parts", f"{own}:parts", request, call, answer=list[tuple[str, int]], at=at
    )
    return tuple(PartOfPayment(*one) for one in found)


async def _used_since(row: _Row, picture: Picture, at: datetime) -> int:
    """Return what was used beyond what was kept when it was declared, in minor units.

    Else whoever has declared would have a day of benefits for nothing.
    """
    used = await _used(
        row.member_id, row.membership_id, picture.subscription.created_at, row.currency, at
    )
    return max(0, used - row.days_minor - row.use_minor)


async def _credit_of(
    house: House, row: _Row, subscription: str, own: str, *, at: datetime
) -> dict[str, str | int] | None:
    """Return what is to be asked of Stripe so that no credit is left of what goes back as money."""

    async def call() -> tuple[str, int]:
        picture = await house.gateway.picture(subscription)
        return picture.subscription.customer_id, metering.credit(picture)

    request = {"withdrawal_id": str(row.id)}
    customer, amount_minor = await intents.perform(
        "withdrawal-credit", f"{own}:credit-left", request, call, answer=tuple[str, int], at=at
    )
    if not amount_minor:
        return None
    return {
        "member_id": str(row.member_id),
        "withdrawal_id": str(row.id),
        "customer": customer,
        "amount_minor": amount_minor,
        "currency": row.currency,
    }


async def _take_credit(
    house: House, row: _Row, request: dict[str, str | int], own: str, *, at: datetime
) -> None:
    metadata = {name: str(request[name]) for name in ("member_id", "withdrawal_id")}
    money = Money(int(request["amount_minor"]), row.currency)

    async def call() -> str:
        return await house.gateway.take_credit(own, str(request["customer"]), money, metadata)

    await intents.perform(CREDIT, own, request, call, answer=str, at=at)


async def _refund(house: House, row: _Row, part: PartOfPayment, own: str, *, at: datetime) -> None:
    request = _refund_of(row, part)
    metadata = {name: str(request[name]) for name in ("member_id", "withdrawal_id")}
    money = Money(part.amount_minor, row.currency)

    async def call() -> Refund:
        return await house.gateway.refund(own, part.payment_intent_id, money, metadata)

    await intents.perform(REFUND, own, request, call, answer=Refund, at=at)


def _refund_of(row: _Row, part: PartOfPayment) -> dict[str, str | int]:
    return {
        "member_id": str(row.member_id),
        "withdrawal_id": str(row.id),
        "payment": part.payment_intent_id,
        "amount_minor": part.amount_minor,
        "currency": row.currency,
    }


async def _until(house: House, paid: Paid) -> datetime:
    async with transaction() as connection:
        right = await reading.withdrawal_right(house, connection, paid.membership, paid.picture)
    if right is None:
        raise NothingToWithdraw
    return right.until


async def _reckoned(paid: Paid, plans: Plans, at: datetime) -> Reckoning:
    """Reckon with what the benefits were worth that were used since the member joined.

    By itself and by all who share its plan. Whether days are kept of what nobody used says the plan
    that it has now.
    """
    currency, one = paid.price.money.currency, paid.membership
    return metering.reckon(
        paid.picture,
        currency=currency,
        used_minor=await _used(one.member_id, one.id, paid.subscription.created_at, currency, at),
        at=at,
        whole_if_unused=plans.plan(paid.price.plan_no).document.refund_unused,
    )


async def _used(
    member: MemberId, membership_id: UUID, since: datetime, currency: str, at: datetime
) -> int:
    async with transaction() as connection:
        used = await value.used_in(
            connection,
            member,
            membership_id,
            Stretch(since, at),
            known=await catalogue.load(connection),
            currency=currency,
        )
    return used.amount_minor


async def _read(withdrawal_id: UUID) -> _Row | None:
    async with transaction() as connection:
        row = await connection.fetchrow(_READ, bucket_of(withdrawal_id), withdrawal_id)
    return None if row is None else msgspec.convert(dict(row), _Row)


def _is_address_of(house: House, given: str, known: str | None) -> bool:
    key = house.keys.blind_index_key
    try:
        digest = contact_digest(key, ContactKind.EMAIL, given)
    except InvalidField:
        return False
    return known is not None and digest == contact_digest(key, ContactKind.EMAIL, known)


def _view(row: _Row) -> Withdrawal:
    return Withdrawal(
        withdrawal_id=row.id,
        membership_id=row.membership_id,
        declared_at=row.declared_at,
        until=row.until,
        paid=Money(row.paid_minor, row.currency),
        kept_for_days=Money(row.days_minor, row.currency),
        kept_for_use=Money(row.use_minor, row.currency),
        refund=Money(row.refund_minor, row.currency),
    )
