"""Every act of the ledger at once, over few members: no error, no lost point, whole books."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

import pytest

from coalition.kernel.database import Connection, retrying, transaction
from coalition.kernel.errors import Refused
from coalition.ledger import (
    audit,
    clocks,
    debts,
    expiry,
    forfeits,
    holders,
    merging,
    posting,
    resolutions,
    totals,
    upkeep,
)
from coalition.ledger.accounts import HolderState
from coalition.ledger.clocks import Clock
from coalition.ledger.drafts import (
    Adjust,
    Capture,
    Convert,
    Draft,
    Grant,
    Held,
    Hold,
    Issue,
    Outcome,
    Posted,
    Recover,
    Redeem,
    Reverse,
    Transferred,
    Void,
)
from coalition.ledger.partitions import ensure_partition
from coalition.ledger.selecting import Side
from tests.ledger.transfer_world import BOTH, transfer, undo
from tests.support.ledger import GROCER, open_holder, provenance, till

pytestmark = pytest.mark.usefixtures("database")

EXPECTED = {
    "not_enough_points",
    "points_already_spent",
    "reversal_exceeds_original",
    "not_reversible",
    "hold_resolved",
    "duplicate_receipt",
    "nothing_owed",
    "nothing_to_convert",
    "price_not_exact",
    "member_merged",
    "member_not_active",
    "member_has_holds",
    "merge_with_itself",
    "transfer_to_itself",
}
# Deadlocks between two batches are expected, and found soon so that the test is quick.
SETTINGS = {"deadlock_timeout": "20ms", **posting.PINNED}


class Crowd:
    """Members, and what was done to them; everybody picks from the same."""

    def __init__(self, at: datetime, members: list[UUID], registered: tuple[Clock, ...]) -> None:
        self.at = at
        self.members = members
        self.clocks = registered
        self.made: list[UUID] = []
        self.held: list[UUID] = []
        self.sent: list[Transferred] = []
        self.codes: Counter[str] = Counter()

    async def work(self, seed: int, times: int) -> None:
        dice = random.Random(seed)
        for _ in range(times):
            drafts = [self.draft(dice) for _ in range(dice.choice([1, 1, 3, 8]))]
            for outcome in await retrying(partial(self.post, drafts)):
                self.note(outcome)

    async def post(self, drafts: list[Draft]) -> list[Outcome]:
        async with transaction(SETTINGS, role=posting.POSTER_ROLE) as connection:
            _, outcomes = await posting.post(
                connection, drafts, at=self.at, today=self.at.date(), clocks=self.clocks
            )
        return outcomes

    def note(self, outcome: Outcome) -> None:
        if isinstance(outcome, Refused):
            self.codes[outcome.code] += 1
            return
        self.codes["done"] += 1
        if isinstance(outcome, Posted):
            self.made.append(outcome.posting)
        elif isinstance(outcome, Held):
            self.held.append(outcome.hold)
        elif isinstance(outcome, Transferred) and outcome.legs:  # not of one undone
            self.sent.append(outcome)

    def draft(self, dice: random.Random) -> Draft:
        member, points, bare = dice.choice(self.members), dice.randint(1, 60), till(GROCER, self.at)
        makers: list[Callable[[], Draft]] = [
            lambda: self.issue(dice, member, points),
            lambda: self.issue(dice, member, points),
            lambda: Redeem(member, bare, 1, points),
            lambda: Convert(member, bare, 1, 2, points, 2, 1),
            lambda: Adjust(member, bare, 1, points, "by hand", dice.choice([None, provenance()])),
            lambda: Recover(member, bare, 1, None),
            *[lambda: self.transfer(dice, member, points)] * 2,
            lambda: Hold(
                member, till(GROCER, self.at, "h"), 1, points, self.at + timedelta(hours=1)
            ),
        ]
        if self.made:
            target, percent = dice.choice(self.made), dice.choice([0, 50, 100])
            reverse = Reverse(
                target,
                bare,
                dice.choice([None, 5]),
                "reverse",
                self.at.date(),
                debts=dice.choice([{}, {GROCER * 10: percent}]),
            )
            makers += [lambda: reverse] * 3
        if self.sent:
            sent = dice.choice(self.sent)
            makers += [lambda: undo(sent, self.at)]
        if self.held:
            hold = dice.choice(self.held)
            makers += [lambda: Capture(hold, GROCER, None, None), lambda: Void(hold, GROCER)]
        return dice.choice(makers)()

    def transfer(self, dice: random.Random, member: UUID, points: int) -> Draft:
        other, active = dice.choice(self.members), dice.choice([frozenset[Side](), BOTH])
        fee = dice.choice([0, 0, 3])
        return transfer(member, other, points, self.at, fee=fee, activity=active)

    def issue(self, dice: random.Random, member: UUID, points: int) -> Draft:
        source = provenance(
            expires_on=self.at.date() - timedelta(days=dice.choice([-9, 0, 1]))
        )._replace(clock_no=dice.choice([0, 1]))
        return Issue(member, till(GROCER, self.at), (Grant(source, points),))

    async def staff(self, seed: int) -> None:
        """Merge, close, forgive and do the work of the night meanwhile."""
        dice = random.Random(seed)
        for _ in range(3):
            gone, kept = dice.choices(self.members, k=2)
            await self.decide(partial(self.merge, gone=gone, kept=kept))
            await self.decide(partial(self.forgive, holder=dice.choice(self.members)))
            await expiry.expire(self.at, self.at.date())
            await upkeep.sweep()
            await upkeep.roll_up_totals()
            await merging.forward_late(self.at, self.at.date())
            async with transaction(posting.PINNED, role=posting.POSTER_ROLE) as connection:
                await resolutions.expire_holds(connection, self.at + timedelta(hours=2), 5)
        await self.decide(partial(self.close, holder=dice.choice(self.members)))

    async def decide(self, work: Callable[[Connection], Awaitable[None]]) -> None:
        async def attempt() -> None:
            async with transaction({"deadlock_timeout": "20ms"}) as connection:
                await work(connection)

        try:
            await retrying(attempt)
        except Refused as refusal:
            self.codes[refusal.code] += 1

    async def merge(self, connection: Connection, *, gone: UUID, kept: UUID) -> None:
        await merging.merge(
            connection, from_holder=gone, into_holder=kept, at=self.at, today=self.at.date()
        )

    async def forgive(self, connection: Connection, *, holder: UUID) -> None:
        await debts.write_off(
            connection,
            holder,
            currency_no=1,
            points=None,
            issue=None,
            actor="staff:anna",
            reason="a good customer",
            at=self.at,
        )

    async def close(self, connection: Connection, *, holder: UUID) -> None:
        await forfeits.forfeit(
            connection, holder, at=self.at, today=self.at.date(), actor="staff:anna"
        )
        await holders.set_state(connection, holder, HolderState.CLOSED)


async def test_every_act_at_once_keeps_the_books(at: datetime) -> None:
    await ensure_partition(at)
    async with transaction() as connection:
        await clocks.register(connection, months=1)
        registered = await clocks.registered(connection)
    crowd = Crowd(at, [await open_holder(at) for _ in range(7)], registered)
    await asyncio.gather(*(crowd.work(seed, 12) for seed in range(8)), crowd.staff(99))
    assert crowd.codes.keys() <= EXPECTED | {"done"}, crowd.codes
    # How many of the 96 rounds find something to do is up to the races; that many always do.
    assert crowd.codes["done"] > 30
    await merging.forward_late(at, at.date())
    async with transaction() as connection:
        left = await connection.fetchval(
            "SELECT coalesce(sum(points_in - points_out), 0) FROM lot "
            "JOIN holder ON holder.bucket = lot.bucket AND holder.id = lot.holder "
            "WHERE merged_into IS NOT NULL"
        )
        unspent = await totals.unspent(connection)
        kept = await connection.fetch(
            "SELECT currency_no, sum(points_in - points_out) FROM every_lot GROUP BY currency_no"
        )
    assert left == 0, "nothing stays with a member who was merged"
    assert {row[0]: int(row[1]) for row in kept} == unspent
    assert (await audit.run()).breaches == []
