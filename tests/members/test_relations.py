"""Relations: what a partner may read, and a memory that believes nothing rolled back."""

import asyncio
from collections.abc import Iterator
from datetime import datetime, timedelta

import asyncpg
import pytest

from coalition.kernel.database import bound_engine, transaction
from coalition.kernel.database.later import Later
from coalition.kernel.database.transactions import TENANT_ROLE
from coalition.kernel.ids import MemberId, random_id
from coalition.members import relations, service
from coalition.members.personal import Enrolment
from coalition.members.refusals import UnknownMember
from coalition.members.relations import PairMemory
from coalition.members.sealing import MemberKeys

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture(autouse=True)
def _nothing_known() -> Iterator[None]:
    relations.forget()
    yield
    relations.forget()


@pytest.fixture
def asa() -> Enrolment:
    return Enrolment(card="97520001", email="asa@exempel.se", first_name="Åsa")


async def enrolled(person: Enrolment, keys: MemberKeys, at: datetime) -> MemberId:
    return (await service.enrol(person, partner_no=1, keys=keys, at=at)).member_id


async def related_partners(member_id: MemberId) -> list[int]:
    async with transaction() as connection:
        rows = await connection.fetch(
            "SELECT partner_no FROM partner_member WHERE member_id = $1 ORDER BY 1", member_id
        )
    return [row[0] for row in rows]


async def test_a_partner_without_a_relation_reads_no_personal_data(
    asa: Enrolment, keys: MemberKeys, at: datetime
) -> None:
    member_id = await enrolled(asa, keys, at)
    view = await service.show(member_id, partner_no=2, keys=keys)
    assert (view.member_id, view.state, view.personal) == (member_id, "active", None)


async def test_a_posting_partner_gets_a_relation_and_may_read_from_then_on(
    asa: Enrolment, keys: MemberKeys, at: datetime
) -> None:
    member_id = await enrolled(asa, keys, at)
    async with transaction() as connection:
        await relations.ensure(connection, [(member_id, 2)], at)
    view = await service.show(member_id, partner_no=2, keys=keys)
    assert view.personal is not None
    assert view.personal.first_name == "Åsa"


async def test_nobody_is_shown_who_is_nobody(keys: MemberKeys) -> None:
    with pytest.raises(UnknownMember):
        await service.show(MemberId(random_id()), partner_no=1, keys=keys)


async def test_ensuring_twice_keeps_the_first_day(
    asa: Enrolment, keys: MemberKeys, at: datetime
) -> None:
    member_id = await enrolled(asa, keys, at)
    for day in range(3):
        async with transaction() as connection:
            pairs = [(member_id, 2), (member_id, 1), (member_id, 2)]
            await relations.ensure(connection, pairs, at + timedelta(days=day))
    assert await related_partners(member_id) == [1, 2]
    async with transaction() as connection:
        assert await connection.fetchval("SELECT max(since) FROM partner_member") == at


async def test_a_relation_that_was_rolled_back_is_not_believed(
    asa: Enrolment, keys: MemberKeys, at: datetime
) -> None:
    class TillWentAwayError(Exception):
        pass

    async def ensure_and_fail() -> None:
        async with transaction() as connection:
            await relations.ensure(connection, [(member_id, 2)], at)
            await relations.ensure(connection, [(member_id, 2)], at)
            raise TillWentAwayError

    member_id = await enrolled(asa, keys, at)
    with pytest.raises(TillWentAwayError):
        await ensure_and_fail()
    assert await related_partners(member_id) == [1]
    async with transaction() as connection:
        await relations.ensure(connection, [(member_id, 2)], at)
    assert await related_partners(member_id) == [1, 2]


async def test_a_relation_known_to_be_committed_costs_no_statement(
    asa: Enrolment, keys: MemberKeys, at: datetime
) -> None:
    member_id = await enrolled(asa, keys, at)
    async with transaction() as connection:
        await relations.ensure(connection, [(member_id, 1)], at)
    async with transaction() as connection:
        await connection.execute("ALTER TABLE partner_member RENAME TO elsewhere")
        await relations.ensure(connection, [(member_id, 1)], at)
        with pytest.raises(asyncpg.UndefinedTableError):
            await relations.ensure(connection, [(member_id, 2)], at)


