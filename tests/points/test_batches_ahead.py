"""Receipts of a batch of gifts are claimed before there are drafts; nobody hears the difference."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg
import pytest
from asyncpg.connection import LoggedQuery
from msgspec.structs import replace

from coalition.kernel.database import Connection, transaction
from coalition.kernel.database.later import Later
from coalition.kernel.errors import Refused
from coalition.kernel.ids import random_id
from coalition.ledger import audit, holders
from coalition.ledger.accounts import HolderState
from coalition.ledger.partitions import ensure_partition
from coalition.ledger.posting import PINNED_FOR_LINES, POSTER_ROLE
from coalition.ledger.refusals import DuplicateReceipt, HolderNotActive, UnknownHolder
from coalition.points.commands import Command, IssueBody, Purchase, RedeemBody
from coalition.points.service import LineAnswer
from tests.points.world import TERMS, World, make_world, receipt

pytestmark = pytest.mark.usefixtures("database")

_STEPS = {
    "INSERT INTO receipt_claim": "claim",
    "DELETE FROM receipt_claim": "give back",
    "INSERT INTO lot": "lots",
    "INSERT INTO posting": "postings",
    "FROM holder": "holders",
    "FOR NO KEY UPDATE": "lock",
    "ROLLBACK TO": "once more",
}


_LOCKS_LAST = False


@pytest.fixture(params=[False, True], ids=["lots first", "lots last"], autouse=True)
def locks_last(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Let lots be written before postings, or after, as where another batch is posted beside."""
    monkeypatch.setattr(f"{__name__}._LOCKS_LAST", request.param)
    return bool(request.param)


async def posted(
    world: World,
    *commands: Command,
    asked: list[str] | None = None,
    is_whole: bool = True,
) -> Sequence[LineAnswer]:
    """Post lines in a transaction of their own; note in `asked` what was done, in order."""
    await ensure_partition(world.at)

    def note(record: LoggedQuery) -> None:
        found = sorted((record.query.find(part), what) for part, what in _STEPS.items())
        assert asked is not None
        asked.extend(what for place, what in found if place >= 0)

    async with transaction(PINNED_FOR_LINES, role=POSTER_ROLE) as connection:
        if asked is not None:
            connection.add_query_logger(note)
        lines = [world.asked(command) for command in commands]
        last = Later(locks_last=_LOCKS_LAST)
        answers = await world.tills.post_lines(connection, lines, world.at, last=last)
        await asyncio.sleep(0)  # the logger is called after the statement
        if asked is not None:
            connection.remove_query_logger(note)
    assert ((await audit.run()).breaches == []) is is_whole
    return answers


async def claims() -> int:
    async with transaction() as connection:
        return int(await connection.fetchval("SELECT count(*) FROM receipt_claim"))


async def balance(world: World, member: UUID) -> int:
    return (await world.tills.balance(member)).balance


def refusals(answers: Sequence[LineAnswer]) -> list[type[Refused] | None]:
    return [type(one) if isinstance(one, Refused) else None for one in answers]


async def test_holders_are_read_then_receipts_claimed_then_lots_and_postings_written(
    at: datetime, *, locks_last: bool
) -> None:
    world, asked = await make_world(at), list[str]()
    members = [await world.member() for _ in range(5)]
    gifts = [IssueBody(receipt(), at, member_id=one, points=7) for one in members]
    answers = await posted(world, *gifts, asked=asked)
    assert refusals(answers) == [None] * 5
    order = ["postings", "lots"] if locks_last else ["lots", "postings"]
    assert asked == ["holders", "claim", *order]
    assert await claims() == 5
    assert [await balance(world, one) for one in members] == [7] * 5


async def test_a_receipt_that_was_used_refuses_its_line_alone(at: datetime) -> None:
    world, asked = await make_world(at), list[str]()
    anna, bo, used = await world.member(), await world.member(), receipt()
    await posted(world, IssueBody(used, at, member_id=anna, points=1))
    answers = await posted(
        world,
        IssueBody(receipt(), at, member_id=anna, points=10),
        IssueBody(used, at, member_id=bo, points=10),
        IssueBody(receipt(), at, member_id=bo, points=5),
        asked=asked,
    )
    assert refusals(answers) == [None, DuplicateReceipt, None]
    assert "once more" in asked
    assert await claims() == 3
    assert (await balance(world, anna), await balance(world, bo)) == (11, 5)


