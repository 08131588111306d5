"""The plans of the statements that post: look-ups by key, whatever the planner believes."""

import asyncio
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

import pytest
from msgspec import structs

from coalition.kernel import idempotency
from coalition.kernel.database import Connection, Engine, transaction
from coalition.kernel.idempotency import Answer, Claim
from coalition.kernel.ids import random_id
from coalition.ledger import clocks, holders, posting
from coalition.ledger.classes import ONLY_BUILT_IN
from coalition.ledger.clocks import Clock
from coalition.ledger.drafts import (
    Adjust,
    Capture,
    Draft,
    Held,
    Hold,
    Issue,
    Posted,
    Recover,
    Transferred,
)
from coalition.ledger.partitions import ensure_partition
from coalition.ledger.provenance import NO_CLOCK
from coalition.ledger.selecting import NewEnd
from tests.ledger.plans import Plan, start_watching, watched
from tests.ledger.transfer_world import BOTH, reserve, transfer, undo
from tests.support.ledger import FUEL, GROCER, issue, redeem, reverse, till

MEMBERS = 250
AT_ONCE = 10
MOST_ROWS = 20 * AT_ONCE
"""A batch of ten reads tens of rows of a table, not its thousands."""

_TABLES = """
SELECT oid::regclass::text FROM pg_class
WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
"""

COSTS = ("seq_page_cost", "random_page_cost", "cpu_operator_cost")
PINS = (COSTS, ("enable_seqscan",), (*COSTS, "enable_hashjoin"), (*COSTS, "enable_mergejoin"))


class Shop:
    """Posts batches of every kind and watches their plans."""

    clock_no = NO_CLOCK
    suspended: Collection[int] = ()
    """Funders whose points cannot be spent."""
    clocks: Sequence[Clock] = ()
    classes = ONLY_BUILT_IN

    def __init__(self, at: datetime, settings: dict[str, str]) -> None:
        self.at = at
        self.settings = settings
        self.members = [random_id() for _ in range(MEMBERS)]
        self.friends = [random_id() for _ in range(AT_ONCE)]
        self.number = 0

    async def open(self) -> None:
        await ensure_partition(self.at)
        await ensure_partition(self.at - timedelta(days=31))
        async with transaction() as connection:
            await holders.open_holders(connection, [*self.members, *self.friends], self.at)
            # Statistics change when the test says so, and not when the server finds the time.
            for row in await connection.fetch(_TABLES):
                await connection.execute(f"ALTER TABLE {row[0]} SET (autovacuum_enabled = off)")

    async def fill(self) -> None:
        """Fill the tables with thousands of lots, postings, claims and holds, of two months."""
        for month in (31, 0):
            at = self.at - timedelta(days=month)
            for day in range(4):
                expires_on = (self.at + timedelta(days=10 + day)).date()
                drafts: list[Draft] = [
                    issue(member, 100, at, expires_on=expires_on, receipt=self.receipt())
                    for member in self.members
                ]
                drafts += [redeem(member, 5, at, receipt=self.receipt()) for member in self.members]
                drafts += [
                    Hold(member, till(FUEL, at, self.receipt()), 1, 5, at + timedelta(hours=1))
                    for member in self.members
                ]
                await self.post(drafts, at)
                async with transaction() as connection:
                    await self.store_claims(connection, MEMBERS)

    async def post(self, drafts: Sequence[Draft], at: datetime | None = None) -> list[object]:
        at = at or self.at
        async with transaction(self.settings, role=posting.POSTER_ROLE) as connection:
            _, outcomes = await posting.post(
                connection,
                drafts,
                at=at,
                today=at.date(),
                clocks=self.clocks,
                suspended=self.suspended,
                classes=self.classes,
            )
        return list(outcomes)

    async def store_claims(self, connection: Connection, number: int) -> None:
        claims = [Claim.of(1, self.receipt(), "/", b"") for _ in range(number)]
        await idempotency.find(connection, claims)
        answers = [(claim, Answer(201, "text/plain", b"made")) for claim in claims]
        await idempotency.store(connection, answers, self.at)

    def receipt(self) -> str:
        self.number += 1
        return f"r{self.number}"

    async def work(self) -> None:
        """Do everything that tills do, ten at a time."""
        ten = self.members[:AT_ONCE]
        made = await self.post(
            [
                *(issue(member, 50, self.at, receipt=self.receipt()) for member in ten),
                *(redeem(member, 40, self.at, receipt=self.receipt()) for member in ten),
                *(
                    Hold(member, till(FUEL, self.at, self.receipt()), 1, 5, self.later)
                    for member in ten
                ),
            ]
        )
        number = len(ten)
        issued, spent, held = made[:number], made[number : 2 * number], made[2 * number :]
        undo: list[Draft] = [
            Capture(outcome.hold, FUEL, None, 3) for outcome in held if isinstance(outcome, Held)
        ]
        for partner_no, outcomes in ((FUEL, spent), (GROCER, issued)):
            undo += [
                reverse(outcome.posting, self.at, partner_no=partner_no, points=2)
                for outcome in outcomes
                if isinstance(outcome, Posted)
            ]
        assert len(undo) == 3 * len(ten)
        await self.post(undo)
        await self.owe_and_pay()
        await self.send_and_undo()
        async with transaction(self.settings, role=posting.POSTER_ROLE) as connection:
            await self.store_claims(connection, AT_ONCE)
            await posting.balances(
                connection, ten, currency_no=1, today=self.at.date(), suspended=self.suspended
            )

    async def owe_and_pay(self) -> None:
        """Take back what is spent of ten issues, let others pay half of it, and staff the rest."""
        ten = self.members[:AT_ONCE]
        soon = self.at.date()
        made = await self.post(
            [
                *(issue(member, 50, self.at, expires_on=soon) for member in ten),
                *(redeem(member, 50, self.at) for member in ten),
            ]
        )
        back = [
            reverse(outcome.posting, self.at, partner_no=GROCER)
            for outcome in made[: len(ten)]
            if isinstance(outcome, Posted)
        ]
        await self.post([structs.replace(draft, debts={10 * GROCER: 50}) for draft in back])
        await self.post([issue(member, 50, self.at) for member in ten])
        bare = till(0, self.at)
        await self.post([Recover(member, bare, 1, 10) for member in ten])
        await self.post([Adjust(member, bare, 1, 5, "a mistake") for member in ten])

    async def send_and_undo(self) -> None:
        """Let ten send points, plainly and those reserved, let their friends send some on; undo."""
        ways = list(zip(self.members, self.friends, strict=False))
        held = await self.post([reserve(sender, 5, self.at) for sender, _ in ways])
        late = {10 * GROCER: NewEnd(self.later.date() + timedelta(days=90), self.clock_no)}
        made = await self.post(
            [
                *(transfer(*way, 5, self.at, activity=BOTH, fee=1) for way in ways),
                *(
                    transfer(*way, 5, self.at, hold=one.hold, endings=late)
                    for way, one in zip(ways, held, strict=True)
                    if isinstance(one, Held)
                ),
                *(transfer(friend, sender, 1, self.at) for sender, friend in ways),
            ]
        )
        back: list[Draft] = [undo(one, self.at) for one in made if isinstance(one, Transferred)]
        assert len(back) == 3 * len(ways)
        undone = await self.post(back[::-1])
        assert all(isinstance(one, Transferred) for one in undone)

    @property
    def later(self) -> datetime:
        return self.at + timedelta(hours=1)


