"""A process dies between Stripe's answer and our commit: one charge, and nothing is lost."""

import asyncio
import signal
import sys
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from billing.gateway import draining, intents
from billing.subscriptions import receipts, recovering
from billing.subscriptions.desk import ending, refunding
from billing.subscriptions.desk.refunding import Wanted
from coalition.kernel.database import Engine, transaction
from coalition.oversight.refusals import ApprovalDecided
from server import proof
from tests.billing.subscriptions.world import Club, open_club
from tests.faults.failing_billing import KEY, end, gateway_of, house_of, refund, upgrade
from tests.faults.processes import ROOT

pytestmark = pytest.mark.slow


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return where the sandbox keeps its state, for both processes."""
    return tmp_path / "stripe.sqlite"


@pytest.fixture
def club(runner: asyncio.Runner, database: Engine, file: Path) -> Club:
    assert database.pool is not None
    return runner.run(open_club(path=file))


async def _dies(at: datetime, *arguments: str) -> None:
    """Run the program that dies, and see that it does."""
    command = [sys.executable, "-m", "tests.faults.failing_billing", at.isoformat(), *arguments]
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT)
    assert await asyncio.wait_for(process.wait(), 60) == -signal.SIGKILL


async def test_a_change_whose_answer_nobody_kept_is_made_once(
    club: Club, database_url: str, file: Path
) -> None:
    member = await club.member()
    subscription = await club.subscribe(member)
    await club.hear()
    price = club.prices["prime/month"]
    await _dies(club.at, database_url, str(file), "upgrade", subscription, price)
    assert not await intents.is_answered(KEY)
    # Its caller asks again; meanwhile the events have told of the change already.
    await club.hear()
    gateway = gateway_of(club.sandbox)
    changed = [await upgrade(gateway, subscription, price, club.at) for _ in range(2)]
    assert [one.price_id for one in changed] == [price, price]
    await club.hear()
    invoices = (await gateway.picture(subscription)).invoices
    assert sorted(one.amount_paid.amount_minor for one in invoices) == [9_900, 10_000]
    assert await club.net(member) == {"SEK": 19_900}
    assert (await proof.prove()).breaches == []


async def _logged(action: str) -> int:
    async with transaction() as connection:
        counted = "SELECT count(*) FROM audit_log WHERE action = $1"
        return int(await connection.fetchval(counted, action))


@pytest.mark.parametrize("again", ["by whoever asked", "by the worker"])
async def test_a_cancellation_by_staff_whose_answer_nobody_kept_is_one(
    club: Club, database_url: str, file: Path, again: str
) -> None:
    member = await club.member()
    subscription = await club.subscribe(member)
    await club.hear()
    await _dies(club.at, database_url, str(file), "end", str(member))
    gateway = gateway_of(club.sandbox)
    assert (await gateway.picture(subscription)).subscription.cancel_at_period_end
    async with transaction() as connection:
        (receipt,) = await receipts.of_member(connection, member)
    if again == "by the worker":
        later = club.at + timedelta(minutes=3)
        assert await recovering.recover(gateway, later) == 1
    assert await end(gateway, member, club.at + timedelta(minutes=3)) == receipt
    await club.hear()
    assert (await _logged(ending.CANCELLED), (await proof.prove()).breaches) == (1, [])


@pytest.mark.parametrize("again", ["by whoever asked", "by the worker"])
async def test_a_refund_by_staff_whose_answer_nobody_kept_is_one(
    club: Club, database_url: str, file: Path, again: str
) -> None:
    member = await club.member()
    await club.subscribe(member)
    await club.hear()
    wanted = Wanted(member, "a complaint", amount_minor=4_000)
    approval = await refunding.prepare(wanted, prepared_by="staff:anna", at=club.at)
    await _dies(club.at, database_url, str(file), "refund", str(approval))
    gateway, later = gateway_of(club.sandbox), club.at + timedelta(minutes=3)
    with pytest.raises(ApprovalDecided):
        await refund(gateway, approval, later)
    if again == "by the worker":
        assert await recovering.recover(gateway, later) == 1
    else:
        async with refunding.carried_out(house_of(gateway), approval, at=later):
            pass
    await club.hear()
    assert await club.net(member) == {"SEK": 5_900}
    assert (await _logged(refunding.REFUNDED), (await proof.prove()).breaches) == (1, [])


async def test_what_was_seen_and_not_kept_is_looked_at_again(
    club: Club, database_url: str, file: Path
) -> None:
    member = await club.member()
    await club.subscribe(member)
    await club.sandbox.deliver_due()
    for delivery in club.mailbox.emptied():
        await club.receive(delivery)
    await _dies(club.at, database_url, str(file), "drain")
    assert await club.memberships(member) == []
    later = club.at + draining.LEASE
    assert await draining.drain_all(later, club.handler.handle) > 0
    assert await club.net(member) == {"SEK": 9_900}
    assert (await proof.prove()).breaches == []
