"""The audit finds every kind of damage in transfers, in their fees and in what was undone."""

from datetime import datetime, timedelta

import pytest

from coalition.kernel.database import transaction
from coalition.ledger import audit, audit_halves, upkeep
from coalition.ledger.drafts import Held
from tests.ledger.transfer_world import merge, moved, reserve, transfer, undo
from tests.support.ledger import FUEL, issue, open_holder, post

pytestmark = pytest.mark.usefixtures("database")


async def write_a_history(at: datetime) -> None:
    """Write a little of everything: transfers held, with a fee, undone, and after a merge."""
    anna, bo, cleo = [await open_holder(at) for _ in range(3)]
    soon = at.date() + timedelta(days=30)
    await post([issue(anna, 300, at, expires_on=soon), issue(anna, 200, at, partner_no=FUEL)], at)
    (held,) = await post([reserve(anna, 80, at)], at)
    assert isinstance(held, Held)
    await moved(transfer(anna, bo, 70, at, hold=held.hold, fee=10), at)
    undone = await moved(transfer(anna, bo, 40, at), at)
    await moved(undo(undone, at), at)
    await moved(transfer(anna, bo, 250, at), at)
    again = await moved(transfer(bo, cleo, 20, at), at)
    await merge(cleo, anna, at)
    await moved(undo(again, at), at)
    await upkeep.sweep()


async def test_honest_books_have_no_breach(at: datetime) -> None:
    await write_a_history(at)
    assert (await audit.run()).breaches == []


A_TRANSFER = "(SELECT id FROM posting WHERE kind = 9 AND direction = -1 ORDER BY id LIMIT 1)"
HALVES = audit_halves.CHECKS[0].promise
UNDONE, FEES = audit_halves.CHECKS[1].promise, audit_halves.CHECKS[2].promise
KEPT = audit_halves.CHECKS[4].promise
AT_ITS_RECEIVER = f"holder = (SELECT holder FROM posting WHERE linked = {A_TRANSFER} AND kind = 9)"
AN_UNDOING = "(SELECT min(id::text)::uuid FROM posting WHERE kind = 3)"
AN_ISSUE = "(SELECT id FROM posting WHERE kind = 1 LIMIT 1)"

DAMAGES = {
    "a half names nobody that there is": (
        HALVES,
        f"UPDATE posting SET linked = batch WHERE id = {A_TRANSFER}",
    ),
    "less arrives than leaves": (
        HALVES,
        f"UPDATE posting SET points = points + 1 WHERE id = {A_TRANSFER}",
    ),
    "a half was made in another batch": (
        HALVES,
        f"UPDATE posting SET batch = id WHERE id = {A_TRANSFER}",
    ),
    "a half stands on another account": (
        HALVES,
        f"UPDATE posting SET account = 5 WHERE id = {A_TRANSFER}",
    ),
    "one half alone was undone": (UNDONE, f"DELETE FROM posting WHERE id = {AN_UNDOING}"),
    "less was undone than moved": (
        UNDONE,
        "UPDATE posting SET points = points - 1 WHERE kind = 3",
    ),
    "the halves were undone one after the other": (
        UNDONE,
        "UPDATE posting SET batch = id WHERE kind = 3",
    ),
    "an undoing reverses what is no transfer": (
        UNDONE,
        f"UPDATE posting SET reverses = {AN_ISSUE} WHERE kind = 3",
    ),
    "a fee names no transfer": (
        FEES,
        f"UPDATE posting SET linked = {AN_ISSUE} WHERE kind = 10",
    ),
    "a fee was taken later": (FEES, "UPDATE posting SET batch = id WHERE kind = 10"),
    "a fee was taken by a partner": (FEES, "UPDATE posting SET partner_no = 1 WHERE kind = 10"),
    **{
        f"{what} changes on the way": (KEPT, f"UPDATE lot SET {change} WHERE {AT_ITS_RECEIVER}")
        for what, change in {
            "an issuer": "issuer_no = issuer_no + 1",
            "a contract": "contract_no = contract_no + 1",
            "a funder": "funder_no = funder_no + 1",
            "a price": "issue_price = issue_price * 2",
            "a share": "prefunded_share = 0",
            "a month": "earned_month = earned_month + 1",
        }.items()
    },
}


@pytest.mark.parametrize("damage", DAMAGES)
async def test_damage_is_found(at: datetime, damage: str) -> None:
    await write_a_history(at)
    promise, statement = DAMAGES[damage]
    async with transaction() as connection:
        await connection.execute(statement)
    report = await audit.run()
    assert promise in {breach.promise for breach in report.breaches}
