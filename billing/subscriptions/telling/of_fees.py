"""Tells of fees of families: that one waits to be paid, and that one comes back."""

from datetime import datetime
from uuid import UUID

from billing.subscriptions.fees.rows import Fee
from billing.subscriptions.telling.telling import tell
from coalition.kernel.database import Connection, retrying, transaction
from coalition.kernel.ids import MemberId
from coalition.kernel.money import Money
from coalition.kernel.outbox import Delivery, Subscriber

FEES = "/fees"
"""The page of fees of families."""


async def tell_of_returned(connection: Connection, fee: Fee, at: datetime) -> None:
    """Tell who paid a fee that it comes back, in the transaction that promises it."""
    await tell(
        connection, fee.payer, "fee_returned", fee.id, at=at, path=FEES, facts={"amount": fee.money}
    )


async def _heard(delivery: Delivery, at: datetime) -> None:
    """Tell who is to pay a fee that it waits; families know nothing of billing."""
    told = delivery.payload
    if "transfer_id" in told:
        about, payer, fee = told["transfer_id"], told["sender"], told.get("fee")
    else:
        about, payer, fee = told["act_id"], told["member_id"], told
    if not isinstance(fee, dict):
        return
    amount = Money(int(fee["amount_minor"]), str(fee["currency"]))
    member = MemberId(UUID(str(payer)))

    async def attempt() -> None:
        async with transaction() as connection:
            due = {"amount": amount}
            await tell(connection, member, "fee_due", str(about), at=at, path=FEES, facts=due)

    await retrying(attempt)


SUBSCRIBER = Subscriber("fees_due", frozenset({"families.fee_due"}), _heard)
"""Who hears that a fee of a family waits to be paid."""
