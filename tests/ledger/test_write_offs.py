"""Writing debts off: the oldest first, or those of one issue, and never more than is owed."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from msgspec import structs

from coalition.kernel.database import transaction
from coalition.kernel.ids import random_id
from coalition.ledger import audit, debts
from coalition.ledger.drafts import Owed, Posted
from coalition.ledger.refusals import NothingOwed, UnknownHolder
from tests.support.ledger import GROCER, issue, open_holder, post, redeem, reverse

pytestmark = pytest.mark.usefixtures("database")


async def two_debts(at: datetime) -> tuple[UUID, list[UUID]]:
    """Return a holder who owes 40 points for one issue and, a day younger, 60 for another."""
    anna = await open_holder(at)
    outcomes = await post([issue(anna, 40, at), issue(anna, 60, at), redeem(anna, 100, at)], at)
    issues = [one.posting for one in outcomes[:2] if isinstance(one, Posted)]
    for day, made in enumerate(issues):
        later = at + timedelta(days=day)
        back = reverse(made, later, partner_no=GROCER)
        (owed,) = await post([structs.replace(back, debts={GROCER * 10: 0})], later)
        assert isinstance(owed, Owed)
    return anna, issues


async def write_off(holder: UUID, at: datetime, **more: Any) -> int:
    wanted = {"currency_no": 1, "points": None, "issue": None} | more
    async with transaction() as connection:
        return await debts.write_off(
            connection, holder, actor="staff:bo", reason="goodwill", at=at, **wanted
        )


async def open_points(holder: UUID) -> list[int]:
    async with transaction() as connection:
        return [one.points for one in await debts.list_open(connection, holder=holder)]


async def test_the_oldest_debt_is_written_off_first(at: datetime) -> None:
    anna, _ = await two_debts(at)
    assert await write_off(anna, at, points=50) == 50
    assert await open_points(anna) == [50]
    assert await write_off(anna, at) == 50
    assert await open_points(anna) == []
    assert (await audit.run()).breaches == []


async def test_the_debt_of_one_issue_is_written_off_alone(at: datetime) -> None:
    anna, (_, younger) = await two_debts(at)
    assert await write_off(anna, at, issue=younger) == 60
    assert await open_points(anna) == [40]


async def test_no_more_is_written_off_than_is_owed(at: datetime) -> None:
    anna, (older, _) = await two_debts(at)
    for wrong in ({"points": 101}, {"points": 41, "issue": older}, {"currency_no": 2}):
        with pytest.raises(NothingOwed):
            await write_off(anna, at, **wrong)
    with pytest.raises(UnknownHolder):
        await write_off(random_id(), at)
    assert await open_points(anna) == [40, 60]
    async with transaction() as connection:
        everybody = await debts.list_open(connection, limit=1)
    assert [one.holder for one in everybody] == [anna]
