"""Debts: what was spent of a reversed issue is owed, and what the member gets later pays for it."""

import asyncio
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest

from coalition.kernel.database import transaction
from coalition.ledger import audit, expiry, upkeep
from coalition.ledger.drafts import (
    Grant,
    Hold,
    Issue,
    Outcome,
    Owed,
    Paid,
    Posted,
    Recover,
    Reverse,
    Till,
)
from coalition.ledger.refusals import (
    NotEnoughPoints,
    NothingOwed,
    PointsAlreadySpent,
    ReversalExceedsOriginal,
)
from tests.support.ledger import (
    FUEL,
    GROCER,
    balance,
    issue,
    open_holder,
    post,
    provenance,
    redeem,
    reverse,
    till,
)

pytestmark = pytest.mark.usefixtures("database")

DAY = timedelta(days=1)
GROCERS, FUELS = GROCER * 10, FUEL * 10
"""The contracts of the tests' provenances."""


def owing(
    of: UUID,
    at: datetime,
    *,
    percent: int = 100,
    partner_no: int = GROCER,
    points: int | None = None,
) -> Reverse:
    """Return a draft that reverses an issue and lets spent points be owed."""
    plain = reverse(of, at, partner_no=partner_no, points=points)
    return Reverse(
        plain.posting,
        plain.till,
        points,
        plain.order,
        plain.grace_expires_on,
        debts={partner_no * 10: percent},
    )


def by_hand(holder: UUID, at: datetime, points: int | None = None) -> Recover:
    return Recover(holder, Till(0, None, None, None, at.date(), at), 1, points)


def posted(outcome: Outcome) -> UUID:
    assert isinstance(outcome, Posted), outcome
    return outcome.posting


async def issued_and_spent(
    at: datetime, *, issued: int = 100, spent: int = 70
) -> tuple[UUID, UUID]:
    """Return a new holder with an issue of the grocer of which some is spent, and that issue."""
    anna = await open_holder(at)
    outcomes = await post([issue(anna, issued, at), redeem(anna, spent, at)], at)
    return anna, posted(outcomes[0])


async def debts_of(holder: UUID) -> list[tuple[int, int, int, int]]:
    """Return booked, recovered, written off and percentage of each debt, the oldest first."""
    async with transaction() as connection:
        rows = await connection.fetch(
            "SELECT booked, recovered, written_off, recover_percent FROM debt "
            "WHERE holder = $1 ORDER BY made_at, posting, lot",
            holder,
        )
    return [(row[0], row[1], row[2], row[3]) for row in rows]


async def owes(holder: UUID) -> int:
    async with transaction() as connection:
        found: int = await connection.fetchval("SELECT owes FROM holder WHERE id = $1", holder)
    return found


async def check_books() -> None:
    assert (await audit.run()).breaches == []


async def test_the_unspent_goes_back_and_the_spent_is_owed(at: datetime) -> None:
    anna, issued = await issued_and_spent(at)
    (outcome,) = await post([owing(issued, at)], at)
    assert isinstance(outcome, Posted)
    assert (outcome.points, outcome.debt) == (30, 70)
    assert await balance(anna, at) == 0
    assert await debts_of(anna) == [(70, 0, 0, 100)]
    assert await owes(anna) == 70
    (again,) = await post([owing(issued, at)], at)
    assert isinstance(again, ReversalExceedsOriginal)
    await check_books()


async def test_what_is_spent_whole_makes_a_debt_and_no_posting(at: datetime) -> None:
    anna, issued = await issued_and_spent(at, spent=100)
    await upkeep.sweep()
    (outcome,) = await post([owing(issued, at)], at)
    assert outcome == Owed(anna, 100)
    async with transaction() as connection:
        assert await connection.fetchval("SELECT count(*) FROM posting WHERE kind = 3") == 0
    assert await owes(anna) == 100
    await check_books()


