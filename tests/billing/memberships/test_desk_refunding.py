"""Staff give payments back: whole, in part, never more than is left, once, and by two persons."""

from datetime import datetime, timedelta
from uuid import UUID

import pytest

from billing.gateway.refusals import StripeRefused, StripeUnavailable
from billing.sandbox.engine import disputes
from billing.sandbox.faults import Kind
from billing.subscriptions import customers, entries, recovering
from billing.subscriptions.desk import ending, refunding
from billing.subscriptions.desk.ending import Asked
from billing.subscriptions.desk.refunding import Wanted
from billing.subscriptions.desk.refusals import (
    AmountAboveLeft,
    NothingToRefund,
    PaymentDisputed,
    UnknownPayment,
)
from billing.subscriptions.desk.rules import PaymentOfMember
from billing.subscriptions.views import MembershipState
from coalition.kernel.database import transaction
from coalition.kernel.ids import MemberId, random_id
from coalition.members.refusals import UnknownMember
from coalition.oversight.refusals import ApprovalDecided, ReasonNeeded, SecondPersonNeeded
from server import proof
from tests.billing.memberships.world import Club, make_club

pytestmark = pytest.mark.usefixtures("database")

ANNA, BO = "staff:anna", "staff:bo"


async def proposed(
    club: Club, member: MemberId, amount_minor: int | None = None, payment: str | None = None
) -> UUID:
    """Return the approval of a refund that Anna has proposed."""
    await refunding.look(club.memberships.house, member, at=club.now())
    wanted = Wanted(member, "a complaint", payment, amount_minor)
    return await refunding.prepare(wanted, prepared_by=ANNA, at=club.now())


async def approved(club: Club, approval_id: UUID) -> None:
    """Let Bo approve, and everybody hear of it."""
    house = club.memberships.house
    await refunding.approve(house, approval_id, approved_by=BO, at=club.now())
    await club.hear()


async def payments(club: Club, member: MemberId) -> list[PaymentOfMember]:
    async with transaction() as connection:
        return await refunding.payments(connection, member, club.now())


async def booked(member: MemberId) -> list[tuple[str, int, int]]:
    async with transaction() as connection:
        found = await entries.of_member(connection, member)
    return [(str(one.kind), one.amount.amount_minor, one.tax.amount_minor) for one in found]


async def told(member: MemberId) -> list[str]:
    async with transaction() as connection:
        rows = await connection.fetch(
            "SELECT body FROM message WHERE member_id = $1 AND kind = 'refunded' ORDER BY said_at",
            member,
        )
    return [row["body"] for row in rows]


async def disputed(club: Club) -> None:
    """Let a cardholder dispute the last payment at its bank."""
    charge = await anext(club.gateway.pages("/v1/charges", {}))
    with club.sandbox.store.transaction() as making:
        world = club.sandbox.world(making)
        disputes.open_one(world, world.get("charge", charge["id"]), reason="fraudulent")
    await club.hear()


async def decided(club: Club, *, is_won: bool) -> None:
    """Let the bank decide the dispute."""
    dispute = await anext(club.gateway.pages("/v1/disputes", {}))
    word = "winning_evidence" if is_won else "losing_evidence"
    evidence = {"evidence": {"uncategorized_text": word}, "submit": True}
    await club.gateway.post(None, f"/v1/disputes/{dispute['id']}", evidence)
    await club.hear()


