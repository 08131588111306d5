"""Tells a member of what it has done, with the facts of the receipt that it is shown too."""

from billing.subscriptions import deriving
from billing.subscriptions.telling.telling import Fact, Moment, tell
from billing.subscriptions.views import Receipt, ReceiptKind
from coalition.kernel.database import Connection
from coalition.kernel.ids import MemberId


async def tell_of(connection: Connection, member: MemberId, receipt: Receipt) -> None:
    """Tell a member of a receipt, in the transaction that keeps it."""
    plans = await deriving.plans_now(connection)
    kind, facts = _facts(receipt)
    facts["plan"] = plans.by_code(receipt.plan).document.name
    await tell(connection, member, kind, receipt.receipt_id, at=receipt.at, facts=facts)


def _facts(receipt: Receipt) -> tuple[str, dict[str, Fact]]:
    kind, facts = receipt.kind.value, dict[str, Fact](done=Moment(receipt.at))
    named: dict[str, Fact | None] = {
        "ends": receipt.ends_at,
        "until": receipt.paused_until,
        "refund": receipt.refund,
        "new": receipt.new_price,
        "applies": receipt.applies_at,
    }
    facts |= {name: fact for name, fact in named.items() if fact is not None}
    if receipt.kind is ReceiptKind.CANCELLED and (receipt.ends_at or receipt.at) <= receipt.at:
        kind = "cancelled_now"
    return kind, facts