async def test_partial_reversals_take_first_and_then_add_to_one_debt(at: datetime) -> None:
    anna, issued = await issued_and_spent(at)
    outcomes = await post([owing(issued, at, points=20), owing(issued, at, points=20)], at)
    outcomes += await post([owing(issued, at, points=25)], at)
    assert [(type(one), getattr(one, "debt", None)) for one in outcomes] == [
        (Posted, 0),
        (Posted, 10),
        (Owed, None),
    ]
    assert await debts_of(anna) == [(35, 0, 0, 100)]
    (too_much,) = await post([owing(issued, at, points=36)], at)
    assert isinstance(too_much, ReversalExceedsOriginal)
    assert too_much.facts["remaining"] == 35
    await check_books()


async def test_another_contract_still_refuses(at: datetime) -> None:
    anna, issued = await issued_and_spent(at)
    draft = owing(issued, at)
    (outcome,) = await post(
        [Reverse(issued, draft.till, None, "reverse", draft.grace_expires_on, debts={FUELS: 100})],
        at,
    )
    assert isinstance(outcome, PointsAlreadySpent)
    assert outcome.facts == {"points": 100, "remaining": 30}
    assert await owes(anna) == 0


async def test_held_points_count_as_spent(at: datetime) -> None:
    anna = await open_holder(at)
    issued = posted((await post([issue(anna, 10, at)], at))[0])
    await post([Hold(anna, till(FUEL, at, "h1"), 1, 4, at + DAY)], at)
    (outcome,) = await post([owing(issued, at)], at)
    assert isinstance(outcome, Posted)
    assert (outcome.points, outcome.debt) == (6, 4)
    await check_books()


async def test_expired_points_are_neither_taken_back_nor_owed(at: datetime) -> None:
    anna = await open_holder(at)
    grants = (
        Grant(provenance(GROCER, expires_on=at.date()), 30),
        Grant(provenance(GROCER), 20),
    )
    issued = posted((await post([Issue(anna, till(GROCER, at), grants)], at))[0])
    await post([redeem(anna, 35, at)], at)
    tomorrow = at + DAY
    (outcome,) = await post([owing(issued, tomorrow)], tomorrow)
    assert isinstance(outcome, Posted)
    assert (outcome.points, outcome.debt) == (15, 5)
    await expiry.expire(tomorrow, tomorrow.date())
    (rest,) = await post([owing(issued, tomorrow)], tomorrow)
    assert isinstance(rest, PointsAlreadySpent)
    assert rest.facts == {"points": 30, "remaining": 0}
    await check_books()


async def test_a_later_issue_pays_at_once(at: datetime) -> None:
    anna, issued = await issued_and_spent(at)
    await post([owing(issued, at)], at)
    later = at + DAY
    (first,) = await post([issue(anna, 50, later, partner_no=FUEL)], later)
    (second,) = await post([issue(anna, 50, later, partner_no=FUEL)], later)
    assert isinstance(first, Posted)
    assert isinstance(second, Posted)
    assert [(paid.issue, paid.issuer_no, paid.points) for paid in first.recovered] == [
        (issued, GROCER, 50)
    ]
    assert [paid.points for paid in second.recovered] == [20]
    assert first.points == second.points == 50
    assert await balance(anna, later) == 30
    assert await debts_of(anna) == [(70, 70, 0, 100)]
    assert await owes(anna) == 0
    async with transaction() as connection:
        rows = await connection.fetch(
            "SELECT partner_no, account, account_partner_no, linked, points, direction "
            "FROM posting WHERE kind = 8 ORDER BY points"
        )
    assert [tuple(row) for row in rows] == [
        (GROCER, 7, GROCER, issued, 20, -1),
        (GROCER, 7, GROCER, issued, 50, -1),
    ]
    await check_books()


