"""Merging: two persons agree, everything goes over, and the old id leads to the survivor."""

import asyncio
from datetime import datetime, timedelta
from uuid import UUID

import msgspec
import pytest

from coalition.kernel.database import transaction
from coalition.kernel.ids import MemberId, random_id
from coalition.ledger import audit
from coalition.ledger.drafts import Hold
from coalition.ledger.partitions import ensure_partition
from coalition.ledger.refusals import (
    HolderHasHolds,
    HolderMerged,
    HolderNotActive,
    MergeWithItself,
)
from coalition.members import (
    cards,
    closing,
    consents,
    merging,
    privacy,
    queries,
    relations,
    service,
    standings,
)
from coalition.members.consents import Given
from coalition.members.contacts import ContactKind
from coalition.members.merging import Merged
from coalition.members.personal import PersonalData, united
from coalition.members.refusals import ErasureUnderWay, MemberIsClosed, UnknownMember
from coalition.members.standings import Standings
from coalition.oversight import approvals, audit_log
from coalition.oversight.refusals import ApprovalDecided, ReasonNeeded, SecondPersonNeeded
from tests.members.world import ANNA, BERTIL, KEYS, enrolled
from tests.support import ledger

pytestmark = pytest.mark.usefixtures("database")

DAY = timedelta(days=1)


async def prepared(from_id: MemberId, into_id: MemberId, at: datetime) -> UUID:
    return await merging.prepare(
        from_id=from_id, into_id=into_id, reason="one person", prepared_by=ANNA, at=at
    )


async def merged(from_id: MemberId, into_id: MemberId, at: datetime) -> Merged:
    approval = await prepared(from_id, into_id, at)
    return await merging.approve(approval, approved_by=BERTIL, keys=KEYS, followers=(), at=at)


async def test_points_go_over_and_the_books_are_right(at: datetime) -> None:
    old, new = await enrolled(at, card="OLD1"), await enrolled(at, card="NEW1")
    await ledger.post([ledger.issue(old, 100, at), ledger.issue(new, 5, at)], at)
    done = await merged(old, new, at)
    assert done == Merged(old, new, 100, 0)
    assert (await ledger.balance(old, at), await ledger.balance(new, at)) == (0, 105)
    assert (await audit.run()).ok


async def test_the_survivor_is_found_by_every_contact_of_both(at: datetime) -> None:
    old = await enrolled(
        at, card="OLD1", email="Asa@Gammal.example", phone="+46701111111", first_name="Åsa"
    )
    new = await enrolled(
        at, card="NEW1", email="asa@ny.example", first_name="Asa", last_name="Berg"
    )
    await merged(old, new, at)
    for kind, value in (
        (ContactKind.CARD, "OLD1"),
        (ContactKind.CARD, "NEW1"),
        (ContactKind.EMAIL, "asa@gammal.example"),
        (ContactKind.EMAIL, "asa@ny.example"),
        (ContactKind.PHONE, "+46 70 111 11 11"),
    ):
        assert await service.find(kind, value, keys=KEYS) == new
    view = await service.show(old, partner_no=1, keys=KEYS)
    assert (view.member_id, view.merged_from) == (new, old)
    assert view.personal == PersonalData(
        email="asa@ny.example",
        phone="+46701111111",
        first_name="Asa",
        last_name="Berg",
        cards=("NEW1", "OLD1"),
        other_emails=("Asa@Gammal.example",),
    )
    assert (await service.show(new, partner_no=1, keys=KEYS)).merged_from is None
    async with transaction() as connection:
        kept = await queries.lock_member(connection, old)
        survivor = await queries.lock_member(connection, new)
    assert kept is not None
    assert (kept.sealed, kept.wrapped_key) == (None, None), "erased with its key"
    assert survivor is not None
    assert survivor.sealed is not None
    assert survivor.sealed.version == 2, "sealed anew, once"


async def test_cards_of_the_survivor_can_be_changed_afterwards(at: datetime) -> None:
    old, new = await enrolled(at, card="OLD1"), await enrolled(at, card="NEW1")
    await merged(old, new, at)
    await cards.replace_card(new, old_card="OLD1", new_card="THIRD", keys=KEYS, actor=ANNA, at=at)
    assert await service.find(ContactKind.CARD, "THIRD", keys=KEYS) == new
    with pytest.raises(HolderMerged) as refused:
        await cards.add_card(old, card="FOURTH", keys=KEYS, actor=ANNA, at=at)
    assert refused.value.facts == {"merged_into": str(new)}


async def test_who_knew_either_knows_the_survivor_since_the_earlier_day(at: datetime) -> None:
    old = await enrolled(at, partner_no=1, card="OLD1")
    new = await enrolled(at + DAY, partner_no=2, card="NEW1")
    async with transaction() as connection:
        await relations.ensure(connection, [(old, 2), (old, 3)], at)
    await merged(old, new, at + DAY)
    async with transaction() as connection:
        rows = await connection.fetch(
            "SELECT member_id, partner_no, since FROM partner_member ORDER BY partner_no"
        )
    assert [tuple(row) for row in rows] == [(new, 1, at), (new, 2, at), (new, 3, at)]


