"""The audit finds nothing in honest books of families, and every kind of damage in others."""

from datetime import datetime
from typing import Any

import pytest

from coalition.families import audit_checks
from coalition.families.kin.speaking import By
from coalition.kernel.database import Engine, transaction
from server.proof import prove
from tests.families.groups.test_lives import merged
from tests.families.groups.world import Families, account, make_families
from tests.families.registered import written
from tests.families.transfers.world import Bank

STAFF = By.staff("staff:anna")
RULES: dict[str, Any] = {  # Any: keys of a rule set, as a file has them
    "limits": [
        {"subject": "sender", "measure": "amount", "window": "calendar_year", "max": 5000},
        {"subject": "pair", "measure": "count", "window": "rolling 30 days", "max": 50},
    ],
    "fees": [{"kind": "flat", "points": 3}],
    "control": {"approvals": [{"by": "receiver", "above": 100}], "undo_hours": 48},
}


async def write_a_history(at: datetime) -> Families:
    """Write transfers in every state, and groups that have closed, and that go on."""
    world = await make_families(at)
    await world.rules("p2p", written(**RULES))
    await world.rules("home", account())
    anna, bo, cleo = await world.adult(2000), await world.adult(900), await world.adult(400)
    await world.send(anna, bo, 50)
    undone = await world.send(anna, bo, 60)
    await world.undo(undone, STAFF)
    agreed = await world.send(anna, cleo, 200)
    await Bank.approve(world, agreed, By.of(cleo))
    await world.send(anna, cleo, 300)
    turned_down = await world.send(bo, cleo, 150)
    await world.reject(turned_down, By.of(cleo))
    await world.send(bo, anna, 120)
    world.advance(days=20)
    await world.due()
    waiting = await world.send(bo, anna, 130)
    assert waiting["state"] == "requested"
    await world.send(cleo, bo, 10)
    group = await world.form("home", anna, bo)
    await world.leave(group, bo)
    await world.close(group, anna)
    await world.form("home", anna, cleo)
    return world


async def test_honest_books_have_no_breach(database: Engine, at: datetime) -> None:
    await write_a_history(at)
    assert (await prove()).breaches == []


async def test_who_was_merged_has_used_what_both_did(database: Engine, at: datetime) -> None:
    world = await make_families(at)
    await world.rules("p2p", written(**RULES))
    anna, bo, cleo = await world.adult(300), await world.adult(300), await world.adult()
    await world.send(anna, cleo, 50)
    await world.send(bo, cleo, 20)
    await merged(bo, anna, world.at)
    await world.send(anna, cleo, 10)
    assert (await prove()).breaches == []


MOVED, UNDONE, RESERVED, STEPS, LIVES, MONTHS, PLACES, POOLS, BOUGHT = (
    check.promise for check in audit_checks.CHECKS
)
COUNTED = audit_checks.WALKS[0].promise
A_TRANSFER = "(SELECT min(id::text)::uuid FROM transfer WHERE state = 'completed')"
WAITING = "state = 'requested'"
A_DAY = "day > '1900-01-01' AND amount > 0 AND event = 'transfer'"
ONE_DAY = f"(SELECT min(ctid::text)::tid FROM family_usage WHERE {A_DAY})"

DAMAGES = {
    "more was sent than moved": (
        MOVED,
        f"UPDATE transfer SET points = points + 1 WHERE id = {A_TRANSFER}",
    ),
    "the points went to somebody else": (
        MOVED,
        (
            "UPDATE transfer SET receiver = "
            "(SELECT id FROM holder WHERE id NOT IN (transfer.sender, transfer.receiver) LIMIT 1)"
            f" WHERE id = {A_TRANSFER}"
        ),
    ),
    "a fee was taken that nobody owed": (
        MOVED,
        f"UPDATE transfer SET fee_points = 0 WHERE id = {A_TRANSFER}",
    ),
    "two transfers claim one posting": (
        MOVED,
        (
            "UPDATE transfer SET posting = (SELECT min(posting::text)::uuid FROM transfer)"
            " WHERE state = 'completed'"
        ),
    ),
    "what is undone was never given back": (
        UNDONE,
        "UPDATE transfer SET state = 'undone' WHERE state = 'completed'",
    ),
    "what was given back is not undone": (
        UNDONE,
        "UPDATE transfer SET state = 'completed', undone_by = NULL WHERE state = 'undone'",
    ),
    "what waits has reserved too little": (
        RESERVED,
        f"UPDATE transfer SET points = points + 1 WHERE {WAITING}",
    ),
    "what was turned down is still reserved": (
        RESERVED,
        (
            "UPDATE hold SET state = 1, resolved_at = NULL FROM transfer"
            " WHERE transfer.hold = hold.id AND transfer.state = 'rejected'"
        ),
    ),
    "a step was forgotten": (
        STEPS,
        "DELETE FROM transfer_event WHERE no > 1",
    ),
    "a state was set without a step": (
        STEPS,
        f"UPDATE transfer SET state = 'held' WHERE {WAITING}",
    ),
    "a life is less than its days": (
        LIVES,
        "UPDATE family_usage SET amount = amount - 1 WHERE day = '-infinity' AND amount > 0",
    ),
    "a month is more than its days": (
        MONTHS,
        "UPDATE family_usage SET amount = amount + 1 WHERE day BETWEEN '1000-1-1' AND '1900-1-1'",
    ),
    "a day is counted twice": (
        LIVES,
        f"UPDATE family_usage SET times = times + 1 WHERE ctid = {ONE_DAY}",
    ),
    "a cap was reset": (COUNTED, f"UPDATE family_usage SET amount = 0 WHERE ctid = {ONE_DAY}"),
    "a count was forgotten": (COUNTED, f"DELETE FROM family_usage WHERE ctid = {ONE_DAY}"),
    "what was turned down still counts": (
        COUNTED,
        "UPDATE transfer SET state = 'requested' WHERE state = 'rejected'",
    ),
    "a member does not know its group": (
        PLACES,
        "UPDATE group_of_member SET left_at = now() WHERE left_at IS NULL",
    ),
    "a place was forgotten": (
        PLACES,
        (
            "UPDATE group_member SET left_at = joined_at, leaving = 'left' WHERE left_at IS NULL"
            " AND role <> 'head'"
        ),
    ),
    "a head does not belong to its group": (
        PLACES,
        "UPDATE family_group SET head = gen_random_uuid() WHERE state = 'active'",
    ),
    "what was bought is not counted": (
        BOUGHT,
        (
            "INSERT INTO family_redemption (bucket, act, is_hold, member_id, group_id, day,"
            " points, returned) SELECT bucket, id, false, id, id, '2026-11-01', 10, 9 FROM holder"
        ),
    ),
    "points are left in a closed account": (
        POOLS,
        (
            "UPDATE lot SET points_out = points_out - 1 FROM family_group"
            " WHERE lot.holder = pool AND family_group.state = 'closed'"
        ),
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
async def test_damage_is_found(database: Engine, at: datetime, damage: str) -> None:
    await write_a_history(at)
    promise, statement = DAMAGES[damage]
    async with transaction() as connection:
        done = await connection.execute(statement)
    assert done.split()[-1] != "0"
    broken = [one for one in (await prove()).breaches if one.promise == promise]
    assert [one.invariant for one in broken] == ["I10"], damage
