"""What we ask Stripe of the whole account: its lists, a hundred objects a call.

So everything is compared with few calls. Lists leave out what lives by a test clock, and a change
made while they are read may be in one list and not in the next: what differs by them is looked at
again by itself. What cannot be read, such as a thing of another business of the account in a shape
that we never make, is left out.
"""

from collections.abc import AsyncIterator, Callable
from typing import NamedTuple, TypeVar

import structlog

from billing.gateway import mapping
from billing.gateway.calls import Raw
from billing.gateway.readings import Readings
from billing.gateway.shapes import Charge, Customer, Dispute, Invoice, Refund, Subscription
from coalition.kernel.errors import Refused
from coalition.kernel.money import Money

Shape = TypeVar("Shape")

_UNREADABLE = (AssertionError, IndexError, KeyError, Refused, TypeError, ValueError)
_logger = structlog.get_logger(__name__)


class ListedSubscription(NamedTuple):
    """A subscription as its picture has it, and what its customer has left for later invoices."""

    subscription: Subscription
    credit: Money | None


class ListedInvoice(NamedTuple):
    """An invoice as the picture of its subscription has it, and the payments that paid it."""

    invoice: Invoice
    paid_by: tuple[str, ...]


class Listings(Readings):
    """The questions of billing to Stripe about all that it has of one kind."""

    async def every_subscription(self) -> AsyncIterator[ListedSubscription]:
        """Yield all subscriptions, ended ones too, as their pictures have them."""
        asked = {"status": "all", "expand": ["data.schedule", "data.customer"]}
        async for one in self.pages("/v1/subscriptions", asked):
            if (subscription := _read(mapping.subscription_of, one)) is not None:
                yield ListedSubscription(subscription, mapping.credit_of(one["customer"]))

    async def every_invoice(self) -> AsyncIterator[ListedInvoice]:
        """Yield all invoices; those with many lines cost a call more."""
        async for one in self.pages("/v1/invoices", {"expand": ["data.payments"]}):
            one["lines"]["data"] = await self.lines_of(one)
            if (invoice := _read(mapping.invoice_of, one)) is not None:
                yield ListedInvoice(invoice, mapping.paid_by(one))

    async def every_refund(self) -> AsyncIterator[Refund]:
        """Yield all refunds; one of a charge without an intent names no payment."""
        async for one in self.pages("/v1/refunds", {}):
            if (refund := _read(mapping.refund_of, one)) is not None:
                yield refund

    async def every_dispute(self) -> AsyncIterator[Dispute]:
        """Yield all disputes; one of a charge without an intent names no payment."""
        async for one in self.pages("/v1/disputes", {}):
            if (dispute := _read(mapping.dispute_of, one)) is not None:
                yield dispute

    async def every_charge(self) -> AsyncIterator[Charge]:
        """Yield all charges by which money came."""
        async for one in self.pages("/v1/charges", {}):
            if (charge := _read(mapping.charge_of, one)) is not None:
                yield charge

    async def every_customer(self) -> AsyncIterator[Customer]:
        """Yield all customers that have not been deleted."""
        async for one in self.pages("/v1/customers", {}):
            if (customer := _read(mapping.customer_of, one)) is not None:
                yield customer

    async def paid_of(self, customer_id: str) -> AsyncIterator[ListedInvoice]:
        """Yield the invoices of a customer that are paid, without further pages of their lines."""
        asked = {"customer": customer_id, "status": "paid", "expand": ["data.payments"]}
        async for one in self.pages("/v1/invoices", asked):
            if (invoice := _read(mapping.invoice_of, one)) is not None:
                yield ListedInvoice(invoice, mapping.paid_by(one))

    async def charges_of(self, customer_id: str) -> tuple[Charge, ...]:
        """Return the charges of a customer by which money came."""
        pages = self.pages("/v1/charges", {"customer": customer_id})
        return tuple([one async for raw in pages if (one := mapping.charge_of(raw)) is not None])


def _read(read: Callable[[Raw], Shape], raw: Raw) -> Shape | None:
    try:
        return read(raw)
    except _UNREADABLE as error:
        _logger.warning("listed_object_unreadable", id=raw.get("id"), exc_info=error)
        return None
