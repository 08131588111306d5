"""What of an issue pays debts: what can be spent today, in spending order, of who owes alone."""

from datetime import datetime, timedelta
from uuid import UUID

import pytest

from coalition.kernel.database import transaction
from coalition.ledger import holders, posting
from coalition.ledger.drafts import Grant, Issue, Posted
from tests.ledger.test_debts_and_batches import in_debt, paid
from tests.ledger.transfer_world import ends_of
from tests.support.ledger import FUEL, GROCER, balance, issue, open_holder, post, provenance, till

pytestmark = pytest.mark.usefixtures("database")

DAY = timedelta(days=1)


async def test_beside_who_owes_another_gets_all_in_the_same_batch(at: datetime) -> None:
    anna, bo = await in_debt(at, 30, percent=100), await open_holder(at)
    assert paid(await post([issue(bo, 20, at), issue(anna, 20, at)], at)) == [0, 20]
    assert [await balance(one, at) for one in (anna, bo)] == [0, 20]


@pytest.mark.parametrize(("days", "pays"), [(0, 10), (-1, 0)], ids=["today", "yesterday"])
async def test_points_pay_through_their_last_day(at: datetime, days: int, pays: int) -> None:
    anna = await in_debt(at, 30, percent=100)
    assert paid(await post([issue(anna, 10, at, expires_on=at.date() + days * DAY)], at)) == [pays]


@pytest.mark.parametrize(("days", "pays"), [(0, 10), (-1, 0)], ids=["today", "yesterday"])
async def test_what_a_tier_keeps_from_ending_pays_too_while_it_does(
    at: datetime, days: int, pays: int
) -> None:
    anna = await in_debt(at, 30, percent=100)
    async with transaction() as connection:
        await holders.suspend_expiry(connection, anna, at.date() + days * DAY)
    assert paid(await post([issue(anna, 10, at, expires_on=at.date() - 9 * DAY)], at)) == [pays]


async def test_points_of_who_is_suspended_pay_nothing(at: datetime) -> None:
    anna = await in_debt(at, 30, percent=100)
    grants = (Grant(provenance(), 10), Grant(provenance()._replace(funder_no=FUEL), 15))
    draft = Issue(anna, till(GROCER, at), grants)
    async with transaction(posting.PINNED, role=posting.POSTER_ROLE) as connection:
        _, (made,) = await posting.post(
            connection, [draft], at=at, today=at.date(), suspended={FUEL}
        )
    assert isinstance(made, Posted)
    assert paid([made]) == [10]


@pytest.mark.parametrize("is_first", [True, False], ids=["soon first", "late first"])
async def test_what_ends_first_pays_first(at: datetime, *, is_first: bool) -> None:
    anna: UUID = await in_debt(at, 10, percent=50)
    soon, late = at.date() + 5 * DAY, at.date() + 50 * DAY
    ends = (soon, late) if is_first else (late, soon)
    grants = tuple(Grant(provenance(expires_on=end), 10) for end in ends)
    assert paid(await post([Issue(anna, till(GROCER, at), grants)], at)) == [10]
    assert await ends_of(anna) == {late: 10}