async def test_a_percentage_leaves_the_member_the_rest(at: datetime) -> None:
    anna, issued = await issued_and_spent(at)
    await post([owing(issued, at, percent=30)], at)
    outcomes = await post([issue(anna, 3, at), issue(anna, 99, at)], at)
    paid = [one.recovered for one in outcomes if isinstance(one, Posted)]
    assert [[part.points for part in parts] for parts in paid] == [[], [29]]
    assert await balance(anna, at) == 73
    await check_books()


async def test_the_oldest_debt_is_paid_first_and_none_beyond_its_percentage(at: datetime) -> None:
    anna = await open_holder(at)
    one, other, _ = await post(
        [issue(anna, 40, at), issue(anna, 60, at, partner_no=FUEL), redeem(anna, 100, at)], at
    )
    later = at + DAY
    await post([owing(posted(other), at, partner_no=FUEL, percent=50)], at)
    await post([owing(posted(one), later, percent=80)], later)
    (outcome,) = await post([issue(anna, 100, later)], later)
    assert isinstance(outcome, Posted)
    assert [(paid.issuer_no, paid.points) for paid in outcome.recovered] == [
        (FUEL, 50),
        (GROCER, 30),
    ]
    assert await owes(anna) == 20
    await check_books()


async def test_a_debt_without_a_percentage_waits_for_staff(at: datetime) -> None:
    anna, issued = await issued_and_spent(at)
    await post([owing(issued, at, percent=0)], at)
    (outcome,) = await post([issue(anna, 50, at)], at)
    assert isinstance(outcome, Posted)
    assert outcome.recovered == ()
    (paid,) = await post([by_hand(anna, at, 20)], at)
    assert isinstance(paid, Paid)
    assert (paid.points, await balance(anna, at), await owes(anna)) == (20, 30, 50)
    (rest,) = await post([by_hand(anna, at)], at)
    assert isinstance(rest, Paid)
    assert (rest.points, await balance(anna, at), await owes(anna)) == (30, 0, 20)
    await check_books()


async def test_by_hand_nothing_is_paid_that_is_not_owed_or_not_there(at: datetime) -> None:
    anna, issued = await issued_and_spent(at)
    (none,) = await post([by_hand(anna, at)], at)
    await post([owing(issued, at, percent=0)], at)
    too_much, not_there, nothing_there = await post(
        [by_hand(anna, at, 71), by_hand(anna, at, 70), by_hand(anna, at)], at
    )
    assert isinstance(none, NothingOwed)
    assert isinstance(too_much, NothingOwed)
    assert too_much.facts == {"remaining": 70}
    assert isinstance(not_there, NotEnoughPoints)
    assert isinstance(nothing_there, NotEnoughPoints)
    assert await owes(anna) == 70


async def test_only_points_of_the_issue_pay_and_those_that_expire_first_come_first(
    at: datetime,
) -> None:
    anna, issued = await issued_and_spent(at, issued=100, spent=100)
    await post([issue(anna, 500, at, expires_on=at.date())], at)
    await post([owing(issued, at, percent=50)], at)
    soon, late = (at + DAY).date(), (at + 9 * DAY).date()
    grants = (
        Grant(provenance(FUEL, expires_on=late), 30),
        Grant(provenance(FUEL, expires_on=soon), 10),
    )
    (outcome,) = await post([Issue(anna, till(FUEL, at), grants)], at)
    assert isinstance(outcome, Posted)
    async with transaction() as connection:
        rows = await connection.fetch(
            "SELECT leg.points, expires_on FROM leg JOIN lot ON lot.id = leg.lot "
            "WHERE leg.posting = $1 ORDER BY no",
            outcome.recovered[0].posting,
        )
    assert [tuple(row) for row in rows] == [(10, soon), (10, late)]
    assert await balance(anna, at) == 520
    await check_books()


async def test_an_issue_that_has_expired_already_pays_nothing(at: datetime) -> None:
    anna, issued = await issued_and_spent(at)
    await post([owing(issued, at)], at)
    (outcome,) = await post([issue(anna, 50, at, expires_on=(at - DAY).date())], at)
    assert isinstance(outcome, Posted)
    assert outcome.recovered == ()
    assert await owes(anna) == 70
    await check_books()


