"""Everything that we keep beside everything that Stripe lists: what has to be looked at by itself.

A subscription comes to a number: the sum of the digests of itself, its invoices, refunds and
disputes. Ours is added and what Stripe lists is taken off, so that what is the same comes to
nothing, in whatever order it is read. What does not, the caller looks at; a change made meanwhile
costs such a look and no more. Held in memory is a number for each subscription and customer.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping
from hashlib import blake2b
from uuid import UUID

import msgspec

from billing.gateway.client import Gateway
from billing.gateway.shapes import (
    Charge,
    Invoice,
    InvoiceStatus,
    Payment,
    Picture,
    Subscription,
)
from billing.subscriptions import deriving, register, sold
from billing.subscriptions.drifts import lasting
from billing.subscriptions.stretches import is_over
from billing.subscriptions.syncing import MEMBER
from billing.subscriptions.unexplained import Kind, Unexplained
from coalition.kernel.database import transaction
from coalition.kernel.money import Money

PAGE = 500
_ROOM = 1 << 64
_encoder = msgspec.json.Encoder(order="deterministic")

# Whoever is called so at Stripe, or pays a subscription by it; the first is told where they differ.
_OWNERS = """
SELECT customer_id, member_id, 1 AS weight FROM stripe_subscription
WHERE customer_id = ANY ($1) AND member_id IS NOT NULL
UNION ALL
SELECT customer_id, member_id, 2 FROM member_at_stripe WHERE customer_id = ANY ($1)
ORDER BY weight
"""


class Comparison:
    """What one comparison has read: `suspects` have to be looked at.

    `found` is what our side alone shows to be unexplained, which a look may still explain.
    """

    def __init__(self, gateway: Gateway) -> None:
        """Compare with what `gateway` lists."""
        self.suspects: set[str] = set()
        self.found: list[Unexplained] = []
        self._gateway = gateway
        self._sums: dict[str, int] = {}
        self._paid: defaultdict[str, int] = defaultdict(int)
        self._strangers: dict[str, Subscription] = {}
        self._loose: list[Invoice] = []
        self._sold: list[Charge] = []
        self._back: Mapping[str, int] = {}

    @property
    def compared(self) -> int:
        """How many subscriptions were compared."""
        return len(self._sums.keys() | self.suspects | self._strangers.keys())

    async def read(self) -> None:
        """Read both sides. Raises `StripeUnavailable`."""
        await self._read_ours()
        given_back = self._back = await self._given_back()
        await self._take_off_subscriptions()
        await self._take_off_invoices(given_back)
        await self._take_off_charges()
        self.suspects |= {name for name, left in self._sums.items() if left % _ROOM}

    def is_as_kept(self, payment: str, kept: Payment | None) -> bool:
        """Tell whether what is listed as given back of a payment is what is kept of it."""
        if kept is None:
            return False
        known = sum(_digest(one) for one in (*kept.refunds, *kept.disputes))
        return not (self._back.get(payment, 0) - known) % _ROOM

    async def _read_ours(self) -> None:
        after = None
        while True:
            async with transaction() as connection:
                page = await register.some_kept(connection, after, PAGE)
                plans = await deriving.plans_now(connection)
            if not page:
                return
            after = page[-1].id
            for one in page:
                if one.picture is None:
                    self.suspects.add(one.id)
                    continue
                self._sums[one.id] = _worth(one.picture)
                shown = one.picture.subscription
                if one.member_id is None:
                    self.found.append(foreign(shown))
                elif not deriving.terms_of(plans, [one.picture]).get(shown.price_id):
                    self.found.append(unpriced(shown, str(one.member_id)))

    async def _given_back(self) -> Mapping[str, int]:
        """Return what refunds and disputes come to, by the payment that they give back."""
        given: defaultdict[str, int] = defaultdict(int)
        async for refund in self._gateway.every_refund():
            given[refund.payment_intent_id] += _digest(refund)
        async for dispute in self._gateway.every_dispute():
            given[dispute.payment_intent_id] += _digest(dispute)
        return given

    async def _take_off_subscriptions(self) -> None:
        async for one, credit in self._gateway.every_subscription():
            if one.id in self._sums:
                self._sums[one.id] -= _digest(one) + _credit(one, credit)
            elif _names_a_member(one):
                self.suspects.add(one.id)
            else:
                self._strangers[one.id] = one

    async def _take_off_invoices(self, given_back: Mapping[str, int]) -> None:
        async for invoice, paid_by in self._gateway.every_invoice():
            for payment in paid_by:
                self._paid[invoice.customer_id] += _digest(payment)
            subscription = invoice.subscription_id
            if subscription is None:
                if invoice.status is InvoiceStatus.PAID and invoice.amount_paid.amount_minor:
                    self._loose.append(invoice)
            elif subscription in self._sums:
                back = sum(given_back.get(one, 0) for one in invoice.payment_intent_ids)
                self._sums[subscription] -= _digest(lasting(invoice)) + back
            elif subscription not in self._strangers:
                self.suspects.add(subscription)

    async def _take_off_charges(self) -> None:
        async for charge in self._gateway.every_charge():
            if sold.is_marked(charge):
                self._sold.append(charge)
            elif charge.customer_id is not None:
                self._paid[charge.customer_id] -= _digest(charge.payment)

    async def unexplained(self) -> list[Unexplained]:
        """Return what no look at a subscription explains; uneven payments are looked up first.

        Raises `StripeUnavailable`.
        """
        uneven = {name for name, left in self._paid.items() if left % _ROOM}
        customers = uneven | {one.customer_id for one in self._loose}
        owners = await _owners(customers | {one.customer_id for one in self._strangers.values()})
        found = [foreign(one, owners.get(one.customer_id)) for one in self._strangers.values()]
        found += [
            _loose(one, owners[one.customer_id]) for one in self._loose if one.customer_id in owners
        ]
        for customer in sorted(uneven & owners.keys()):
            found += await self._uneven(customer, owners[customer])
        return [*found, *await sold.compare(self._sold)]

    async def _uneven(self, customer: str, member: str) -> list[Unexplained]:
        """Return the payments of a customer that paid nothing of ours, and what has no payment."""
        charges = await self._gateway.charges_of(customer)
        found = [
            sold.unexplained(charge, "for no invoice and nothing else that we sold", member)
            for charge in charges
            if not sold.is_marked(charge)
            and await self._gateway.invoice_of_payment(charge.payment) is None
        ]
        came = {charge.payment for charge in charges}
        async for invoice, paid_by in self._gateway.paid_of(customer):
            found += [_unpaid(invoice, one, member) for one in paid_by if one not in came]
        return found


def foreign(one: Subscription, member: str | None = None) -> Unexplained:
    """Return that a subscription is nobody's here; `member` is whose customer pays for it."""
    return Unexplained(
        id=one.id,
        kind=Kind.FOREIGN,
        customer_id=one.customer_id,
        member_id=member,
        told=f"nobody's here: {one.status} at Stripe, to price {one.price_id}",
    )


