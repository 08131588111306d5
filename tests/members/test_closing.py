"""Closing: what is left is given up only on a word, and the books stay right."""

from datetime import datetime, timedelta

import msgspec
import pytest

from coalition.kernel.database import transaction
from coalition.kernel.ids import MemberId, random_id
from coalition.ledger import audit
from coalition.ledger.accounts import Account, DebtEntry, Kind
from coalition.ledger.drafts import Hold, Posted
from coalition.ledger.forfeits import REASON
from coalition.ledger.refusals import HolderHasHolds
from coalition.members import closing, merging, service, standings
from coalition.members.contacts import ContactKind
from coalition.members.refusals import DebtRemains, PointsRemain, UnknownMember
from tests.members.world import ANNA, BERTIL, KEYS, enrolled
from tests.support import ledger

pytestmark = pytest.mark.usefixtures("database")


async def test_points_that_are_left_are_forfeited_only_on_a_word(at: datetime) -> None:
    member = await enrolled(at, card="WEALTHY")
    other = await enrolled(at, card="BYSTANDER")
    yesterday = at.date() - timedelta(days=1)
    await ledger.post(
        [
            ledger.issue(member, 100, at),
            ledger.issue(member, 20, at, partner_no=ledger.FUEL),
            ledger.issue(member, 7, at, expires_on=yesterday),
            ledger.issue(other, 50, at),
        ],
        at,
    )
    with pytest.raises(PointsRemain) as refused:
        await closing.close(member, actor=ANNA, at=at)
    assert refused.value.facts == {"points": 120}
    closed = await closing.close(member, actor=ANNA, at=at, forfeit_points=True)
    assert (closed.forfeited_points, closed.written_off_points) == (120, 0)
    assert await ledger.balance(member, at) == 0
    assert await ledger.balance(other, at) == 50
    async with transaction() as connection:
        rows = await connection.fetch(
            "SELECT partner_no, points, account, reason FROM posting WHERE kind = $1"
            " ORDER BY points",
            Kind.EXPIRE,
        )
    assert [tuple(row) for row in rows] == [
        (ledger.GROCER, 7, Account.EXPIRED, None),
        (ledger.FUEL, 20, Account.EXPIRED, REASON),
        (ledger.GROCER, 100, Account.EXPIRED, REASON),
    ]
    assert (await audit.run()).ok


async def test_closing_twice_books_and_says_nothing_twice(at: datetime) -> None:
    member = await enrolled(at, card="ONCE")
    await ledger.post([ledger.issue(member, 100, at)], at)
    await closing.close(member, actor=ANNA, at=at, forfeit_points=True)
    again = await closing.close(member, actor=ANNA, at=at, forfeit_points=True)
    assert again.forfeited_points == 0
    async with transaction() as connection:
        assert await connection.fetchval("SELECT count(*) FROM audit_log") == 1
        facts = await connection.fetchval("SELECT facts FROM audit_log")
    assert facts == '{"forfeited_points":100,"written_off_points":0}'


async def owing(member: MemberId, at: datetime) -> None:
    """Let the member owe 60 of 100 points that were spent before their purchase was returned."""
    issued, _ = await ledger.post(
        [ledger.issue(member, 100, at), ledger.redeem(member, 60, at)], at
    )
    assert isinstance(issued, Posted)
    plain = ledger.reverse(issued.posting, at, partner_no=ledger.GROCER)
    contract_no = ledger.GROCER * 10
    await ledger.post([msgspec.structs.replace(plain, debts={contract_no: 100})], at)


async def test_what_is_owed_is_written_off_only_on_a_word(at: datetime) -> None:
    member = await enrolled(at, card="OWING")
    await owing(member, at)
    with pytest.raises(DebtRemains) as refused:
        await closing.close(member, actor=ANNA, at=at, forfeit_points=True)
    assert refused.value.facts == {"points": 60}
    closed = await closing.close(member, actor=ANNA, at=at, write_off_debt=True)
    assert (closed.forfeited_points, closed.written_off_points) == (0, 60)
    async with transaction() as connection:
        row = await connection.fetchrow(
            "SELECT points, actor, reason FROM debt_entry WHERE kind = $1", DebtEntry.WRITTEN_OFF
        )
        assert tuple(row) == (60, ANNA, REASON)
        assert await connection.fetchval("SELECT owes FROM holder WHERE id = $1", member) == 0
    assert (await audit.run()).ok


async def test_a_debt_goes_over_to_the_survivor_of_a_merge(at: datetime) -> None:
    old, new = await enrolled(at, card="OLD1"), await enrolled(at, card="NEW1")
    await owing(old, at)
    approval = await merging.prepare(
        from_id=old, into_id=new, reason="one person", prepared_by=ANNA, at=at
    )
    merged = await merging.approve(approval, approved_by=BERTIL, keys=KEYS, followers=(), at=at)
    assert merged.owed == 60
    with pytest.raises(DebtRemains):
        await closing.close(new, actor=ANNA, at=at)
    assert (await audit.run()).ok


async def test_nobody_is_closed_while_points_are_held(at: datetime) -> None:
    member = await enrolled(at, card="HOLDING")
    till = ledger.till(ledger.FUEL, at, "receipt")
    made, _ = await ledger.post(
        [ledger.issue(member, 100, at), Hold(member, till, 1, 40, at + timedelta(hours=1))], at
    )
    assert isinstance(made, Posted)
    with pytest.raises(HolderHasHolds):
        await closing.close(member, actor=ANNA, at=at, forfeit_points=True)
    assert await ledger.balance(member, at) == 60


async def test_what_the_member_was_is_over_and_its_contacts_are_free(at: datetime) -> None:
    member = await enrolled(at, card="GOLDEN", email="gold@exempel.example")
    async with transaction() as connection:
        for kind, value in (("tier", "gold"), ("flag", "staff")):
            await standings.grant(
                connection,
                member=member,
                kind=kind,  # type: ignore[arg-type]  # the two above
                value=value,
                valid_from=at + timedelta(days=len(value)),
                valid_until=None,
                source=ANNA,
                at=at,
            )
        await standings.end(
            connection,
            member=member,
            kind="flag",
            value="staff",
            ends_at=at,
            source=ANNA,
            at=at,
        )
    await closing.close(member, actor=ANNA, at=at)
    async with transaction() as connection:
        assert await standings.read(connection, [member], at + timedelta(days=30)) == {}
        assert len(await standings.history(connection, member)) == 4, "the flag had ended before"
    for kind, value in ((ContactKind.CARD, "GOLDEN"), (ContactKind.EMAIL, "gold@exempel.example")):
        with pytest.raises(UnknownMember):
            await service.find(kind, value, keys=KEYS)


async def test_a_frozen_member_may_leave_and_nobody_unknown_can(at: datetime) -> None:
    member = await enrolled(at, card="FROZEN")
    await service.freeze(member, actor=ANNA, at=at)
    assert (await closing.close(member, actor=ANNA, at=at)).forfeited_points == 0
    with pytest.raises(UnknownMember):
        await closing.close(random_id(), actor=ANNA, at=at)  # type: ignore[arg-type]  # nobody's id
