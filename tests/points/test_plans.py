"""The plans of what rules, caps and lines add to a batch: look-ups by key, as tables grow."""

import asyncio
from collections.abc import Iterator, Sequence
from datetime import datetime
from uuid import UUID

import pytest

from coalition.kernel.database import Engine, open_database, transaction
from coalition.kernel.ids import MemberId
from coalition.ledger import posting
from coalition.ledger.partitions import ensure_partition
from coalition.members import standings
from coalition.points.bonuses import personal
from coalition.points.bonuses.personal import EarningBonus
from coalition.points.commands import (
    Asked,
    IssueBody,
    PostingAnswer,
    Purchase,
    PurchaseLine,
    ReturnedLine,
    ReverseBody,
)
from server.apps import APPS
from tests.ledger.plans import Plan, start_watching, watched
from tests.points.bonuses.world import activated, document
from tests.points.world import World, make_world, receipt

MEMBERS = 300
AT_ONCE = 10
MOST_ROWS = 20 * AT_ONCE
"""A batch of ten reads tens of rows of a table, not its thousands."""


@pytest.fixture
def one_connection(runner: asyncio.Runner, database_url: str) -> Iterator[Engine]:
    """Yield an engine whose every transaction runs on the same connection."""
    engine = runner.run(open_database(database_url, apps=APPS, pool_size=1))
    yield engine
    runner.run(engine.close())


class Shop:
    """Sells by rules of every kind, and takes back, in batches."""

    def __init__(self, world: World, members: Sequence[UUID], settings: dict[str, str]) -> None:
        self.world = world
        self.members = members
        self.settings = settings

    async def post(self, asked: Sequence[Asked]) -> list[UUID]:
        async with transaction(self.settings, role=posting.POSTER_ROLE) as connection:
            answers = await self.world.tills.post_lines(connection, asked, self.world.at)
        found = [one.posting_id for one in answers if isinstance(one, PostingAnswer)]
        assert len(found) == len(asked)
        return [one for one in found if one is not None]

    async def sell(self, members: Sequence[UUID]) -> list[UUID]:
        lines = [PurchaseLine(amount_minor=500, category=name) for name in ("fruit", "bread")]
        bought = Purchase(amount_minor=1_000, currency="SEK")
        at = self.world.at
        return await self.post(
            [
                self.world.asked(
                    IssueBody(receipt(), at, member_id=member, purchase=bought, lines=lines)
                )
                for member in members
            ]
        )

    async def work(self) -> None:
        """Sell to ten, take a line of each back, and then the rest."""
        sold = await self.sell(self.members[:AT_ONCE])
        for body in (ReverseBody(lines=[ReturnedLine(no=1)]), ReverseBody()):
            await self.post([self.world.asked(body, target=one) for one in sold])


async def open_shop(at: datetime, settings: dict[str, str]) -> Shop:
    """Return a shop whose connection has planned its statements while its tables were small."""
    world = await make_world(at)
    await ensure_partition(at)
    capped = {"effect": {"kind": "bonus", "points": 3}, "caps": {"month": 100_000}}
    await activated(document("capped", **capped), at)
    gold = {"effect": {"kind": "multiplier", "factor": "2"}, "applies_to": {"tiers": ["gold"]}}
    await activated(document("gold", **gold), at)
    members = [MemberId(await world.member()) for _ in range(MEMBERS)]
    shop = Shop(world, members, settings)
    for _ in range(7):
        await shop.work()
    async with transaction() as connection:
        for member in members:
            bonus = EarningBonus(
                holder=member, source="gift", kind="extra", points=1, valid_from=at
            )
            await personal.give(connection, bonus, at=at)
        gold_ones = [
            standings.Fact(
                member_id=member,
                kind=standings.StandingKind.TIER,
                value="gold",
                valid_from=at,
                valid_until=None,
                source="test",
                made_at=at,
            )
            for member in members
        ]
        await standings.add(connection, gold_ones)
    for _ in range(3):
        await shop.sell(members)
    return shop


async def watch(shop: Shop) -> list[Plan]:
    async with transaction() as connection:
        await start_watching(connection)
    async with transaction(shop.settings, role=posting.POSTER_ROLE) as connection:
        with watched(connection) as plans:
            await shop.work()
            await asyncio.sleep(0)
    return [plan for plan in plans if "unnest" in plan.query]


@pytest.mark.parametrize(
    "settings", [posting.PINNED, posting.PINNED_FOR_LINES], ids=["tills", "lines"]
)
async def test_rules_caps_and_lines_look_up_by_key_when_their_tables_have_grown(
    one_connection: Engine, at: datetime, settings: dict[str, str]
) -> None:
    plans = await watch(await open_shop(at, settings))
    assert {fault for plan in plans for fault in plan.faults(most_rows=MOST_ROWS)} == set()
    queries = " ".join(plan.query for plan in plans)
    for part in (
        *("INSERT INTO purchase_basket", "INSERT INTO purchase_line", "FROM purchase_basket"),
        *("INSERT INTO purchase_earning", "FROM purchase_line", "UPDATE purchase_line"),
        *("INSERT INTO earning_usage", "FROM earning_usage", "UPDATE earning_usage"),
        *("INSERT INTO purchase_usage", "FROM purchase_usage", "UPDATE purchase_usage"),
        *("FROM standing", "FROM earning_bonus"),
    ):
        assert part in queries, f"nobody watched {part}"
