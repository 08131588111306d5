"""The audit finds nothing in honest books and every kind of damage in others."""

import asyncio
from datetime import datetime, timedelta

import pytest

from coalition.kernel.database import Engine, transaction
from coalition.ledger import audit, expiry, upkeep
from coalition.ledger.drafts import Capture, Held, Hold, Posted, Void
from coalition.oversight import audit_log
from tests.support.ledger import (
    FUEL,
    GROCER,
    balance,
    issue,
    open_holder,
    post,
    redeem,
    reverse,
    till,
)

pytestmark = pytest.mark.usefixtures("database")


async def write_a_history(at: datetime) -> None:
    """Write a little of everything: issues, redemptions, holds, reversals, expiry, a sweep."""
    anna, bo = await open_holder(at), await open_holder(at)
    soon = at.date() + timedelta(days=10)
    issued, *_ = await post(
        [
            issue(anna, 300, at, receipt="a1", expires_on=soon),
            issue(anna, 200, at, receipt="a2", partner_no=FUEL),
            issue(bo, 50, at, receipt="b1"),
        ],
        at,
    )
    redeemed, held, kept, open_hold = await post(
        [
            redeem(anna, 350, at, receipt="r1"),
            *(
                Hold(anna, till(FUEL, at, f"h{n}"), 1, 20, at + timedelta(hours=1))
                for n in range(3)
            ),
        ],
        at,
    )
    assert isinstance(redeemed, Posted)
    assert isinstance(issued, Posted)
    assert isinstance(held, Held)
    assert isinstance(kept, Held)
    assert isinstance(open_hold, Held)
    await post([Capture(held.hold, FUEL, None, 15), Void(kept.hold, FUEL)], at)
    later = at + timedelta(days=20)
    await post([reverse(redeemed.posting, later, partner_no=FUEL, points=320)], later)
    await post([reverse(redeemed.posting, later, partner_no=FUEL, points=10)], later)
    (back,) = await post([issue(bo, 70, later, receipt="b2")], later)
    assert isinstance(back, Posted)
    await post([reverse(back.posting, later, partner_no=GROCER)], later)
    much_later = later + timedelta(days=60)
    assert await expiry.expire(much_later, much_later.date()) > 0
    assert await upkeep.sweep() > 0
    assert await upkeep.roll_up_totals() > 0
    await post([issue(bo, 5, much_later, receipt="b3")], much_later)


async def test_honest_books_have_no_breach(at: datetime) -> None:
    await write_a_history(at)
    report = await audit.run()
    assert report.breaches == []
    assert report.ok
    assert report.checks == len(audit.CHECKS) + 1


DAMAGES = {
    "I1": "UPDATE leg SET points = points + 1 WHERE no = 0",
    "I2": "UPDATE lot SET points_in = points_in + 1",
    "I3": "ALTER TABLE lot DROP CONSTRAINT spendable_points_are_never_negative;"
    "UPDATE lot SET held = points_in + 1",
    "I4": "UPDATE lot SET issuer_no = issuer_no + 1;"
    "UPDATE lot_history SET issuer_no = issuer_no + 1",
    "I5": "DELETE FROM receipt_claim",
    "I6": "UPDATE reversed_leg SET reversed = reversed - 1",
    "I13": "DELETE FROM posting WHERE kind = 1",
}


@pytest.mark.parametrize("invariant", DAMAGES)
async def test_damage_is_found(at: datetime, invariant: str) -> None:
    await write_a_history(at)
    async with transaction() as connection:
        await connection.execute(DAMAGES[invariant])
    report = await audit.run()
    assert not report.ok
    assert invariant in {breach.invariant for breach in report.breaches}


async def test_a_hold_with_two_captures_is_found(at: datetime) -> None:
    await write_a_history(at)
    async with transaction() as connection:
        await connection.execute(
            "UPDATE hold SET state = 2, "
            "posting = (SELECT posting FROM hold WHERE state = 2 LIMIT 1) WHERE state = 3"
        )
    report = await audit.run()
    assert "I4" in {breach.invariant for breach in report.breaches}