class SuspendingShop(Shop):
    """The same, while points of a partner in default are suspended."""

    suspended = (FUEL, 99)


class ClockedShop(Shop):
    """The same, with points that live as long as their member is active; some members were not."""

    clock_no = 1
    clocks = (Clock(1, 6, counts_issue=True, counts_redeem=True),)

    async def open(self) -> None:
        await super().open()
        async with transaction() as connection:
            await clocks.register(connection, months=6)

    async def post(self, drafts: Sequence[Draft], at: datetime | None = None) -> list[object]:
        ruled = [_ruled(draft) if isinstance(draft, Issue) else draft for draft in drafts]
        return await super().post(ruled, at)

    async def work(self) -> None:
        await super().work()
        inactive = self.members[AT_ONCE : 2 * AT_ONCE]
        async with transaction() as connection:
            await connection.execute(
                "UPDATE holder_clock SET last_activity = $1, live_until = $1"
                " WHERE holder = ANY($2)",
                self.at.date() - timedelta(days=1),
                inactive,
            )
        await self.post([issue(member, 5, self.at) for member in inactive])


def _ruled(draft: Issue) -> Issue:
    grants = tuple(
        structs.replace(grant, provenance=grant.provenance._replace(clock_no=1))
        for grant in draft.grants
    )
    return structs.replace(draft, grants=grants)


async def open_shop(
    at: datetime,
    state: str,
    *,
    pins: dict[str, str] = posting.PINNED,
    without: Collection[str] = (),
    kind: type[Shop] = Shop,
) -> Shop:
    """Return a shop whose connection has planned its statements while the tables were in `state`.

    `new`: when there was nothing. `empty`: the same, and the statistics said so. `tiny`: when there
    was one member with one lot. `small`: when there was little, as after a night's sweep, and the
    statistics said so. `analyzed`: when they were full and the statistics new. They are full
    afterwards, with postings of two months.
    """
    settings = {name: value for name, value in pins.items() if name not in without}
    shop = kind(at, settings)
    await shop.open()
    everybody = shop.members
    if state == "tiny":
        shop.members = everybody[:1]
    if state in ("tiny", "small"):
        for _ in range(3):
            await shop.work()
    if state in ("empty", "tiny", "small"):
        await analyze()
    if state != "analyzed":
        for _ in range(7):
            await shop.work()
    shop.members = everybody
    await shop.fill()
    if state == "analyzed":
        await analyze()
    return shop


async def analyze() -> None:
    async with transaction() as connection:
        await connection.execute("ANALYZE")