async def test_a_part_goes_back_and_the_benefits_stay_then_the_rest_and_they_end(
    at: datetime,
) -> None:
    club = await make_club(at)
    member = await club.joined()
    first = await proposed(club, member, 2_000)
    with pytest.raises(SecondPersonNeeded):
        await refunding.approve(club.memberships.house, first, approved_by=ANNA, at=club.now())
    assert await booked(member) == [("payment", 7_900, 0)]
    await approved(club, first)
    (paid,) = await payments(club, member)
    assert (paid.amount.amount_minor, paid.left.amount_minor) == (7_900, 5_900)
    assert (await club.view(member)).state is MembershipState.ACTIVE
    with pytest.raises(ApprovalDecided):
        await approved(club, first)

    await approved(club, await proposed(club, member))
    assert sorted(await booked(member)) == [
        ("payment", 7_900, 0), ("refund", -5_900, 0), ("refund", -2_000, 0),
    ]  # fmt: skip
    assert (await club.view(member)).state is MembershipState.PAST_DUE
    with pytest.raises(NothingToRefund):
        await proposed(club, member)
    bodies = await told(member)
    assert sorted("59" in body for body in bodies) == [False, True]
    async with transaction() as connection:
        rows = await connection.fetch(
            "SELECT actor, facts FROM audit_log WHERE action = $1", refunding.REFUNDED
        )
    assert {row["actor"] for row in rows} == {BO}
    assert all(f'"prepared_by":"{ANNA}"' in row["facts"] for row in rows)
    assert (await proof.prove()).breaches == []


async def test_of_two_proposals_for_the_same_money_the_second_finds_too_little_left(
    at: datetime,
) -> None:
    club = await make_club(at)
    member = await club.joined()
    one, other = await proposed(club, member, 4_000), await proposed(club, member, 4_000)
    await approved(club, one)
    with pytest.raises(AmountAboveLeft) as why:
        await approved(club, other)
    assert why.value.facts["left_minor"] == 3_900
    with pytest.raises(AmountAboveLeft):
        await proposed(club, member, 3_901)
    assert (await payments(club, member))[0].left.amount_minor == 3_900


async def test_who_has_left_has_the_last_payment_back(at: datetime) -> None:
    club = await make_club(at)
    member = await club.joined()
    now = await club.advance(timedelta(days=32))
    first, last = await payments(club, member)
    asked = Asked(ANNA, "he moves", "k")
    await ending.cancel(club.memberships.house, member, asked, at_once=True, at=now)
    await approved(club, await proposed(club, member))
    await approved(club, await proposed(club, member, 900, first.payment))
    lefts = {one.payment: one.left.amount_minor for one in await payments(club, member)}
    assert lefts == {first.payment: 7_000, last.payment: 0}
    assert (await club.view(member)).state is MembershipState.ENDED
    assert (await proof.prove()).breaches == []


async def test_what_cannot_be_is_refused_with_what_would_be_right(at: datetime) -> None:
    club = await make_club(at)
    member = await club.enrol()
    with pytest.raises(UnknownMember):
        await proposed(club, MemberId(random_id()))
    with pytest.raises(NothingToRefund):
        await proposed(club, member)
    await club.join(member)
    with pytest.raises(UnknownPayment):
        await proposed(club, member, payment="pi_of_another")
    with pytest.raises(ReasonNeeded):
        await refunding.prepare(Wanted(member, " "), prepared_by=ANNA, at=at)


@pytest.mark.parametrize("is_won", [True, False], ids=["won", "lost"])
async def test_what_a_bank_disputes_waits_for_its_decision(at: datetime, *, is_won: bool) -> None:
    club = await make_club(at)
    member = await club.joined()
    waits = await proposed(club, member)
    await disputed(club)
    with pytest.raises(PaymentDisputed):
        await proposed(club, member)
    with pytest.raises(PaymentDisputed):
        await approved(club, waits)
    await decided(club, is_won=is_won)
    # Of a payment that was disputed and won the sandbox gives nothing back, and says so.
    with pytest.raises(StripeRefused if is_won else NothingToRefund):
        await approved(club, waits)
    (paid,) = await payments(club, member)
    assert (paid.left.amount_minor, paid.is_disputed) == (7_900 if is_won else 0, False)
    assert await told(member) == []


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("again", ["asked again", "the worker"])
async def test_a_refund_whose_answer_is_lost_is_given_once(
    at: datetime, *, after: bool, again: str
) -> None:
    club = await make_club(at)
    house, member = club.memberships.house, await club.joined()
    approval = await proposed(club, member, 4_000)
    club.sandbox.faults.add(Kind.LOST, times=99, method="POST", path="/v1/refunds", after=after)
    with pytest.raises(StripeUnavailable):
        await approved(club, approval)
    club.sandbox.faults.planned.clear()
    assert [one.state for one in (await payments(club, member))[0].refunds] == ["promised"]
    # What is promised is not to be had twice, whether Stripe has done it or not.
    with pytest.raises(AmountAboveLeft):
        await proposed(club, member, 4_000)
    if again == "the worker":
        await club.advance(timedelta(minutes=3))
        assert await recovering.recover(club.gateway, club.now()) == 1
        await club.hear()
    else:
        async with refunding.carried_out(house, approval, at=club.now()):
            pass
    assert await booked(member) == [("payment", 7_900, 0), ("refund", -4_000, 0)]
    (paid,) = await payments(club, member)
    assert (paid.left.amount_minor, [one.state for one in paid.refunds]) == (3_900, ["succeeded"])
    assert len(await told(member)) == 1