async def test_a_right_to_change_postings_is_found(database: Engine, at: datetime) -> None:
    await write_a_history(at)
    async with transaction() as connection:
        await connection.execute("GRANT UPDATE (points) ON posting TO coalition_poster")
    report = await audit.run()
    assert [breach.promise for breach in report.breaches] == [
        "no role of the service may change or remove a posting, a leg or an entry of a debt"
    ]


async def test_expired_points_cannot_be_spent_before_the_job_has_booked_them(at: datetime) -> None:
    anna = await open_holder(at)
    await post([issue(anna, 100, at, expires_on=at.date())], at)
    tomorrow = at + timedelta(days=1)
    assert await balance(anna, tomorrow) == 0
    assert await expiry.expire(tomorrow, tomorrow.date()) == 100
    assert await expiry.expire(tomorrow, tomorrow.date()) == 0


async def test_a_broken_chain_of_the_audit_log_is_found(at: datetime) -> None:
    async with transaction() as connection:
        await audit_log.record(
            connection, actor="staff:anna", action="test.done", subject="test", facts={}, at=at
        )
        assert (await audit_log.verify(connection)) == []
        await connection.execute("UPDATE audit_log SET actor = 'staff:bo'")
    report = await audit.run()
    assert [breach.invariant for breach in report.breaches] == ["I13"]


MORE_DAMAGES = {
    "a posting without a lot": "UPDATE posting SET lot = NULL WHERE kind = 1",
    "a lot that nobody issued": "INSERT INTO lot SELECT bucket, gen_random_uuid(), holder, "
    "contributor, currency_no, issuer_no, contract_no, funder_no, earned_month, expires_on, "
    "clock_no, class_no, issue_price, prefunded_share, 5, 0, 0 FROM lot LIMIT 1",
    "a lot that is gone": "DELETE FROM lot",
    "a swept lot that is gone": "DELETE FROM lot_history",
    "a leg that is gone": "DELETE FROM leg WHERE no = 1",
    "a hold that was opened again": "UPDATE hold SET state = 1, resolved_at = NULL, posting = NULL "
    "WHERE state = 2",
    "a hold whose points are gone": "DELETE FROM hold_leg",
    "points taken back by another partner": "UPDATE posting SET account_partner_no = 9 "
    "WHERE kind = 1",
    "totals that were changed": "UPDATE partner_total SET points = points + 1",
    "returns that nobody counted": "DELETE FROM reversed_leg",
    "returns counted against more than was moved": "UPDATE reversed_leg SET moved = moved + 1",
    "issues on the account of what expires": "UPDATE posting SET account = 3, "
    "account_partner_no = 0 WHERE kind = 1",
    "points that expired as if spent": "UPDATE posting SET account = 2 WHERE kind = 4",
    "points spent at somebody else's": "UPDATE posting SET account_partner_no = 9 WHERE kind = 2",
    "an issue to another holder": "UPDATE posting SET holder = gen_random_uuid() WHERE kind = 1",
    "a lot of another point currency": "UPDATE lot SET currency_no = 2; "
    "UPDATE lot_history SET currency_no = 2",
    "a hold of more than its legs": "UPDATE hold SET points = points + 1 WHERE state = 1",
}


@pytest.mark.parametrize("damage", MORE_DAMAGES)
async def test_other_damage_is_found_too(at: datetime, damage: str) -> None:
    await write_a_history(at)
    async with transaction() as connection:
        await connection.execute(MORE_DAMAGES[damage])
    report = await audit.run()
    assert not report.ok
    assert all(breach.rows > 0 and breach.first for breach in report.breaches)


async def test_an_audit_runs_while_tills_post(at: datetime) -> None:
    members = [await open_holder(at) for _ in range(4)]

    async def trade() -> None:
        for number in range(10):
            await post([issue(member, 10, at) for member in members], at)
            await post([redeem(members[number % 4], 5, at)], at)

    async def prove() -> list[bool]:
        return [(await audit.run()).ok for _ in range(5)]

    *_, proofs = await asyncio.gather(trade(), trade(), prove())
    assert proofs == [True] * 5
