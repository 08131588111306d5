"""Staff end a membership for its member: with what is paid, at once, once, and back again."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime, timedelta

import pytest

from billing.gateway.refusals import StripeUnavailable
from billing.sandbox.faults import Kind
from billing.subscriptions import receipts, recovering
from billing.subscriptions.desk import ending
from billing.subscriptions.desk.ending import Asked
from billing.subscriptions.desk.refusals import AlreadyCancelled, AlreadyEnded
from billing.subscriptions.refusals import NothingToCancel, NothingToRestore
from billing.subscriptions.views import MembershipState, Receipt, ReceiptKind
from coalition.kernel.database import transaction
from coalition.kernel.ids import MemberId, random_id
from coalition.members.refusals import UnknownMember
from coalition.oversight.refusals import ReasonNeeded
from tests.billing.memberships.gifted import PLUS, give
from tests.billing.memberships.world import Club, make_club

pytestmark = pytest.mark.usefixtures("database")

CALLED = Asked("staff:anna", "she called", "a")


async def logged(member: MemberId) -> list[tuple[str, str]]:
    """Return who did what to a member, by the audit log."""
    async with transaction() as connection:
        rows = await connection.fetch(
            "SELECT actor, action FROM audit_log WHERE subject = $1 AND action LIKE 'membership.%'"
            " ORDER BY no",
            f"member:{member}",
        )
    return [(row["actor"], row["action"]) for row in rows]


async def kept(member: MemberId) -> list[Receipt]:
    async with transaction() as connection:
        return list(await receipts.of_member(connection, member))


async def messages(member: MemberId) -> list[str]:
    async with transaction() as connection:
        rows = await connection.fetch(
            "SELECT kind FROM message WHERE member_id = $1 ORDER BY said_at, kind", member
        )
    return [row["kind"] for row in rows]


async def test_staff_cancel_take_it_back_and_end_at_once(at: datetime) -> None:
    club = await make_club(at)
    house, member = club.memberships.house, await club.joined()
    ends = (await club.view(member)).period_end
    receipt = await ending.cancel(house, member, CALLED, at=club.now())
    assert (receipt.kind, receipt.ends_at, receipt.reason) == (ReceiptKind.CANCELLED, ends, None)
    assert (await club.view(member)).state is MembershipState.ENDING
    assert await ending.cancel(house, member, CALLED, at=club.now()) == receipt
    with pytest.raises(AlreadyCancelled) as told:
        await ending.cancel(house, member, CALLED._replace(key="b"), at=club.now())
    assert ends is not None
    assert told.value.facts["ends_at"] == ends.isoformat()

    stays = CALLED._replace(by="staff:bo", reason="she stays")
    back = await ending.uncancel(house, member, stays, at=club.now())
    assert back.kind is ReceiptKind.UNCANCELLED
    assert (await club.view(member)).state is MembershipState.ACTIVE
    with pytest.raises(NothingToRestore):
        await ending.uncancel(house, member, stays._replace(key="b"), at=club.now())

    now = await club.advance(timedelta(days=3))
    moves = CALLED._replace(key="c")
    ended = await ending.cancel(house, member, moves, at_once=True, at=now)
    assert ended.ends_at == now
    assert await ending.cancel(house, member, moves, at_once=True, at=now) == ended
    seen = await club.view(member)
    assert (seen.state, seen.ends_at) == (MembershipState.ENDED, now)
    with pytest.raises(AlreadyEnded) as over:
        await ending.cancel(house, member, CALLED._replace(key="d"), at=now)
    assert over.value.facts["ended_at"] == now.isoformat()
    assert await logged(member) == [
        ("staff:anna", ending.CANCELLED),
        ("staff:bo", ending.RESTORED),
        ("staff:anna", ending.ENDED),
    ]
    assert len(await kept(member)) == 3
    assert await messages(member) == ["cancelled", "order", "uncancelled", "cancelled_now"]


async def test_what_cannot_be_is_refused_with_what_would_be_right(at: datetime) -> None:
    club = await make_club(at)
    house, member = club.memberships.house, await club.enrol()
    with pytest.raises(UnknownMember):
        await ending.cancel(house, MemberId(random_id()), CALLED, at=at)
    with pytest.raises(UnknownMember):
        await ending.uncancel(house, MemberId(random_id()), CALLED, at=at)
    with pytest.raises(NothingToCancel):
        await ending.cancel(house, member, CALLED, at=at)
    with pytest.raises(NothingToRestore):
        await ending.uncancel(house, member, CALLED, at=at)
    await club.join(member)
    with pytest.raises(ReasonNeeded):
        await ending.cancel(house, member, CALLED._replace(reason="  "), at=at)
    assert await logged(member) == []


def loses(club: Club, method: str, *, after: bool) -> None:
    """Let each answer to an act at a subscription be lost, before or after it was done."""
    path = "/v1/subscriptions/*"
    club.sandbox.faults.add(Kind.LOST, times=99, method=method, path=path, after=after)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("again", ["the same key", "the worker"])
async def test_whoever_loses_the_answer_has_done_it_once(
    at: datetime, *, after: bool, again: str
) -> None:
    club = await make_club(at)
    house, member = club.memberships.house, await club.joined()
    steps: list[tuple[str, Callable[[], Awaitable[Receipt]], MembershipState]] = [
        (
            "POST",
            lambda: ending.cancel(house, member, CALLED, at=club.now()),
            MembershipState.ENDING,
        ),
        (
            "POST",
            lambda: ending.uncancel(house, member, CALLED, at=club.now()),
            MembershipState.ACTIVE,
        ),
        (
            "DELETE",
            lambda: ending.cancel(house, member, CALLED, at_once=True, at=club.now()),
            MembershipState.ENDED,
        ),
    ]
    for number, (method, act, state) in enumerate(steps, start=1):
        loses(club, method, after=after)
        # An end at once heals itself: asked again, Stripe says that it has none that lives.
        with suppress(StripeUnavailable):
            await act()
        club.sandbox.faults.planned.clear()
        if again == "the worker":
            await club.advance(timedelta(minutes=3))
            await recovering.recover(club.gateway, club.now())
            await club.hear()
        first = await act()
        assert (await act(), (await club.view(member)).state) == (first, state)
        assert (len(await logged(member)), len(await kept(member))) == (number, number)


@pytest.mark.parametrize("is_lost", [False, True], ids=["answered", "lost"])
async def test_who_is_restored_by_staff_with_a_gift_pays_after_it(
    at: datetime, *, is_lost: bool
) -> None:
    club = await make_club(at, PLUS)
    house, member = club.memberships.house, await club.joined()
    await ending.cancel(house, member, CALLED, at=club.now())
    gift = await give(club, await club.enrol("giver"), 2)
    await club.memberships.redeem_gift(member, gift.code or "", key="r", at=club.now())
    await club.advance(timedelta(days=1))
    if is_lost:
        loses(club, "POST", after=False)
        with pytest.raises(StripeUnavailable):
            await ending.uncancel(house, member, CALLED, at=club.now())
        club.sandbox.faults.planned.clear()
        await club.advance(timedelta(minutes=3))
        assert await recovering.recover(club.gateway, club.now()) == 2
        await club.hear()
    else:
        await ending.uncancel(house, member, CALLED, at=club.now())
    seen = await club.view(member)
    assert (seen.state, seen.renews_at) == (MembershipState.ACTIVE, at.replace(year=2027, month=2))
