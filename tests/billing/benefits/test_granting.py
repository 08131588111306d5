"""Monthly points: given once a month by whoever pays for them, taken back when the payment goes."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from billing.benefits import granting, schedule
from billing.benefits.entitlements import Ground
from coalition.kernel.database import transaction
from coalition.ledger import audit, holders
from coalition.ledger.accounts import HolderState
from coalition.points.commands import RedeemBody
from tests.billing.benefits.world import DOUBLE, MONTHLY, Club, day, make_club, plan
from tests.points.world import receipt
from tests.support.ledger import balance

pytestmark = pytest.mark.usefixtures("database")

MORE = {**MONTHLY, "points": 250, "funding": {"Fuel": 2, "operator": 1}}
MINUTE = timedelta(minutes=1)


async def club(at: datetime) -> Club:
    return await make_club(at, plan("basic", MONTHLY, rank=0), plan("plus", MORE, DOUBLE))


async def granted() -> list[tuple[int, int, int, bool]]:
    """Return month, funder, points and whether they were taken back, of all grants."""
    async with transaction() as connection:
        rows = await connection.fetch(
            "SELECT month, funder_no, points, taken_back_at IS NOT NULL FROM benefit_grant"
            " ORDER BY month, no"
        )
    return [tuple(row) for row in rows]


async def test_a_months_points_are_given_once_and_paid_for_by_their_funders(at: datetime) -> None:
    anna = await club(at)
    await anna.apply(anna.entitled(at, day(21, 11, 2027)), at=at)
    async with transaction() as connection:
        late = [await schedule.late_s(connection, moment) for moment in (at, at + MINUTE)]
    assert late == [0, 60]
    assert await granting.grant_due(at) == 1
    assert await granting.grant_due(at + MINUTE) == 0
    async with transaction() as connection:
        assert await schedule.late_s(connection, at + MINUTE) == 0
    fuel = anna.world.fuel
    assert await granted() == [(0, 0, 83, False), (0, fuel, 167, False)]
    async with transaction() as connection:
        lots = await connection.fetch(
            "SELECT issuer_no, funder_no, points_in, issue_price FROM lot ORDER BY funder_no"
        )
    assert [tuple(lot) for lot in lots] == [
        (0, 0, 83, Decimal(0)),
        (0, fuel, 167, Decimal("0.01")),
    ]
    assert await granting.grant_due(day(21, 12)) == 1
    assert await balance(anna.member, day(21, 12)) == 500
    assert (await audit.run()).breaches == []


async def test_a_plan_that_goes_up_and_down_gives_its_points_once(at: datetime) -> None:
    anna = await club(at)
    spans = [(at + n * MINUTE, at + (n + 1) * MINUTE) for n in range(6)]
    held = [
        anna.entitled(*span, plan=("basic", "plus")[no % 2], period=(at, day(21, 12)))
        for no, span in enumerate(spans)
    ]
    for no in range(len(held)):
        await anna.apply(*held[: no + 1], at=spans[no][0])
        await granting.grant_due(spans[no][0])
    assert sum(points for _, _, points, _ in await granted()) == 250
    assert await balance(anna.member, at) == 250


async def test_a_refund_takes_back_what_is_there_and_the_rest_is_owed(at: datetime) -> None:
    anna = await club(at)
    await anna.apply(anna.entitled(at, day(21, 12)), at=at)
    await granting.grant_due(at)
    spent = RedeemBody(receipt=receipt(), occurred_at=at, points=100, member_id=anna.member)
    await anna.world.ask(spent)
    refunded = anna.entitled(at, at + MINUTE, period=(at, day(21, 12)), taken_back=True)
    await anna.apply(refunded, at=at + MINUTE)
    await granting.grant_due(at + MINUTE)
    assert [taken_back for *_, taken_back in await granted()] == [True, True]
    assert await balance(anna.member, at) == 0
    async with transaction() as connection:
        owed = await connection.fetchval("SELECT sum(points) FROM debt_entry WHERE kind = 1")
    assert owed == 100
    # Paid for anew, it is given anew, and what was owed is paid out of it.
    again = anna.entitled(at + 2 * MINUTE, day(21, 12))
    await anna.apply(refunded, again, at=at + 2 * MINUTE)
    await granting.grant_due(at + 2 * MINUTE)
    assert await balance(anna.member, at) == 150
    assert (await audit.run()).breaches == []


async def test_nothing_is_given_while_a_dispute_is_open_and_the_rest_when_it_is_won(
    at: datetime,
) -> None:
    anna = await club(at)
    year = anna.entitled(at, day(21, 11, 2027))
    await anna.apply(year, at=at)
    await granting.grant_due(at)
    frozen = anna.entitled(at, day(28), period=(at, day(21, 11, 2027)))
    await anna.apply(frozen, at=day(28))
    await granting.grant_due(day(25, 12))
    assert await balance(anna.member, at) == 250
    await anna.apply(year, at=day(26, 12))
    await granting.grant_due(day(26, 12))
    assert await balance(anna.member, at) == 500


async def test_points_of_a_frozen_member_wait(at: datetime) -> None:
    anna = await club(at)
    async with transaction() as connection:
        await holders.set_state(connection, anna.member, HolderState.FROZEN)
    await anna.apply(anna.entitled(at, day(21, 12)), at=at)
    assert await granting.grant_due(at) == 1
    assert await granted() == []
    async with transaction() as connection:
        await holders.set_state(connection, anna.member, HolderState.ACTIVE)
    assert await granting.grant_due(at + timedelta(days=1)) == 1
    assert len(await granted()) == 2


async def test_a_funder_in_default_gives_nothing_and_the_operator_keeps_the_promise(
    at: datetime,
) -> None:
    anna = await club(at)
    await anna.apply(anna.entitled(at, day(21, 12), ground=Ground.GIFT), at=at)
    async with transaction() as connection:
        await connection.execute(
            "INSERT INTO partner_default (no, partner_no, on_default, begins_at, prepared_by,"
            " approved_by) VALUES (1, $1, 'honour', $2, 'staff:anna', 'staff:bo')",
            anna.world.fuel,
            at,
        )
        await connection.execute("UPDATE catalogue_version SET version = version + 1")
    await granting.grant_due(at)
    assert await granted() == [(0, 0, 250, False)]
