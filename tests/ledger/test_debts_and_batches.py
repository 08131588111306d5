"""Debts amid batches and beside another point currency; and the last point that there is."""

from datetime import datetime, timedelta
from uuid import UUID

import pytest
from msgspec import structs

from coalition.kernel.database import transaction
from coalition.ledger import audit, debts
from coalition.ledger.drafts import Grant, Issue, Outcome, Owed, Paid, Posted, Recover
from tests.ledger.clock_world import NOON, Book, assert_books_hold
from tests.ledger.clock_world import issue as issue_under_clock
from tests.support.ledger import (
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


async def in_debt(at: datetime, points: int, *, percent: int) -> UUID:
    """Return a new holder who owes `points`, of which later issues pay up to `percent`."""
    anna = await open_holder(at)
    bought, _ = await post([issue(anna, points, at), redeem(anna, points, at)], at)
    assert isinstance(bought, Posted)
    back = structs.replace(
        reverse(bought.posting, at, partner_no=GROCER), debts={GROCER * 10: percent}
    )
    (owed,) = await post([back], at)
    assert isinstance(owed, Owed)
    return anna


def paid(outcomes: list[Outcome]) -> list[int]:
    return [
        sum(part.points for part in one.recovered) for one in outcomes if isinstance(one, Posted)
    ]


async def test_two_issues_in_a_batch_pay_a_debt_once(at: datetime) -> None:
    anna = await in_debt(at, 30, percent=100)
    assert paid(await post([issue(anna, 20, at) for _ in range(3)], at)) == [20, 10, 0]
    assert await balance(anna, at) == 30
    assert (await audit.run()).breaches == []


async def test_an_issue_of_another_point_currency_pays_nothing(at: datetime) -> None:
    anna = await in_debt(at, 30, percent=100)
    other = Grant(provenance()._replace(currency_no=2), 50)
    assert paid(await post([Issue(anna, till(GROCER, at), (other,))], at)) == [0]
    assert (await audit.run()).breaches == []


async def test_by_hand_a_single_point_pays(at: datetime) -> None:
    anna = await in_debt(at, 30, percent=0)
    await post([issue(anna, 1, at)], at)
    (outcome,) = await post([Recover(anna, till(0, at), 1, None)], at)
    assert isinstance(outcome, Paid)
    assert (outcome.points, await balance(anna, at)) == (1, 0)


async def test_what_was_issued_after_its_lot_had_expired_is_owed_when_spent() -> None:
    book, anna = await Book().open(), await open_holder(NOON)
    await book.post([issue_under_clock(anna, 100, NOON)], NOON)
    late = NOON + timedelta(days=400)
    bought = await book.one(issue_under_clock(anna, 40, late), late)
    assert isinstance(bought, Posted)
    later = late + timedelta(days=1)
    await book.post([redeem(anna, 30, later)], later)
    back = structs.replace(
        reverse(bought.posting, later, partner_no=GROCER), debts={GROCER * 10: 0}
    )
    outcome = await book.one(back, later)
    assert isinstance(outcome, Posted)
    assert (outcome.points, outcome.debt) == (10, 30)
    async with transaction() as connection:
        assert await connection.fetchval("SELECT owes FROM holder WHERE id = $1", anna) == 30
    await assert_books_hold()


async def test_points_go_back_first_to_the_funders_that_are_named_and_to_no_other(
    at: datetime,
) -> None:
    anna = await open_holder(at)
    one, other = (provenance()._replace(funder_no=funder_no) for funder_no in (1, 2))
    grants = (Grant(one, 10), Grant(other, 10))
    (bought,) = await post([Issue(anna, till(GROCER, at), grants)], at)
    assert isinstance(bought, Posted)
    plain = reverse(bought.posting, at, partner_no=GROCER, points=5)
    await post([structs.replace(plain, by_funder={1: 5})], at)
    async with transaction() as connection:
        rows = await connection.fetch("SELECT funder_no, points_out FROM lot ORDER BY funder_no")
    assert [tuple(row) for row in rows] == [(1, 5), (2, 0)]


async def test_two_returns_in_a_batch_leave_one_debt_of_both(at: datetime) -> None:
    anna = await open_holder(at)
    bought, _ = await post([issue(anna, 30, at), redeem(anna, 30, at)], at)
    assert isinstance(bought, Posted)
    whole = reverse(bought.posting, at, partner_no=GROCER)
    backs = [structs.replace(whole, points=part, debts={GROCER * 10: 0}) for part in (10, 5)]
    assert [type(outcome) for outcome in await post(backs, at)] == [Owed, Owed]
    async with transaction() as connection:
        (debt,) = await debts.list_open(connection, holder=anna)
    assert (debt.booked, debt.points) == (15, 15)
    assert (await audit.run()).breaches == []