async def test_the_latest_word_of_either_holds_and_every_word_is_kept(at: datetime) -> None:
    old, new = await enrolled(at, card="OLD1"), await enrolled(at, card="NEW1")

    async def say(member: MemberId, purpose: str, *, granted: bool, given_at: datetime) -> None:
        given = Given(purpose=purpose, granted=granted, text_version="1", given_at=given_at)
        await consents.give_by_staff(member, given, actor=ANNA, at=at + 5 * DAY)

    await say(old, "marketing", granted=False, given_at=at + DAY)
    await say(old, "profiling", granted=True, given_at=at)
    await say(new, "marketing", granted=True, given_at=at)
    await say(new, "profiling", granted=False, given_at=at + DAY)
    await merged(old, new, at + 5 * DAY)
    async with transaction() as connection:
        held = await consents.current(connection, new, partner_no=1)
        kept = await consents.history(connection, new)
    assert {one.purpose: one.granted for one in held} == {"marketing": False, "profiling": False}
    assert [one.given_as for one in kept] == [None, None, old, old]


async def test_standings_go_over_behind_the_survivor_s_own(at: datetime) -> None:
    old, new = await enrolled(at, card="OLD1"), await enrolled(at, card="NEW1")

    async def be(member: MemberId, kind: standings.Kind, value: str, days: int) -> None:
        async with transaction() as connection:
            await standings.grant(
                connection,
                member=member,
                kind=kind,
                value=value,
                valid_from=at,
                valid_until=at + days * DAY,
                source=ANNA,
                at=at,
            )

    await be(new, "tier", "silver", 100)
    await be(old, "tier", "gold", 200)
    await be(old, "flag", "staff", 200)
    await be(old, "segment", "over", 1)
    await merged(old, new, at + 2 * DAY)
    async with transaction() as connection:
        now = await standings.read(connection, [old, new], at + 2 * DAY)
        later = await standings.read(connection, [new], at + 150 * DAY)
        await standings.end(
            connection,
            member=new,
            kind="flag",
            value="staff",
            ends_at=at + 3 * DAY,
            source=ANNA,
            at=at + 3 * DAY,
        )
        ended = await standings.read(connection, [new], at + 3 * DAY)
    assert now[new] == Standings("silver", None, frozenset(), frozenset({"staff"}))
    assert later[new] == Standings("gold", None, frozenset(), frozenset({"staff"}))
    assert ended[new] == Standings("silver")


async def test_a_chain_of_merges_leads_to_the_last_survivor_in_one_hop(at: datetime) -> None:
    first, second, third = [await enrolled(at, card=f"CARD{no}") for no in range(3)]
    await ledger.post([ledger.issue(first, 10, at), ledger.issue(second, 20, at)], at)
    await merged(first, second, at)
    await merged(second, third, at)
    for old in (first, second):
        view = await service.show(old, partner_no=1, keys=KEYS)
        assert (view.member_id, view.merged_from) == (third, old)
        (refused,) = await ledger.post([ledger.issue(old, 1, at)], at)
        assert isinstance(refused, HolderMerged)
        assert refused.facts == {"merged_into": str(third)}
    assert await ledger.balance(third, at) == 30
    async with transaction() as connection:
        assert set(await queries.merged_into(connection, third)) == {first, second}
    assert (await audit.run()).ok


async def test_one_person_alone_merges_nobody_and_a_merge_is_done_once(at: datetime) -> None:
    old, new = await enrolled(at, card="OLD1"), await enrolled(at, card="NEW1")
    approval = await prepared(old, new, at)
    with pytest.raises(SecondPersonNeeded):
        await merging.approve(approval, approved_by=ANNA, keys=KEYS, followers=(), at=at)
    await merging.approve(approval, approved_by=BERTIL, keys=KEYS, followers=(), at=at)
    with pytest.raises(ApprovalDecided):
        await merging.approve(approval, approved_by=BERTIL, keys=KEYS, followers=(), at=at)
    async with transaction() as connection:
        rows = await connection.fetch("SELECT actor, action, facts FROM audit_log ORDER BY no")
        assert await audit_log.verify(connection) == []
    acts = [(row["actor"], row["action"]) for row in rows]
    assert acts == [
        (ANNA, "approval.prepared"),
        (BERTIL, "member.merged"),
        (BERTIL, "approval.applied"),
    ]
    assert rows[1]["facts"] == f'{{"into":"{new}","owed":0,"points":0}}'


async def test_what_waits_for_the_second_person_says_whom_and_why(at: datetime) -> None:
    old, new = await enrolled(at, card="OLD1"), await enrolled(at, card="NEW1")
    approval = await prepared(old, new, at)
    (waiting,) = await approvals.waiting(at=at, kind=merging.KIND)
    wanted = msgspec.json.decode(waiting.payload, type=merging.PreparedMerge)
    assert (waiting.id, waiting.subject) == (approval, f"member:{old}")
    assert (waiting.prepared_by, waiting.prepared_at) == (ANNA, at)
    assert (wanted.from_id, wanted.into_id) == (old, new)
    assert wanted.reason == "one person"
    with pytest.raises(ReasonNeeded):
        await merging.prepare(from_id=old, into_id=new, reason=" ", prepared_by=ANNA, at=at)