async def test_an_issue_after_its_reversal_in_one_batch_pays(at: datetime) -> None:
    anna, issued = await issued_and_spent(at)
    before, back, after = await post(
        [issue(anna, 5, at, partner_no=FUEL), owing(issued, at), issue(anna, 100, at)], at
    )
    assert isinstance(before, Posted)
    assert isinstance(back, Posted)
    assert isinstance(after, Posted)
    assert before.recovered == ()
    assert (back.points, back.debt) == (30, 70)
    assert [paid.points for paid in after.recovered] == [70]
    assert await balance(anna, at) == 35
    await check_books()


async def test_a_recovered_issue_can_be_reversed_and_is_owed_in_turn(at: datetime) -> None:
    anna, issued = await issued_and_spent(at)
    await post([owing(issued, at)], at)
    (second,) = await post([issue(anna, 50, at)], at)
    (back,) = await post([owing(posted(second), at)], at)
    assert back == Owed(anna, 50)
    assert await owes(anna) == 70
    await check_books()


async def test_a_recovery_cannot_be_reversed(at: datetime) -> None:
    anna, issued = await issued_and_spent(at)
    await post([owing(issued, at)], at)
    (outcome,) = await post([issue(anna, 50, at)], at)
    assert isinstance(outcome, Posted)
    (refused,) = await post([reverse(outcome.recovered[0].posting, at, partner_no=GROCER)], at)
    assert getattr(refused, "code", None) == "not_reversible"


async def test_two_reversals_at_once_book_one_debt(at: datetime) -> None:
    anna, issued = await issued_and_spent(at)
    drafts = [owing(issued, at) for _ in range(6)]
    outcomes = [one for (one,) in await asyncio.gather(*(post([draft], at) for draft in drafts))]
    assert sorted(type(one).__name__ for one in outcomes) == [
        "Posted",
        *["ReversalExceedsOriginal"] * 5,
    ]
    assert await debts_of(anna) == [(70, 0, 0, 100)]
    await check_books()


async def test_issues_redemptions_and_reversals_at_once_keep_the_books(at: datetime) -> None:
    anna, issued = await issued_and_spent(at, issued=400, spent=150)

    async def shop(number: int) -> None:
        for turn in range(5):
            await post([issue(anna, 20 + number, at, partner_no=FUEL)], at)
            await post([redeem(anna, 7, at), owing(issued, at, points=10 + turn)], at)

    await asyncio.gather(*(shop(number) for number in range(4)))
    await check_books()
    async with transaction() as connection:
        reversed_points = await connection.fetchval("SELECT sum(reversed) FROM reversed_leg")
    assert reversed_points == 4 * (10 + 11 + 12 + 13 + 14)


async def test_a_debt_keeps_price_and_funder_of_its_lot(at: datetime) -> None:
    anna = await open_holder(at)
    bonus = provenance(GROCER)._replace(funder_no=FUEL, issue_price=Decimal("0.02"))
    grants = (Grant(provenance(GROCER), 10), Grant(bonus, 20))
    issued = posted((await post([Issue(anna, till(GROCER, at), grants)], at))[0])
    await post([redeem(anna, 30, at)], at)
    await post([owing(issued, at, points=25)], at)
    async with transaction() as connection:
        rows = await connection.fetch(
            "SELECT issuer_no, contract_no, funder_no, issue_price, booked "
            "FROM debt ORDER BY booked"
        )
    assert [tuple(row) for row in rows] == [
        (GROCER, GROCERS, GROCER, Decimal("0.01"), 5),
        (GROCER, GROCERS, FUEL, Decimal("0.02"), 20),
    ]
    (outcome,) = await post([issue(anna, 25, at)], at)
    assert isinstance(outcome, Posted)
    assert len(outcome.recovered) == 2
    await check_books()
