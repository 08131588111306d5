"""Paying what a family's rules ask in money: on Stripe's page, and then what waits goes on.

What waits is looked up, so whoever pays needs its id alone. Once it is paid it is called down, as
often as it takes; what cannot be done any more gives the money back.
"""

from datetime import datetime
from uuid import UUID

import msgspec

from billing.gateway import intents
from billing.gateway.shapes import Checkout
from billing.subscriptions import customers
from billing.subscriptions.fees import rows
from billing.subscriptions.fees.listing import view
from billing.subscriptions.fees.refusals import UnknownFee
from billing.subscriptions.fees.rows import Fee
from billing.subscriptions.house import House, one_act
from billing.subscriptions.recovering import EXPIRE, FEE_BACK
from billing.subscriptions.telling import of_fees
from billing.subscriptions.views import FeeView
from coalition.families.groups import act_rows
from coalition.families.groups.act_rows import ActState
from coalition.families.groups.groups import Groups
from coalition.families.kin.group_refusals import UnknownAct
from coalition.families.kin.speaking import By
from coalition.families.kin.transfer_refusals import FeeNotDue
from coalition.families.rule_sets.notation import Money as Agreed
from coalition.families.rule_sets.vocabulary import TransferState
from coalition.families.transfers import deciding, transfers
from coalition.families.transfers.transferring import Transfers
from coalition.kernel import outbox
from coalition.kernel.database import Connection, transaction
from coalition.kernel.errors import Refused, Unavailable
from coalition.kernel.ids import MemberId, bucket_of, shard_of
from coalition.kernel.money import Money
from coalition.kernel.outbox import Delivery, Event, Subscriber

BILLING = By.staff("system:billing")

OTHERWISE = "paid_otherwise"
"""Why a payment goes back: staff have noted the fee as paid before it came."""

_FAILED = frozenset({TransferState.REJECTED, TransferState.EXPIRED})


class _Still:
    """A clock that stands at the instant of an act."""

    def __init__(self, at: datetime) -> None:
        self._at = at

    def now(self) -> datetime:
        """Return the instant."""
        return self._at


async def checkout(
    house: House, member: MemberId, fee_id: UUID, *, back_to: str, key: str, at: datetime
) -> FeeView:
    """Open the page on which a fee is paid; see `Memberships.pay_fee`."""
    back = house.way_back(back_to)
    async with one_act(member, "fee", key, at):
        known = await _looked_at(house, member, fee_id, at=at)
        if known is not None and known.state in {"paid", "done"}:
            return view(known)
        async with transaction() as connection:
            kind, money = await _due(connection, member, fee_id)
            fee = await rows.begin(connection, fee_id, kind, payer=member, money=money, at=at)
        if fee.url is not None:
            return view(fee)
        customer = await customers.ensure(house, member, country=None, at=at)
        own = f"fee-{fee.id}-{fee.attempt}"
        metadata = {"member_id": str(member), "fee_id": str(fee.id)}

        async def call() -> Checkout:
            return await house.gateway.open_payment_checkout(
                own,
                customer_id=customer,
                money=fee.money,
                what="Family",
                metadata=metadata,
                success_url=back,
                cancel_url=back,
            )

        request = metadata | {"amount_minor": fee.amount_minor, "currency": fee.currency}
        page = await intents.perform("fee", own, request, call, answer=Checkout, at=at)
        async with transaction() as connection:
            await rows.opened(connection, fee.id, page.id, page.url, page.expires_at)
            now = await rows.read(connection, fee.id)
    assert now is not None, "it was begun above"
    return view(now)


async def show(house: House, member: MemberId, fee_id: UUID, *, at: datetime) -> FeeView:
    """Return how a fee stands; see `Memberships.fee`."""
    known = await _looked_at(house, member, fee_id, at=at)
    if known is not None:
        return view(known)
    async with transaction() as connection:
        kind, money = await _due(connection, member, fee_id)
    return FeeView(fee_id=fee_id, kind=kind, state="due", amount=money)


async def check(member: MemberId, fee_id: UUID) -> None:
    """Raise `UnknownFee` unless a member pays, or would have paid, what has this id."""
    async with transaction() as connection:
        transfer = await transfers.read(connection, fee_id)
        if transfer is not None:
            is_own = transfer.sender == member and transfer.fee_currency is not None
        else:
            try:
                is_own = (await act_rows.read(connection, fee_id)).payer == member
            except UnknownAct:
                is_own = False
    if not is_own:
        raise UnknownFee


async def settle(house: House, page: Checkout, *, at: datetime) -> None:
    """Write down what Stripe says of a fee's page, and let what waits go on; counted once."""
    fee_id, payment = UUID(page.metadata["fee_id"]), page.payment_intent_id
    async with transaction() as connection:
        fee = await rows.read(connection, fee_id, lock=True)
        if fee is None:
            return
        if page.payment_status == "paid" and payment is not None:
            if fee.payment != payment and await intents.is_promised(connection, _back_key(payment)):
                return  # It went back: told of again, it pays for no later attempt.
            if fee.payment not in {None, payment}:
                await _promise_back(connection, fee, payment, at)
                return
            is_noted = fee.payment is None and await _noted_at(connection, fee) is not None
            await rows.paid(connection, fee_id, payment, at)
            if is_noted:
                paid = msgspec.structs.replace(fee, payment=payment)
                await _give_back(connection, paid, OTHERWISE, at)
                return
        elif page.status == "expired":
            await rows.expired(connection, fee_id, page.id)
        fee = await rows.read(connection, fee_id)
    if fee is not None and fee.state == "paid":
        await _call_down(house, fee, at=at)


