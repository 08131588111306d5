"""Lines of a batch: an answer each; one that the database refuses does not spoil the others."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

import asyncpg
import msgspec
import pytest
from msgspec.structs import replace

from coalition.kernel.database import transaction
from coalition.kernel.database.later import Later
from coalition.kernel.errors import Refused
from coalition.kernel.ids import MemberId
from coalition.kernel.web.decoding import Media
from coalition.ledger import audit, holders, posting
from coalition.ledger.accounts import HolderState
from coalition.ledger.lots import LotCollisionError
from coalition.ledger.partitions import ensure_partition
from coalition.ledger.refusals import (
    DuplicateReceipt,
    HolderNotActive,
    NotEnoughPoints,
    UnknownHolder,
)
from coalition.members import relations
from coalition.points.commands import (
    CaptureBody,
    Command,
    HoldAnswer,
    HoldBody,
    IssueBody,
    PostingAnswer,
    Purchase,
    QuoteBody,
    RedeemBody,
    VoidBody,
)
from coalition.points.isolating import RefusedByDatabase
from coalition.points.refusals import OneMemberNeeded, UnknownCard
from coalition.points.rules import Payable
from coalition.points.service import LineAnswer
from tests.points.world import TERMS, World, make_world, receipt

pytestmark = pytest.mark.usefixtures("database")


async def lines(
    world: World, commands: Sequence[Command], targets: Sequence[UUID | None] = ()
) -> list[LineAnswer]:
    await ensure_partition(world.at)
    asked = [
        world.asked(command, target=target)
        for command, target in zip(commands, targets or [None] * len(commands), strict=True)
    ]
    async with transaction(posting.PINNED, role=posting.POSTER_ROLE) as connection:
        return await world.tills.post_lines(connection, asked, world.at)


def issue(member: UUID, points: int, at: datetime, number: str | None = None) -> IssueBody:
    return IssueBody(number or receipt(), at, member_id=member, points=points)


def shown(answers: Sequence[LineAnswer]) -> list[object]:
    """Return the points of each answer, or the class of its refusal."""
    return [type(answer) if isinstance(answer, Refused) else answer.points for answer in answers]


async def test_who_tells_of_the_commit_is_told_what_to_do_then(at: datetime) -> None:
    """Pairs of member and partner are known once they have committed, and not asked for again."""
    world = await make_world(at)
    anna = await world.member("9752 0001")
    heard: list[Callable[[], None]] = []

    class Last(Later):
        def when_committed(self, call: Callable[[], None]) -> None:
            heard.append(call)

    await ensure_partition(at)
    async with transaction(posting.PINNED, role=posting.POSTER_ROLE) as connection:
        asked = [world.asked(issue(anna, 10, at))]
        await world.tills.post_lines(connection, asked, at, last=Last())
    assert len(heard) == 1


async def test_each_line_has_its_answer_in_its_place(at: datetime) -> None:
    world = await make_world(at)
    anna = await world.member("9752 0001")
    bought = Purchase(amount_minor=1_500, currency="SEK")
    answers = await lines(
        world,
        [
            IssueBody("r1", at, card="97520001", purchase=bought),
            IssueBody("r2", at, card="97520002", points=5),
            RedeemBody("r3", at, 100, member_id=anna),
            IssueBody("r1", at, card="9752-0001", points=5),
            IssueBody("r4", at, card="9752 0001", points=7),
            RedeemBody("r5", at, 20, member_id=anna),
            IssueBody("r6", at, points=1),
            IssueBody("r7", at, member_id=UUID(int=9), points=1),
            IssueBody("r8", at, card="?!?!", points=1),
        ],
    )
    assert shown(answers) == [
        *(15, UnknownCard, NotEnoughPoints, DuplicateReceipt, 7, 20),
        *(OneMemberNeeded, UnknownHolder, UnknownCard),
    ]
    assert await lines(world, []) == []
    assert (await audit.run()).breaches == []


async def test_holds_are_made_and_resolved_by_lines(at: datetime) -> None:
    world = await make_world(at)
    anna = await world.member()
    first, held, other = await lines(
        world,
        [
            issue(anna, 100, at),
            HoldBody(receipt(), at, 60, member_id=anna),
            HoldBody(receipt(), at, 10, member_id=anna),
        ],
    )
    assert isinstance(first, PostingAnswer)
    assert isinstance(held, HoldAnswer)
    assert isinstance(other, HoldAnswer)
    assert held.expires_at == at + timedelta(minutes=15)
    answers = await lines(world, [CaptureBody(), VoidBody()], [held.hold_id, other.hold_id])
    assert shown(answers) == [60, 10]
    assert (await world.tills.balance(anna)).balance == 40


async def test_gifts_beside_a_used_receipt_are_posted_once(at: datetime) -> None:
    world = await make_world(at)
    anna, bo, cy = [await world.member() for _ in range(3)]
    await lines(world, [issue(anna, 1, at, "used")])
    told: list[list[object]] = []
    asked = [
        world.asked(command, world.fuel if command.member_id == cy else world.grocer)
        for command in (
            issue(anna, 10, at, "new"),
            issue(bo, 20, at, "used"),
            issue(bo, 30, at, "new"),
            issue(bo, 40, at, "other"),
            issue(cy, 50, at, "fuel"),
        )
    ]
    async with transaction(posting.PINNED_FOR_LINES, role=posting.POSTER_ROLE) as connection:
        answers = await world.tills.post_lines(
            connection, asked, at, told=lambda some: told.append(shown(some))
        )
        postings = await connection.fetchval("SELECT count(*) FROM posting")
        feed = await connection.fetchval("SELECT sum(postings) FROM settlement_queue")
    assert shown(answers) == [10, DuplicateReceipt, DuplicateReceipt, 40, 50]
    assert told == [shown(answers)]
    assert (postings, feed) == (4, 4)
    assert [(await world.tills.balance(one)).balance for one in (anna, bo, cy)] == [11, 40, 50]
    assert (await audit.run()).breaches == []


async def test_who_was_refused_for_its_receipt_is_not_related_to_the_partner(at: datetime) -> None:
    world = await make_world(at)
    anna, bo = [MemberId(await world.member()) for _ in range(2)]
    await ensure_partition(at)
    given = [issue(anna, 1, at, "used"), issue(bo, 2, at, "used"), issue(anna, 3, at, "new")]
    async with transaction(posting.PINNED_FOR_LINES, role=posting.POSTER_ROLE) as connection:
        for some in (given[:1], given[1:]):
            asked = [world.asked(command, world.fuel) for command in some]
            await world.tills.post_lines(connection, asked, at)
    async with transaction() as connection:
        assert await relations.exists(connection, anna, world.fuel)
        assert not await relations.exists(connection, bo, world.fuel)


async def break_line(at: datetime) -> None:
    """Let the database refuse receipts named `bad`, as it would refuse what nobody foresaw."""
    async with transaction() as connection:
        await connection.execute(
            "ALTER TABLE posting ADD CONSTRAINT nobody_foresaw_this CHECK (receipt <> 'bad')"
        )


@pytest.mark.parametrize("bad", [0, 3, 6])
async def test_a_line_that_the_database_refuses_is_isolated(at: datetime, bad: int) -> None:
    world = await make_world(at)
    anna = await world.member()
    await break_line(at)
    numbers = ["bad" if number == bad else f"good{number}" for number in range(7)]
    answers = await lines(world, [issue(anna, 1, at, number) for number in numbers])
    assert shown(answers) == [RefusedByDatabase if number == bad else 1 for number in range(7)]
    assert (await world.tills.balance(anna)).balance == 6
    assert (await audit.run()).breaches == []


async def test_a_line_whose_lot_would_be_mixed_up_is_isolated(at: datetime) -> None:
    world = await make_world(at)
    anna, bo = await world.member(), await world.member()
    await lines(world, [issue(anna, 10, at)])
    async with transaction() as connection:
        await connection.execute("UPDATE lot SET contract_no = 99")
    answers = await lines(world, [issue(bo, 1, at), issue(anna, 2, at), issue(bo, 3, at)])
    assert shown(answers) == [1, RefusedByDatabase, 3]
    assert (await world.tills.balance(bo)).balance == 4


async def test_a_single_request_that_the_database_refuses_fails_alone(at: datetime) -> None:
    world = await make_world(at)
    anna = await world.member()
    await break_line(at)
    numbers = ["a", "bad", "c", "d"]
    answers = await asyncio.gather(
        *(world.tills.post(world.request(issue(anna, 1, at, number))) for number in numbers),
        return_exceptions=True,
    )
    assert isinstance(answers[1], asyncpg.CheckViolationError)
    assert sum(isinstance(answer, BaseException) for answer in answers) == 1
    assert (await world.tills.balance(anna)).balance == 3


async def test_an_answer_is_written_as_it_was_asked_for(at: datetime) -> None:
    world = await make_world(at)
    anna = await world.member()
    request = replace(world.request(issue(anna, 5, at)), media=Media.MSGPACK, created_status=202)
    answer = await world.tills.post(request)
    assert (answer.status, answer.media_type) == (202, Media.MSGPACK.value)
    assert msgspec.msgpack.decode(answer.body)["balance"] == 5
    nothing = IssueBody(
        receipt(), at, member_id=anna, purchase=Purchase(amount_minor=1, currency="SEK")
    )
    answer = await world.tills.post(world.request(nothing))
    assert answer.status == 200
    assert msgspec.json.decode(answer.body)["posting_id"] is None


async def test_a_purchase_that_earns_nothing_still_needs_an_active_member(at: datetime) -> None:
    world = await make_world(at)
    anna, bo, cleo = [await world.member() for _ in range(3)]
    async with transaction() as connection:
        await holders.set_state(connection, bo, HolderState.FROZEN)
        await holders.set_state(connection, cleo, HolderState.CLOSED)
    little = Purchase(amount_minor=99, currency="SEK")
    whose = (anna, bo, UUID(int=9), cleo)
    asked = [IssueBody(receipt(), at, member_id=member, purchase=little) for member in whose]
    answers = await lines(world, [*asked, issue(anna, 5, at)])
    assert shown(answers) == [0, HolderNotActive, UnknownHolder, HolderNotActive, 5]
    with pytest.raises(UnknownHolder):
        await world.tills.post(world.request(asked[2]))


async def test_a_quote_tells_what_a_purchase_earns_and_what_points_pay(at: datetime) -> None:
    world = await make_world(at)
    anna = await world.member("9752 0001")
    await lines(world, [issue(anna, 1_000, at)])
    bought = Purchase(amount_minor=5_000, currency="SEK")
    quoted = await world.tills.quote(
        world.grocer, None, QuoteBody(purchase=bought, card="97520001")
    )
    assert (quoted.points, quoted.member_id, quoted.balance) == (50, anna, 1_000)
    assert quoted.payable == Payable(500, 5_000, "SEK")
    anonymous = await world.tills.quote(world.grocer, None, QuoteBody(purchase=bought))
    assert (anonymous.points, anonymous.member_id, anonymous.payable) == (50, None, None)
    for unknown in ("97520009", "?!?!"):
        with pytest.raises(UnknownCard):
            await world.tills.quote(world.grocer, None, QuoteBody(purchase=bought, card=unknown))
    with pytest.raises(OneMemberNeeded):
        await world.tills.quote(
            world.grocer, None, QuoteBody(purchase=bought, card="97520001", member_id=anna)
        )
    assert Decimal(quoted.reasons[0].points) == 50


async def test_a_quote_leaves_nothing(at: datetime) -> None:
    world = await make_world(at)
    anna = await world.member()
    bought = Purchase(amount_minor=5_000, currency="SEK")
    await world.tills.quote(world.grocer, None, QuoteBody(purchase=bought, member_id=anna))
    async with transaction() as connection:
        assert await connection.fetchval("SELECT count(*) FROM posting") == 0
        assert await connection.fetchval("SELECT count(*) FROM idempotency_claim") == 0


async def test_a_collision_of_lots_is_told_to_the_single_request_alone(at: datetime) -> None:
    world = await make_world(at)
    anna = await world.member()
    await lines(world, [issue(anna, 10, at)])
    async with transaction() as connection:
        await connection.execute("UPDATE lot SET contract_no = 99")
    with pytest.raises(LotCollisionError):
        await world.tills.post(world.request(issue(anna, 1, at)))


async def test_a_quote_tells_only_what_the_contract_allows(at: datetime) -> None:
    terms = msgspec.structs.replace(TERMS, issues=False)
    world = await make_world(at, terms=terms)
    anna = await world.member()
    bought = Purchase(amount_minor=5_000, currency="SEK")
    quoted = await world.tills.quote(world.grocer, None, QuoteBody(purchase=bought, member_id=anna))
    assert (quoted.points, quoted.reasons) == (0, [])
    assert quoted.payable == Payable(0, 0, "SEK")
    foreign = Purchase(amount_minor=5_000, currency="EUR")
    quoted = await world.tills.quote(
        world.grocer, None, QuoteBody(purchase=foreign, member_id=anna)
    )
    assert quoted.payable is None, "points have a price in the contract's currency only"
    assert (await world.tills.terms()).catalogue.is_set_up
