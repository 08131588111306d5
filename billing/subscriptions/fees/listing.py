"""What a member's families ask of it in money: what is due, and what was paid before."""

from datetime import datetime
from uuid import UUID

import msgspec

from billing.subscriptions.fees import rows
from billing.subscriptions.fees.rows import Fee
from billing.subscriptions.views import FeeView
from coalition.families.groups import act_rows
from coalition.families.groups.act_rows import ActState
from coalition.families.rule_sets.vocabulary import TransferState
from coalition.families.transfers import transfers
from coalition.kernel.database import Connection, transaction
from coalition.kernel.ids import MemberId
from coalition.kernel.money import Money


async def of_member(member: MemberId, *, at: datetime) -> tuple[FeeView, ...]:
    """Return the fees that a member owes, the first that ends first, then those it has paid.

    Nothing is asked of Stripe: a page that was paid just now is open here until we have heard.
    """
    async with transaction() as connection:
        due = await _due(connection, member, at)
        begun = {fee.id: fee for fee in await rows.of_payer(connection, member)}
    owed = [
        _opened(one, begun.get(one.fee_id))
        for one in sorted(due, key=lambda one: (one.due_by or at, one.fee_id))
    ]
    ids = {one.fee_id for one in due}
    before = [view(fee) for fee in reversed(begun.values()) if fee.id not in ids]
    return (*owed, *before)


def view(fee: Fee) -> FeeView:
    """Return a fee that was begun, as its member sees it."""
    is_open = fee.state == "open"
    return FeeView(
        fee_id=fee.id,
        kind=fee.kind,
        state=fee.state,
        amount=fee.money,
        url=fee.url if is_open else None,
        expires_at=fee.expires_at if is_open else None,
        outcome=fee.outcome,
        paid_at=fee.paid_at,
    )


async def _due(connection: Connection, member: MemberId, at: datetime) -> list[FeeView]:
    found = []
    for transfer_id in await transfers.waiting_of(connection, member):
        one = await transfers.read(connection, transfer_id)
        if (
            one is not None
            and one.sender == member
            and one.state is TransferState.AWAITING_PAYMENT
            and one.fee_currency is not None
            and (one.expires_at is None or one.expires_at > at)
        ):
            money = Money(one.fee_minor, one.fee_currency)
            found.append(_owed(transfer_id, "transfer", money, one.expires_at))
    for act in await act_rows.of_member(connection, member):
        is_own = act.payer == member and act.expires_at > at
        if is_own and act.state is ActState.AWAITING_PAYMENT:
            money = Money(act.fee_minor, act.fee_currency)
            found.append(_owed(act.id, "act", money, act.expires_at))
    return found


def _owed(fee_id: UUID, kind: str, money: Money, due_by: datetime | None) -> FeeView:
    return FeeView(fee_id=fee_id, kind=kind, state="due", amount=money, due_by=due_by)


def _opened(due: FeeView, begun: Fee | None) -> FeeView:
    """Return what is due with the page on which somebody has begun to pay it."""
    if begun is None or begun.state not in {"open", "paid"}:
        return due
    return msgspec.structs.replace(view(begun), due_by=due.due_by)