async def watch(shop: Shop) -> tuple[list[Plan], int]:
    """Return the plans of some work, and how often a plan was made for one execution only."""
    async with transaction() as connection:
        await start_watching(connection)
    before = await custom_plans()
    async with transaction(shop.settings, role=posting.POSTER_ROLE) as connection:
        with watched(connection) as plans:
            for _ in range(3):
                await shop.work()
            await asyncio.sleep(0)
    return [plan for plan in plans if "unnest" in plan.query], await custom_plans() - before


async def custom_plans() -> int:
    async with transaction() as connection:
        found = await connection.fetchval(
            "SELECT sum(custom_plans) FROM pg_prepared_statements WHERE statement LIKE '%unnest%'"
        )
    assert found is not None
    return int(found)


def all_faults(plans: list[Plan]) -> list[str]:
    return sorted({fault for plan in plans for fault in plan.faults(most_rows=MOST_ROWS)})


@pytest.mark.parametrize("state", ["new", "empty", "small", "analyzed"])
async def test_tills_look_up_by_key_whatever_the_tables_were_when_planned(
    one_connection: Engine, at: datetime, state: str
) -> None:
    plans, custom = await watch(await open_shop(at, state))
    assert all_faults(plans) == []
    assert custom == 0, "a plan is made once"
    queries = " ".join(plan.query for plan in plans)
    for part in (
        *("INSERT INTO lot ", "WITH RECURSIVE walk", "UPDATE lot ", "coalesce(sum(points_in"),
        *("FOR NO KEY UPDATE", "INSERT INTO receipt_claim", "FROM idempotency_claim"),
        *("INSERT INTO idempotency_claim", "FROM posting", "FROM hold", "UPDATE hold "),
        *("INSERT INTO posting ", "INSERT INTO leg ", "INSERT INTO reversed_leg "),
        *("INSERT INTO debt ", "INSERT INTO debt_entry ", "FROM debt", "UPDATE debt "),
        *("UPDATE holder SET owes", "SELECT id, linked, kind, direction"),
    ):
        assert part in queries, f"nobody watched {part}"


@pytest.mark.parametrize("state", ["new", "small", "analyzed"])
async def test_clocks_are_looked_up_by_key_whatever_the_tables_were_when_planned(
    one_connection: Engine, at: datetime, state: str
) -> None:
    plans, custom = await watch(await open_shop(at, state, kind=ClockedShop))
    assert all_faults(plans) == []
    assert custom == 0, "a plan is made once"
    queries = " ".join(plan.query for plan in plans)
    for part in (
        *("INSERT INTO holder_clock", "UPDATE holder_clock", "SELECT DISTINCT asked.holder"),
        *("SELECT given.holder, kept.id, kept.available", "senders_bucket, sender"),
    ):
        assert part in queries, f"nobody watched {part}"
    assert "WITH RECURSIVE walk" not in queries, "ids do not tell what ends first"


@pytest.mark.parametrize("state", ["new", "small", "analyzed"])
async def test_what_is_not_suspended_is_looked_up_by_key_whatever_the_tables_were_when_planned(
    one_connection: Engine, at: datetime, state: str
) -> None:
    plans, custom = await watch(await open_shop(at, state, kind=SuspendingShop))
    assert all_faults(plans) == []
    assert custom == 0, "a plan is made once"
    asking = [plan.query for plan in plans if "lot.funder_no <> ALL" in plan.query]
    for part in ("WITH RECURSIVE walk", "coalesce(sum(points_in"):
        assert any(part in query for query in asking), f"nobody watched {part}"


async def test_lines_under_clocks_look_up_by_key_whatever_the_tables_were_before(
    one_connection: Engine, at: datetime
) -> None:
    shop = await open_shop(at, "tiny", pins=posting.PINNED_FOR_LINES, kind=ClockedShop)
    plans, _ = await watch(shop)
    assert all_faults(plans) == []


@pytest.mark.parametrize("state", ["new", "tiny", "small", "analyzed"])
async def test_lines_look_up_by_key_whatever_the_tables_were_before(
    one_connection: Engine, at: datetime, state: str
) -> None:
    plans, _ = await watch(await open_shop(at, state, pins=posting.PINNED_FOR_LINES))
    assert all_faults(plans) == []


async def test_postings_are_looked_for_in_their_own_month_only(
    one_connection: Engine, at: datetime
) -> None:
    plans, _ = await watch(await open_shop(at, "analyzed"))
    loops: dict[str, float] = {}
    for plan in plans:
        for step in plan.steps:
            if "Scan" in step.node and step.relation and step.relation.startswith("posting_2026"):
                loops[step.relation] = loops.get(step.relation, 0) + step.loops
    assert loops["posting_2026_11"] > 0
    assert loops.get("posting_2026_10", 0) == 0


@pytest.mark.parametrize("without", PINS, ids="+".join)
async def test_plans_fall_without_their_pins(
    one_connection: Engine, at: datetime, without: tuple[str, ...]
) -> None:
    plans, _ = await watch(await open_shop(at, "small", without=without))
    assert all_faults(plans) != []


async def test_without_the_pinned_cache_statements_are_planned_again_and_again(
    one_connection: Engine, at: datetime
) -> None:
    _, custom = await watch(await open_shop(at, "empty", without=["plan_cache_mode"]))
    assert custom > 0
