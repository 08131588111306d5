"""What is gone at Stripe, or is somebody else's there, the nightly comparison finds."""

import asyncio

import pytest

from billing.subscriptions import customers, reconciling
from billing.subscriptions.reconciling import Report
from coalition.kernel.database import Engine, transaction
from coalition.kernel.ids import MemberId, bucket_of
from tests.billing.subscriptions.world import Club, open_club


@pytest.fixture
def club(runner: asyncio.Runner, database: Engine) -> Club:
    assert database.pool is not None
    return runner.run(open_club())


async def _reconcile(club: Club, *, dry_run: bool = False) -> Report:
    return await reconciling.reconcile(club.handler, club.at, whole=True, dry_run=dry_run)


async def _keep(club: Club, member: MemberId, customer: str) -> None:
    """Write down that a member is called `customer` at Stripe, and nothing else."""
    async with transaction() as connection:
        await connection.execute("DELETE FROM member_at_stripe WHERE member_id = $1", member)
        await connection.execute(
            "INSERT INTO member_at_stripe VALUES ($1, $2, $3, $4)",
            *(bucket_of(member), member, customer, club.at),
        )


async def _customer(club: Club, member: MemberId) -> str:
    return await club.gateway.customer(
        str(member), member_id=member, email="a@example.org", country="SE"
    )


async def test_a_customer_of_somebody_else_is_put_right_where_stripe_knows_the_own(
    club: Club,
) -> None:
    anna, bo = [await club.member() for _ in range(2)]
    own = {member: await _customer(club, member) for member in (anna, bo)}
    for member, customer in own.items():
        await _keep(club, member, customer)
    honest = await _reconcile(club)
    assert (honest.drifted, honest.unexplained) == (0, ())

    await _keep(club, anna, own[bo])
    for dry in (True, False):
        report = await _reconcile(club, dry_run=dry)
        (drift,) = report.drifts
        assert (drift.subscription, drift.member_id) == (own[bo], str(anna))
        assert drift.differences == (f"is this member's customer here, and that of {bo} at Stripe",)
        assert report.repaired == (0 if dry else 1)
    assert [await customers.find(one) for one in (anna, bo)] == [own[anna], own[bo]]
    again = await _reconcile(club)
    assert (again.drifted, again.unexplained) == (0, ())


async def test_a_customer_that_stripe_does_not_know_as_the_members_waits_for_staff(
    club: Club,
) -> None:
    members = [await club.member() for _ in range(4)]
    stranger = (await club.stripe.customers.create_async({"email": "s@example.org"})).id
    deleted = (await club.stripe.customers.create_async({"email": "d@example.org"})).id
    await club.stripe.customers.delete_async(deleted)
    # Who has left may have been forgotten at Stripe as well.
    kept = ("cus_of_no_account", stranger, deleted, "cus_forgotten")
    for member, customer in zip(members, kept, strict=True):
        await _keep(club, member, customer)
    async with transaction() as connection:
        await connection.execute("UPDATE member SET state = 'closed' WHERE id = $1", members[3])
    report = await _reconcile(club)
    assert report.drifted == 0
    assert {(one.id, one.kind, one.told.rpartition(", ")[2]) for one in report.unexplained} == {
        ("cus_of_no_account", "customer", "and Stripe does not know it"),
        (stranger, "customer", "and nobody's at Stripe"),
        (deleted, "customer", "and was deleted at Stripe"),
    }


async def test_a_paid_invoice_whose_payment_is_gone_waits_for_staff(club: Club) -> None:
    member = await club.member()
    subscription = await club.subscribe(member)
    await club.subscribe(await club.member())
    await club.hear()
    (invoice,) = (await club.gateway.picture(subscription)).invoices
    (payment,) = invoice.payment_intent_ids
    honest = await _reconcile(club)
    assert (honest.drifted, honest.unexplained) == (0, ())

    with club.sandbox.store.transaction() as making:
        (charge,) = making.all("charge", {"payment_intent": payment})
        club.sandbox.world(making).remove(charge)
    report = await _reconcile(club)
    (only,) = report.unexplained
    assert (only.id, only.kind, only.member_id) == (payment, "entry", str(member))
    assert (
        only.told == f"invoice {invoice.id} is paid with 9900 SEK, and Stripe has no such payment"
    )
    assert report.drifted == 0
