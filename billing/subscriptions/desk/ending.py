"""Staff cancel a membership for its member, end it at once, and take a cancellation back.

What is to be asked of Stripe, the receipt, the member's message and the audit log's entry are
written in one transaction before Stripe is asked. So whoever dies in between leaves nothing half
done: the same key goes on, or the worker does. See docs/adr/0059 and 0062.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import NamedTuple

from billing.gateway import intents
from billing.subscriptions import leaving, putting_off, reading, receipts, register, syncing
from billing.subscriptions.desk import acts
from billing.subscriptions.desk.refusals import AlreadyCancelled, AlreadyEnded
from billing.subscriptions.house import House, one_act
from billing.subscriptions.reading import Paid
from billing.subscriptions.recovering import PUT_OFF
from billing.subscriptions.refusals import NotAMember, NothingToCancel, NothingToRestore
from billing.subscriptions.views import Receipt, ReceiptKind
from coalition.kernel.database import transaction
from coalition.kernel.ids import MemberId
from coalition.members import queries
from coalition.members.refusals import UnknownMember
from coalition.oversight import audit_log
from coalition.oversight.reasons import valid_reason

CANCELLED = "membership.cancelled"
ENDED = "membership.ended"
RESTORED = "membership.restored"


class Asked(NamedTuple):
    """Who of the staff does it and why; the same `key` is the same act."""

    by: str
    reason: str
    key: str


class _Act(NamedTuple):
    """What is to be done: at Stripe, and what is said of it here."""

    paid: Paid
    kind: str
    request: acts.Request
    action: str
    receipt: Receipt
    put_off: dict[str, str] | None = None


async def cancel(
    house: House, member: MemberId, asked: Asked, *, at_once: bool = False, at: datetime
) -> Receipt:
    """End a membership with what is paid, or `at_once`; return the receipt, which its member has.

    One that is not paid for ends at once either way. Nothing is given back: that is a refund.
    Raises `UnknownMember`, `NothingToCancel`, `AlreadyEnded`, `AlreadyCancelled`, `ReasonNeeded`,
    `ActInProgress`, `StripeUnavailable`.
    """

    async def judged() -> _Act:
        paid = await _living(house, member)
        one = paid.subscription
        ends = one.cancel_at or (one.period_end if one.cancel_at_period_end else None)
        if ends is not None and not at_once:
            raise AlreadyCancelled(ends_at=ends.isoformat())
        now = at_once or one.status in leaving.UNPAID
        kind, ends_at = ReceiptKind.CANCELLED, at if now else one.period_end
        return _Act(
            paid=paid,
            kind=acts.CANCEL,
            request={"subscription": one.id, "now": now},
            action=ENDED if now else CANCELLED,
            receipt=await leaving.receipt_of(house, paid, kind, at=at, ends_at=ends_at),
        )

    word = "desk-end" if at_once else "desk-cancel"
    return await _done(house, member, word, asked, judged, at=at)


async def uncancel(house: House, member: MemberId, asked: Asked, *, at: datetime) -> Receipt:
    """Let a cancelled membership go on, for its member, while it has not ended.

    Raises `UnknownMember`, `NothingToRestore`, `ReasonNeeded`, `ActInProgress`,
    `StripeUnavailable`.
    """

    async def judged() -> _Act:
        try:
            paid = await _paid(house, member)
        except NotAMember as error:
            raise NothingToRestore from error
        one = paid.subscription
        if not one.cancel_at_period_end:
            raise NothingToRestore
        async with transaction() as connection:
            given = await putting_off.given_until(connection, paid.membership)
        is_put_off = given is not None and given > one.period_end
        return _Act(
            paid=paid,
            kind=acts.UNCANCEL,
            request={"subscription": one.id},
            action=RESTORED,
            receipt=await leaving.receipt_of(house, paid, ReceiptKind.UNCANCELLED, at=at),
            put_off=putting_off.request_of(one, given, at) if is_put_off and given else None,
        )

    return await _done(house, member, "desk-uncancel", asked, judged, at=at)


async def _done(
    house: House,
    member: MemberId,
    word: str,
    asked: Asked,
    judged: Callable[[], Awaitable[_Act]],
    *,
    at: datetime,
) -> Receipt:
    """Promise what was `judged` and do it; what this key has promised is not judged again."""
    why = valid_reason(asked.reason)
    async with one_act(member, word, asked.key, at) as own:
        promised = await intents.begun(own)
        if promised is None:
            act = await judged()
            await _promise(act, own, asked._replace(reason=why), at)
            kind, request = act.kind, dict(act.request)
        else:
            kind, request = promised.kind, promised.request

        async def call() -> object:
            return await acts.CALLS[kind](house.gateway, own, request)

        await intents.perform(kind, own, request, call, answer=object, at=at)
        later = await intents.begun(_put_off_key(own))
        if later is not None:
            await putting_off.perform(house, later.key, later.request, at=at)
        await syncing.sync(house.gateway, request["subscription"], at=at)
        async with transaction() as connection:
            receipt = await receipts.of_key(connection, member, own)
    assert receipt is not None, "it was kept with the promise"
    return receipt


async def _promise(act: _Act, own: str, asked: Asked, at: datetime) -> None:
    member, membership = act.paid.membership.member_id, act.paid.membership.id
    facts: dict[str, object] = {
        "membership_id": membership,
        "subscription": act.paid.subscription.id,
        "reason": asked.reason,
    }
    if act.receipt.ends_at is not None:
        facts["ends_at"] = act.receipt.ends_at
    async with transaction() as connection:
        await intents.promise(connection, act.kind, own, act.request, at=at)
        if act.put_off is not None:
            await intents.promise(connection, PUT_OFF, _put_off_key(own), act.put_off, at=at)
        await receipts.keep(connection, member, own, act.receipt)
        await audit_log.record(
            connection,
            actor=asked.by,
            action=act.action,
            subject=f"member:{member}",
            facts=facts,
            at=at,
        )


async def _living(house: House, member: MemberId) -> Paid:
    """Return what a member pays for. Raises what says why there is nothing."""
    try:
        return await _paid(house, member)
    except NotAMember as error:
        async with transaction() as connection:
            found = await register.of_member(connection, member)
        last = next((one for one in found if one.subscription is not None), None)
        if last is None or any(one.ended_at is None for one in found):
            raise NothingToCancel from error
        facts = {} if last.ended_at is None else {"ended_at": last.ended_at.isoformat()}
        raise AlreadyEnded(**facts) from error


async def _paid(house: House, member: MemberId) -> Paid:
    async with transaction() as connection:
        if await queries.read_standing(connection, member) is None:
            raise UnknownMember
    return await reading.paid(house, member)


def _put_off_key(own: str) -> str:
    return f"{own}:put-off"