async def test_what_stripe_refuses_is_left_again(at: datetime) -> None:
    club = await make_club(at)
    member = await club.joined()
    approval = await proposed(club, member, 4_000)
    club.sandbox.faults.add(Kind.LOST, times=99, method="POST", path="/v1/refunds")
    with pytest.raises(StripeUnavailable):
        await approved(club, approval)
    club.sandbox.faults.planned.clear()
    # Meanwhile somebody gives it back in the dashboard.
    (paid,) = await payments(club, member)
    await club.gateway.post(None, "/v1/refunds", {"payment_intent": paid.payment, "amount": 5_000})
    with pytest.raises(StripeRefused):
        async with refunding.carried_out(club.memberships.house, approval, at=club.now()):
            pass
    await club.hear()
    (paid,) = await payments(club, member)
    assert paid.left.amount_minor == 2_900
    # Both are of one second.
    refused, done = sorted(paid.refunds, key=lambda one: one.state)
    assert (refused.state, done.state, done.approval) == ("refused", "succeeded", None)
    assert (refused.approval, bool(refused.said)) == (str(approval), True)
    assert await told(member) == []


async def with_credit(club: Club) -> MemberId:
    """Return a member to whom a change of its plan has left credit for later invoices."""
    member = await club.joined(interval="year")
    await club.advance(timedelta(days=3))
    premium = await club.price_no("premium")
    said = await club.memberships.preview(member, premium, at=club.now())
    await club.memberships.change(
        member, premium, previewed_at=said.previewed_at, key="up", at=club.now()
    )
    return member


async def credit_of(club: Club, member: MemberId) -> int:
    customer = await customers.find(member)
    return -int((await club.gateway.get(f"/v1/customers/{customer}"))["balance"])


async def test_what_goes_back_as_money_is_not_had_as_credit_as_well(at: datetime) -> None:
    club = await make_club(at)
    member = await with_credit(club)
    had = await credit_of(club, member)
    await approved(club, await proposed(club, member, 10_000))
    assert await credit_of(club, member) == had > 0
    await approved(club, await proposed(club, member))
    (paid,) = await payments(club, member)
    assert (await credit_of(club, member), paid.left.amount_minor) == (0, 0)


@pytest.mark.parametrize("is_refused", [True, False], ids=["refused", "given"])
async def test_credit_is_taken_by_the_worker_with_its_money_alone(
    at: datetime, *, is_refused: bool
) -> None:
    club = await make_club(at)
    member = await with_credit(club)
    had, approval = await credit_of(club, member), await proposed(club, member)
    club.sandbox.faults.add(Kind.LOST, times=99, method="POST", path="/v1/refunds")
    with pytest.raises(StripeUnavailable):
        await approved(club, approval)
    club.sandbox.faults.planned.clear()
    if is_refused:
        (paid,) = await payments(club, member)
        taken = {"payment_intent": paid.payment, "amount": 1_000}
        await club.gateway.post(None, "/v1/refunds", taken)
    await club.advance(timedelta(minutes=3))
    assert await recovering.recover(club.gateway, club.now()) == 2
    await club.hear()
    assert await credit_of(club, member) == (had if is_refused else 0)
    assert len(await told(member)) == (0 if is_refused else 1)