async def test_a_relation_that_waits_is_known_when_its_transaction_has_committed(
    asa: Enrolment, keys: MemberKeys, at: datetime
) -> None:
    member_id = await enrolled(asa, keys, at)
    lost = Later()
    await relations.ensure(lost, [(member_id, 2)], at)
    later = Later()
    await relations.ensure(later, [(member_id, 2)], at)
    async with transaction() as connection:
        await later.write(connection)
    later.committed()
    assert await related_partners(member_id) == [1, 2]
    async with transaction() as connection:
        await connection.execute("ALTER TABLE partner_member RENAME TO elsewhere")
        await relations.ensure(connection, [(member_id, 2)], at)


async def test_on_a_connection_of_ones_own_nothing_is_remembered(
    asa: Enrolment, keys: MemberKeys, at: datetime
) -> None:
    member_id = await enrolled(asa, keys, at)
    connection = await bound_engine().get_new_connection()
    try:
        await connection.execute("BEGIN")
        for _ in range(2):
            async with transaction():
                await relations.ensure(connection, [(member_id, 2)], at)
        await connection.execute("ROLLBACK")
        await relations.ensure(connection, [(member_id, 2)], at)
    finally:
        await connection.close()
    assert await related_partners(member_id) == [1, 2]


async def test_many_ensure_the_same_pairs_at_once_in_any_order(
    keys: MemberKeys, at: datetime
) -> None:
    outcomes = await service.enrol_many(
        [Enrolment(card=f"CARD{number:04}") for number in range(50)],
        partner_no=1,
        keys=keys,
        at=at,
    )
    members = [outcome.member_id for outcome in outcomes if isinstance(outcome, service.Enrolled)]

    async def ensure(order: list[MemberId]) -> None:
        async with transaction() as connection:
            await relations.ensure(connection, [(member_id, 2) for member_id in order], at)

    await asyncio.gather(*(ensure(members[turn:] + members[:turn]) for turn in range(8)))
    async with transaction() as connection:
        assert await connection.fetchval("SELECT count(*) FROM partner_member") == 100


async def test_a_tenant_sees_only_its_own_relations_and_the_data_they_open(
    asa: Enrolment, keys: MemberKeys, at: datetime
) -> None:
    await enrolled(asa, keys, at)
    visible = {}
    for partner_no in (1, 2):
        async with transaction(role=TENANT_ROLE, partner_no=partner_no) as connection:
            visible[partner_no] = [
                await connection.fetchval(f"SELECT count(*) FROM {table}")
                for table in ("partner_member", "personal_data", "member_key")
            ]
    assert visible == {1: [1, 1, 1], 2: [0, 0, 0]}


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT enrolled_by FROM member",
        "INSERT INTO partner_member SELECT bucket, id, 2, $1 FROM member",
        "UPDATE partner_member SET since = $1",
        "DELETE FROM personal_data",
        "UPDATE member SET state_since = $1",
    ],
)
async def test_a_tenant_changes_nothing_and_does_not_learn_who_enrolled(
    asa: Enrolment, keys: MemberKeys, at: datetime, statement: str
) -> None:
    await enrolled(asa, keys, at)
    arguments = [at] if "$1" in statement else []
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with transaction(role=TENANT_ROLE, partner_no=2) as connection:
            await connection.execute(statement, *arguments)


async def test_the_poster_resolves_cards_and_adds_relations_but_reads_no_personal_data(
    asa: Enrolment, keys: MemberKeys, at: datetime
) -> None:
    member_id = await enrolled(asa, keys, at)
    async with transaction(role="coalition_poster") as connection:
        await relations.ensure(connection, [(member_id, 2)], at)
    assert await related_partners(member_id) == [1, 2]
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with transaction(role="coalition_poster") as connection:
            await connection.execute("SELECT ciphertext FROM personal_data")


def test_the_memory_of_pairs_is_bounded_and_keeps_the_latest() -> None:
    memory = PairMemory(10)
    pairs = [(MemberId(random_id()), number) for number in range(100)]
    for pair in pairs:
        memory.add(pair)
        assert len(memory) <= 10
    assert all(pair in memory for pair in pairs[-5:])
    assert pairs[0] not in memory