def unpriced(one: Subscription, member: str) -> Unexplained:
    """Return that a member's subscription is to a price that we do not sell."""
    return Unexplained(
        id=one.id,
        kind=Kind.PRICE,
        customer_id=one.customer_id,
        member_id=member,
        told=f"price {one.price_id} is none of ours",
    )


def _loose(one: Invoice, member: str) -> Unexplained:
    paid = one.amount_paid
    return Unexplained(
        id=one.id,
        kind=Kind.INVOICE,
        customer_id=one.customer_id,
        member_id=member,
        told=f"paid {paid.amount_minor} {paid.currency} for no subscription",
    )


def _unpaid(one: Invoice, payment: str, member: str) -> Unexplained:
    paid = one.amount_paid
    money = f"{paid.amount_minor} {paid.currency}"
    return Unexplained(
        id=payment,
        kind=Kind.ENTRY,
        customer_id=one.customer_id,
        member_id=member,
        told=f"invoice {one.id} is paid with {money}, and Stripe has no such payment",
    )


def _names_a_member(one: Subscription) -> bool:
    try:
        UUID(one.metadata.get(MEMBER, ""))
    except ValueError:
        return False
    return True


def _worth(picture: Picture) -> int:
    invoices = sum(_digest(lasting(one)) for one in picture.invoices)
    given_back = sum(_digest(one) for one in (*picture.refunds, *picture.disputes))
    one = picture.subscription
    return _digest(one) + invoices + given_back + _credit(one, picture.credit)


def _credit(one: Subscription, credit: Money | None) -> int:
    """Return what its customer's credit comes to: nothing of what has ended, which uses none."""
    return 0 if is_over(one) else _digest(["credit", credit])


def _digest(what: object) -> int:
    return int.from_bytes(blake2b(_encoder.encode(what), digest_size=8).digest(), "big")


async def _owners(customers: Collection[str]) -> dict[str, str]:
    """Return whose customers are ours, as text."""
    async with transaction() as connection:
        rows = await connection.fetch(_OWNERS, sorted(customers))
    return {row["customer_id"]: str(row["member_id"]) for row in rows}