async def test_of_lines_with_one_receipt_the_first_that_can_be_done_has_it(at: datetime) -> None:
    world = await make_world(at)
    anna, frozen, shared, other = await world.member(), await world.member(), receipt(), receipt()
    async with transaction() as connection:
        await holders.set_state(connection, frozen, HolderState.FROZEN)
    answers = await posted(
        world,
        IssueBody(shared, at, member_id=frozen, points=1),
        IssueBody(shared, at, member_id=anna, points=2),
        IssueBody(shared, at, member_id=anna, points=4),
        IssueBody(other, at, member_id=random_id(), points=8),
        IssueBody(other, at + timedelta(hours=1), member_id=anna, points=16),
        IssueBody(other, at, member_id=anna, points=32),
        IssueBody(receipt(), at, member_id=frozen, points=64),
    )
    assert refusals(answers)[:4] == [HolderNotActive, None, DuplicateReceipt, UnknownHolder]
    assert refusals(answers)[4] is not None, "its time lies ahead"
    assert refusals(answers)[5] is None
    assert await balance(world, anna) == 34
    assert await claims() == 2


@pytest.mark.parametrize("others", [0, 2])
async def test_a_purchase_that_earns_nothing_uses_no_receipt(at: datetime, others: int) -> None:
    world, asked, free = await make_world(at), list[str](), receipt()
    anna = await world.member()
    small = IssueBody(free, at, member_id=anna, purchase=Purchase(1, "SEK"))
    gifts = [IssueBody(receipt(), at, member_id=anna, points=3) for _ in range(others)]
    answers = await posted(world, small, *gifts, asked=asked)
    assert refusals(answers) == [None] * (1 + others)
    assert "give back" in asked
    assert await claims() == others
    (answer,) = await posted(world, IssueBody(free, at, member_id=anna, points=5))
    assert not isinstance(answer, Refused)
    assert await balance(world, anna) == 5 + 3 * others


async def test_where_clocks_are_holders_are_locked_before_receipts(at: datetime) -> None:
    world = await make_world(at, terms=replace(TERMS, inactivity_months=6))
    anna, asked = await world.member(), list[str]()
    await posted(world, IssueBody(receipt(), at, member_id=anna, points=9), asked=asked)
    assert asked.index("lots") > asked.index("claim") > asked.index("holders")


async def test_where_somebody_owes_holders_are_locked_before_receipts(at: datetime) -> None:
    world, asked = await make_world(at), list[str]()
    anna, bo = await world.member(), await world.member()
    async with transaction() as connection:
        await connection.execute("UPDATE holder SET owes = 5 WHERE id = $1", anna)
    gifts = [IssueBody(receipt(), at, member_id=one, points=9) for one in (anna, bo)]
    await posted(world, *gifts, asked=asked, is_whole=False)
    assert asked.index("lock") < asked.index("claim") < asked.index("lots")


async def test_what_takes_points_locks_its_holders_before_receipts(at: datetime) -> None:
    world, asked = await make_world(at), list[str]()
    anna = await world.member()
    await posted(world, IssueBody(receipt(), at, member_id=anna, points=9))
    mixed = (
        IssueBody(receipt(), at, member_id=anna, points=1),
        RedeemBody(receipt(), at, 4, member_id=anna),
    )
    assert refusals(await posted(world, *mixed, asked=asked)) == [None, None]
    assert asked.index("lock") < asked.index("claim") < asked.index("lots")
    assert await balance(world, anna) == 6


async def test_a_line_that_the_database_refuses_spoils_no_other(
    at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = await make_world(at)
    anna, broken = await world.member(), receipt()
    real = Connection.fetchrow

    async def refuse(self: Connection, query: str, *given: object, **named: object) -> object:
        if "INSERT INTO lot" not in query and "INSERT INTO posting" in query:
            texts = [one for one in given if isinstance(one, tuple) and broken in one]
            if texts:
                raise asyncpg.CheckViolationError("as if a constraint were violated")
        return await real(self, query, *given, **named)

    monkeypatch.setattr(Connection, "fetchrow", refuse)
    answers = await posted(
        world,
        IssueBody(receipt(), at, member_id=anna, points=1),
        IssueBody(broken, at, member_id=anna, points=2),
        IssueBody(receipt(), at, member_id=anna, points=4),
    )
    assert [one is not None for one in refusals(answers)] == [False, True, False]
    assert await balance(world, anna) == 5
    assert await claims() == 2