async def _call_down(house: House, fee: Fee, *, at: datetime) -> None:
    agreed = Agreed(amount_minor=fee.amount_minor, currency=fee.currency)
    try:
        if fee.kind == "act":
            groups = Groups(keys=house.keys)
            act = await groups.fee_paid(fee.id, paid=agreed, by=BILLING, at=at)
            outcome, is_lost = act.refusal or act.state, act.state is ActState.REFUSED
        else:
            service = Transfers(keys=house.keys, clock=_Still(at))
            sent = await deciding.fee_paid(service, fee.id, paid=agreed, at=at)
            outcome, is_lost = sent.state, sent.state in _FAILED
    except Unavailable:
        raise
    except Refused as refused:
        outcome, is_lost = refused.code, True
    async with transaction() as connection:
        if is_lost:
            await _give_back(connection, fee, outcome, at)
        elif await _noted_at(connection, fee) not in {fee.paid_at, at}:
            # Staff came in between. Only a process that died twice here could be taken for that.
            await _give_back(connection, fee, OTHERWISE, at)
        else:
            await rows.over(connection, fee.id, "done", outcome)


async def _noted_at(connection: Connection, fee: Fee) -> datetime | None:
    """Return when what waits for a fee was told that it is paid, by whomever."""
    if fee.kind == "act":
        return (await act_rows.read(connection, fee.id)).paid_at
    transfer = await transfers.read(connection, fee.id)
    return None if transfer is None else transfer.fee_paid_at


async def _give_back(connection: Connection, fee: Fee, why: str, at: datetime) -> None:
    """Promise, in the caller's transaction, that a fee goes back; the worker does it."""
    assert fee.payment is not None, "only what was paid goes back"
    if not await rows.over(connection, fee.id, "returned", why):
        return
    await _promise_back(connection, fee, fee.payment, at)
    told = {
        "fee_id": str(fee.id),
        "member_id": str(fee.payer),
        "amount_minor": fee.amount_minor,
        "currency": fee.currency,
        "reason": why,
    }
    shard = shard_of(bucket_of(fee.id))
    await outbox.append(connection, [Event("billing.fee_returned", told, shard=shard)], at)
    await of_fees.tell_of_returned(connection, fee, at)


async def _promise_back(connection: Connection, fee: Fee, payment: str, at: datetime) -> None:
    request = {
        "payment": payment,
        "amount_minor": fee.amount_minor,
        "currency": fee.currency,
        "member_id": str(fee.payer),
        "fee_id": str(fee.id),
    }
    await intents.promise(connection, FEE_BACK, _back_key(payment), request, at=at)


def _back_key(payment: str) -> str:
    return f"fee-back-{payment}"


async def _looked_at(house: House, member: MemberId, fee_id: UUID, *, at: datetime) -> Fee | None:
    """Return a fee of the member's that was begun, after a look at its page where that is open."""
    async with transaction() as connection:
        fee = await rows.read(connection, fee_id)
    if fee is None:
        return None
    if fee.payer != member:
        raise UnknownFee
    if fee.state == "open" and fee.checkout_id is not None:
        await settle(house, await house.gateway.checkout(fee.checkout_id), at=at)
        async with transaction() as connection:
            fee = await rows.read(connection, fee_id)
    return fee


async def _due(connection: Connection, member: MemberId, fee_id: UUID) -> tuple[str, Money]:
    """Return what waits for a fee, and how much; raises `UnknownFee` and `FeeNotDue`."""
    transfer = await transfers.read(connection, fee_id)
    if transfer is not None:
        if transfer.sender != member or transfer.fee_currency is None:
            raise UnknownFee
        if transfer.state is not TransferState.AWAITING_PAYMENT:
            raise FeeNotDue(state=transfer.state)
        return "transfer", Money(transfer.fee_minor, transfer.fee_currency)
    try:
        act = await act_rows.read(connection, fee_id)
    except UnknownAct as error:
        raise UnknownFee from error
    if act.payer != member:
        raise UnknownFee
    if act.state is not ActState.AWAITING_PAYMENT:
        raise FeeNotDue(state=act.state)
    return "act", Money(act.fee_minor, act.fee_currency)


async def _heard(delivery: Delivery, at: datetime) -> None:
    """Give back what was paid for a transfer or an act of which nothing comes; close its page.

    The page is closed as well of what staff have noted as paid.
    """
    told = delivery.payload
    is_paid = delivery.kind in _ON_ITS_WAY
    if is_paid and "transfer_id" in told and "fee" not in told:
        return
    fee_id = UUID(str(told.get("transfer_id") or told["act_id"]))
    async with transaction() as connection:
        fee = await rows.read(connection, fee_id, lock=True)
        if fee is None:
            return
        if fee.payment is not None and not is_paid:
            await _give_back(connection, fee, delivery.kind.rpartition(".")[2], at)
        elif fee.state == "open" and fee.checkout_id is not None:
            request = {"checkout": fee.checkout_id}
            key = f"fee-close-{fee.id}-{fee.attempt}"
            await intents.promise(connection, EXPIRE, key, request, at=at)
            if is_paid:
                await rows.closed(connection, fee.id, OTHERWISE)


_ON_ITS_WAY = frozenset(
    {"families.transfer_held", "families.transfer_completed", "families.fee_paid"}
)
"""What is told of what waits no more, since its fee was paid."""

SUBSCRIBER = Subscriber(
    "fees",
    frozenset(
        {
            "families.transfer_rejected",
            "families.transfer_expired",
            "families.fee_to_return",
        }
    )
    | _ON_ITS_WAY,
    _heard,
)
"""Who hears that nothing comes of what was paid for, and that a fee waits no more."""
