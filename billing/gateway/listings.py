"""What we ask Stripe of the whole account: its lists, a hundred objects a call.

So everything is compared with few calls. Lists leave out what lives by a test clock, and a change
made while they are read may be in one list and not in the next: what differs by them is looked at
again by itself.
"""

from collections.abc import AsyncIterator
from typing import NamedTuple

from billing.gateway import mapping
from billing.gateway.readings import Readings
from billing.gateway.shapes import Charge, Dispute, Invoice, Refund, Subscription


class ListedInvoice(NamedTuple):
    """An invoice as the picture of its subscription has it, and the payments that paid it."""

    invoice: Invoice
    paid_by: tuple[str, ...]


class Listings(Readings):
    """The questions of billing to Stripe about all that it has of one kind."""

    async def every_subscription(self) -> AsyncIterator[Subscription]:
        """Yield all subscriptions, ended ones too, as their pictures have them."""
        asked = {"status": "all", "expand": ["data.schedule"]}
        async for one in self.pages("/v1/subscriptions", asked):
            yield mapping.subscription_of(one)

    async def every_invoice(self) -> AsyncIterator[ListedInvoice]:
        """Yield all invoices; those with many lines cost a call more."""
        async for one in self.pages("/v1/invoices", {"expand": ["data.payments"]}):
            invoice = mapping.invoice_of(one, await self.lines_of(one))
            yield ListedInvoice(invoice, mapping.paid_by(one))

    async def every_refund(self) -> AsyncIterator[Refund]:
        """Yield all refunds; one of a charge without an intent names no payment."""
        async for one in self.pages("/v1/refunds", {}):
            yield mapping.refund_of(one)

    async def every_dispute(self) -> AsyncIterator[Dispute]:
        """Yield all disputes; one of a charge without an intent names no payment."""
        async for one in self.pages("/v1/disputes", {}):
            yield mapping.dispute_of(one)

    async def every_charge(self) -> AsyncIterator[Charge]:
        """Yield all charges by which money came."""
        async for one in self.pages("/v1/charges", {}):
            charge = mapping.charge_of(one)
            if charge is not None:
                yield charge

    async def charges_of(self, customer_id: str) -> tuple[Charge, ...]:
        """Return the charges of a customer by which money came."""
        pages = self.pages("/v1/charges", {"customer": customer_id})
        return tuple([one async for raw in pages if (one := mapping.charge_of(raw)) is not None])
