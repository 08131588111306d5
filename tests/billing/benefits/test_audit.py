"""The audit finds benefits without a ground, given twice, used too often, or paid for wrongly."""

from datetime import datetime, timedelta

import pytest

from billing.benefits import audit_checks, granting, returning, uses
from billing.benefits.returning import UseKey
from billing.benefits.uses import Wanted
from coalition.federation import catalogue
from coalition.kernel.database import transaction
from coalition.kernel.money import Money
from coalition.ledger import audit
from tests.billing.benefits.world import (
    DOUBLE,
    EARLY,
    MONTHLY,
    SHIPPING,
    Club,
    day,
    make_club,
    plan,
)

pytestmark = pytest.mark.usefixtures("database")

ONCE = {**SHIPPING, "uses_per_period": 1, "funding": {"Fuel": 1}}


TWICE = """
INSERT INTO benefit_use
SELECT bucket, member_id, partner_no, 'R-2', benefit, membership_id, plan_no, saved_minor, currency,
    store_no, used_at, made_at, '{}' FROM benefit_use
"""


async def club(at: datetime) -> Club:
    """Return a member who has had all of a plan that there is."""
    anna = await make_club(at, plan("plus", DOUBLE, EARLY, MONTHLY, ONCE))
    await anna.apply(anna.entitled(day(1), day(1, 12)), at=at)
    await granting.grant_due(at)
    wanted = Wanted(
        anna.member, anna.world.grocer, None, "shipping", "R-1", Money(900, "SEK"), None, at
    )
    async with transaction() as connection:
        known = await catalogue.load(connection)
        await uses.use(connection, wanted, plans=anna.plans, known=known, at=at)
    return anna


async def breaches() -> list[str]:
    report = await audit.run(audit_checks.CHECKS, audit_checks.WALKS)
    return [breach.promise for breach in report.breaches]


async def test_what_benefits_leave_in_the_books_is_whole(at: datetime) -> None:
    anna = await club(at)
    assert await breaches() == []
    await anna.apply(anna.entitled(day(1), at, period=(day(1), day(1, 12)), taken_back=True), at=at)
    await granting.grant_due(at + timedelta(minutes=1))
    async with transaction() as connection:
        used = UseKey(anna.member, anna.world.grocer, "R-1", "shipping")
        part = Money(300, "SEK")
        await returning.give_back(connection, used, amount=part, at=at)
    assert await breaches() == []
    async with transaction() as connection:
        await returning.give_back(connection, used, at=at)
    assert await breaches() == []


@pytest.mark.parametrize(
    ("break_it", "found"),
    [
        ("DELETE FROM benefit_entitlement", ["a bonus of a plan", "points of a plan were given"]),
        (
            "UPDATE earning_bonus SET ended_at = valid_from + interval '1 day'",
            ["members are and earn"],
        ),
        ("DELETE FROM standing WHERE kind = 'flag'", ["members are and earn"]),
        ("UPDATE benefit_grant SET points = 101", ["a month of a membership"]),
        ("DELETE FROM benefit_grant", ["a month of a membership"]),
        ("UPDATE benefit_grant SET taken_back_at = granted_at", ["points of a plan are taken"]),
        ("UPDATE benefit_grant SET funder_no = 1 - funder_no", ["a month of a membership"]),
        (
            "UPDATE benefit_use SET compensations = '{}'",
            ["a benefit is used no more often", "for what a benefit saves"],
        ),
        ("UPDATE compensation SET funder_no = 0", ["for what a benefit saves"]),
        ("UPDATE benefit_use SET returned_at = made_at", ["a benefit is used no more often"]),
        (
            "UPDATE benefit_use SET saved_minor = 899",
            ["a benefit is used no more often", "for what a benefit saves"],
        ),
        (TWICE, ["a benefit is used no more often", "for what a benefit saves"]),
    ],
)
async def test_a_breach_is_found(at: datetime, break_it: str, found: list[str]) -> None:
    await club(at)
    async with transaction() as connection:
        await connection.execute(
            "GRANT UPDATE, DELETE ON benefit_grant, benefit_use, earning_bonus, compensation"
            " TO CURRENT_USER"
        )
        await connection.execute(break_it)
    promises = await breaches()
    assert len(promises) == len(found)
    for promise, begins in zip(promises, found, strict=True):
        assert promise.startswith(begins)


async def test_points_that_went_back_are_said_to_have_gone_back(at: datetime) -> None:
    anna = await club(at)
    await anna.apply(anna.entitled(day(1), at, period=(day(1), day(1, 12)), taken_back=True), at=at)
    await granting.grant_due(at + timedelta(minutes=1))
    async with transaction() as connection:
        await connection.execute("GRANT UPDATE ON benefit_grant TO CURRENT_USER")
        await connection.execute("UPDATE benefit_grant SET taken_back_at = NULL")
    (found,) = await breaches()
    assert found.startswith("points of a plan are taken back just where")


async def test_points_that_have_expired_are_taken_back_without_a_reversal(at: datetime) -> None:
    anna = await club(at)
    late = at + timedelta(days=500)
    await anna.apply(
        anna.entitled(day(1), at, period=(day(1), day(1, 12)), taken_back=True), at=late
    )
    await granting.grant_due(late)
    async with transaction() as connection:
        taken = await connection.fetchval("SELECT taken_back_at FROM benefit_grant")
        assert taken == late
        assert await connection.fetchval("SELECT count(*) FROM reversed_leg") == 0
    assert await breaches() == []