async def test_nobody_is_merged_who_is_none_or_oneself_or_gone(at: datetime) -> None:
    old, new = await enrolled(at, card="OLD1"), await enrolled(at, card="NEW1")
    gone = await enrolled(at, card="GONE")
    await closing.close(gone, actor=ANNA, at=at)
    nobody = MemberId(random_id())
    for from_id, into_id, refusal in (
        (old, old, MergeWithItself),
        (nobody, new, UnknownMember),
        (old, nobody, UnknownMember),
        (gone, new, MemberIsClosed),
        (old, gone, MemberIsClosed),
    ):
        with pytest.raises(refusal):
            await prepared(from_id, into_id, at)
    await merged(old, new, at)
    for from_id, into_id in ((old, gone), (gone, old)):
        with pytest.raises((HolderMerged, MemberIsClosed)):
            await prepared(from_id, into_id, at)
    await ensure_partition(at)
    with pytest.raises(MergeWithItself):
        async with transaction() as connection:
            await merging.merge(
                connection, from_id=new, into_id=new, keys=KEYS, followers=(), actor=ANNA, at=at
            )


@pytest.mark.parametrize("which", [0, 1])
async def test_nobody_is_merged_who_asked_to_be_forgotten(at: datetime, which: int) -> None:
    both = await enrolled(at, card="OLD1"), await enrolled(at, card="NEW1")
    approval = await prepared(*both, at)
    await privacy.ask(both[which], reason="a letter", actor=ANNA, at=at)
    with pytest.raises(ErasureUnderWay):
        await merging.approve(approval, approved_by=BERTIL, keys=KEYS, followers=(), at=at)
    await privacy.erase(both[which], (), at=at)
    with pytest.raises(MemberIsClosed):
        await merging.approve(approval, approved_by=BERTIL, keys=KEYS, followers=(), at=at)


async def test_a_frozen_member_and_one_with_held_points_stay_as_they_are(at: datetime) -> None:
    old, new = await enrolled(at, card="OLD1"), await enrolled(at, card="NEW1")
    till = ledger.till(ledger.FUEL, at, "receipt")
    await ledger.post(
        [ledger.issue(old, 100, at), Hold(old, till, 1, 40, at + timedelta(hours=1))], at
    )
    approval = await prepared(old, new, at)
    with pytest.raises(HolderHasHolds):
        await merging.approve(approval, approved_by=BERTIL, keys=KEYS, followers=(), at=at)
    await service.freeze(new, actor=ANNA, at=at)
    with pytest.raises(HolderNotActive):
        await merging.approve(approval, approved_by=BERTIL, keys=KEYS, followers=(), at=at)
    assert (await service.show(old, partner_no=1, keys=KEYS)).member_id == old
    assert await ledger.balance(old, at) == 60


async def test_what_a_package_above_refuses_stops_the_whole_merge(
    at: datetime,
) -> None:
    seen: list[tuple[MemberId, MemberId]] = []

    async def refuse(
        connection: object, from_id: MemberId, into_id: MemberId, when: datetime
    ) -> None:
        del connection, when
        seen.append((from_id, into_id))
        raise MergeWithItself

    old, new = await enrolled(at, card="OLD1"), await enrolled(at, card="NEW1")
    await ledger.post([ledger.issue(old, 100, at)], at)
    approval = await prepared(old, new, at)
    with pytest.raises(MergeWithItself):
        await merging.approve(approval, approved_by=BERTIL, keys=KEYS, followers=(refuse,), at=at)
    assert seen == [(old, new)]
    assert await ledger.balance(old, at) == 100
    assert await service.find(ContactKind.CARD, "OLD1", keys=KEYS) == old


async def test_two_merges_at_once_of_the_same_members_do_not_wait_in_a_circle(
    at: datetime,
) -> None:
    one, other = await enrolled(at, card="ONE1"), await enrolled(at, card="OTHER")
    there, back = await prepared(one, other, at), await prepared(other, one, at)
    outcomes = await asyncio.gather(
        *(
            merging.approve(approval, approved_by=BERTIL, keys=KEYS, followers=(), at=at)
            for approval in (there, back)
        ),
        return_exceptions=True,
    )
    assert {type(outcome) for outcome in outcomes} == {Merged, HolderMerged}


def test_what_both_have_is_kept_once_and_the_survivor_s_wins() -> None:
    survivor = PersonalData(email="asa@ny.example", cards=("A",), other_phones=("+46701111111",))
    other = PersonalData(
        email="ASA@ny.example",
        phone="+46702222222",
        cards=("B", "A"),
        other_emails=("c@d.example",),
    )
    assert united(survivor, other) == PersonalData(
        email="asa@ny.example",
        phone="+46701111111",
        cards=("A", "B"),
        other_emails=("c@d.example",),
        other_phones=("+46702222222",),
    )
    assert united(PersonalData(), PersonalData()) == PersonalData()
