"""The audit finds nothing in honest memberships and every kind of damage in others."""

import asyncio
from contextlib import suppress

import pytest

from billing.benefits.entitlements import Ground
from billing.subscriptions import audit_checks, syncing
from billing.subscriptions.grounds import Gift
from coalition.kernel.database import Engine, transaction
from server import proof
from tests.billing.subscriptions.world import Club, open_club

DERIVED = audit_checks.WALKS[0].promise
COUNTED, ENTITLED, SOLD = (check.promise for check in audit_checks.CHECKS)


async def _write_a_history(club: Club) -> None:
    """Write memberships that are paid, tried, refunded, ended, and given."""
    members = [await club.member() for _ in range(4)]
    paid = await club.subscribe(members[0])
    await club.subscribe(members[1], trial_period_days=14)
    given = Gift(
        ground=Ground.GIFT,
        plan_no=1,
        begins=club.at,
        ends=club.at.replace(year=club.at.year + 1),
        source="gift:1",
        made_by="test",
    )
    async with transaction() as connection:
        await syncing.give(connection, given, member=members[2], at=club.at)
    over = await club.subscribe(members[3])
    await club.hear()
    await club.advance(days=20)
    (invoice,) = (await club.gateway.picture(paid)).invoices
    await club.gateway.refund("k", invoice.payment_intent_ids[0], invoice.total, {})
    await club.gateway.cancel_now("k2", over)
    await club.hear()
    await club.turn()


# Facts are damaged by a superuser, as by a mistake of ours: the owner may not change them.
DAMAGES = {
    "an entitlement that nothing is behind": (
        "UPDATE benefit_entitlement SET ends = ends + interval '1 year' WHERE ground = 'trial'",
        {DERIVED},
    ),
    "an entitlement of no membership": (
        "UPDATE benefit_entitlement SET membership_id = member_id WHERE ground = 'gift'",
        {ENTITLED, DERIVED},
    ),
    "an entitlement beyond the end": (
        """
        UPDATE benefit_entitlement AS held SET ends = membership.changed_at + interval '1 second'
        FROM membership WHERE membership.id = held.membership_id AND membership.state = 'ended'
        """,
        {ENTITLED, DERIVED},
    ),
    "a state of its own": (
        "UPDATE membership SET state = 'grace' WHERE ground = 'paid'",
        {DERIVED},
    ),
    "no main subscription": (
        "UPDATE membership SET subscription = NULL WHERE ground = 'paid'",
        {DERIVED},
    ),
    "another main subscription": (
        "UPDATE membership SET subscription = 'sub_other' WHERE ground = 'paid'",
        {DERIVED},
    ),
    "an earlier end": (
        "UPDATE membership SET ended_at = ended_at - interval '3 days' WHERE state = 'ended'",
        {DERIVED},
    ),
    "an end that is to come": (
        "UPDATE membership SET ended_at = changed_at + interval '7 days' WHERE state = 'ended'",
        {DERIVED},
    ),
    **{
        f"another {column}": (
            f"UPDATE membership SET {column} = {value} WHERE state = 'active'",
            {DERIVED},
        )
        for column, value in (
            ("ground", "'comped'"),
            ("plan_no", "3 - plan_no"),
            ("price_no", "price_no + 1"),
            ("customer_id", "'cus_other'"),
            ("period_start", "period_start - interval '1 day'"),
            ("period_end", "period_end + interval '1 day'"),
            ("turns_at", "NULL"),
        )
    },
    "a payment that was not booked": (
        "DELETE FROM membership_entry WHERE kind = 'refund'",
        {DERIVED},
    ),
    "a payment that was booked twice": (
        """
        INSERT INTO membership_entry
        SELECT bucket, member_id, membership_id, source, 3, kind, amount_minor, tax_minor, currency,
               period_start, period_end, payment, occurred_at, booked_at
        FROM membership_entry WHERE kind = 'payment'
        """,
        {COUNTED, DERIVED},
    ),
    "a payment of another time": (
        "UPDATE membership_entry SET occurred_at = occurred_at - interval '40 days'",
        {DERIVED},
    ),
    "a payment for another period": (
        "UPDATE membership_entry SET period_end = period_end + interval '1 year'",
        {DERIVED},
    ),
    "a payment in another currency": ("UPDATE membership_entry SET currency = 'EUR'", {DERIVED}),
    "a payment of a gift that nobody bought": (
        """
        INSERT INTO membership_entry
        SELECT bucket, member_id, NULL, 'pi_nobodys', 1, kind, amount_minor, tax_minor, currency,
               NULL, NULL, payment, occurred_at, booked_at, gen_random_uuid()
        FROM membership_entry WHERE kind = 'payment'
        """,
        {SOLD},
    ),
}


@pytest.fixture
def club(runner: asyncio.Runner, database: Engine) -> Club:
    assert database.pool is not None
    made = runner.run(open_club())
    runner.run(_write_a_history(made))
    return made


@pytest.mark.usefixtures("club")
async def test_honest_memberships_have_no_breach_and_every_kind_of_damage_is_found() -> None:
    assert (await proof.prove()).breaches == []
    async with transaction() as connection:
        await connection.execute(
            "GRANT UPDATE, DELETE ON membership_entry, benefit_entitlement TO CURRENT_USER"
        )
    for name, (damage, promises) in DAMAGES.items():
        assert await _found(damage) == promises, name


async def _found(damage: str) -> set[str]:
    """Return the promises that are broken by a damage, which is undone."""
    found = set()
    with suppress(_UndoneError):
        async with transaction() as connection:
            await connection.execute(damage)
            for check in audit_checks.CHECKS:
                if await connection.fetch(check.query):
                    found.add(check.promise)
            for walk in audit_checks.WALKS:
                if await walk.find(connection):
                    found.add(walk.promise)
            raise _UndoneError
    return found


class _UndoneError(Exception):
    """Takes a damage back."""
