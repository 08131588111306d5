"""Further cards and replaced cards: each refusal, and the same asked twice."""

import asyncio
from datetime import datetime

import pytest

from coalition.kernel.database import transaction
from coalition.kernel.ids import MemberId, random_id
from coalition.members import closing, service
from coalition.members.cards import MOST_CARDS, add_card, replace_card
from coalition.members.contacts import ContactKind
from coalition.members.personal import Enrolment
from coalition.members.refusals import (
    CardNotHeld,
    CardTaken,
    InvalidCard,
    MemberIsClosed,
    TooManyCards,
    UnknownMember,
)
from coalition.members.sealing import MemberKeys

pytestmark = pytest.mark.usefixtures("database")

ACTOR = "staff:anna"


async def enrolled(card: str, keys: MemberKeys, at: datetime) -> MemberId:
    enrolment = Enrolment(card=card)
    return (await service.enrol(enrolment, partner_no=1, keys=keys, at=at)).member_id


async def cards_of(member_id: MemberId, keys: MemberKeys) -> tuple[str, ...]:
    personal = (await service.show(member_id, partner_no=1, keys=keys)).personal
    assert personal is not None
    return personal.cards


async def test_a_member_is_found_by_a_further_card_too(keys: MemberKeys, at: datetime) -> None:
    member_id = await enrolled("FIRST", keys, at)
    for _ in range(2):
        await add_card(member_id, card="se-cond", keys=keys, actor=ACTOR, at=at)
    for card in ("FIRST", "SECOND"):
        assert await service.find(ContactKind.CARD, card, keys=keys) == member_id
    assert await cards_of(member_id, keys) == ("FIRST", "SECOND")


async def test_a_replaced_card_finds_nobody_and_may_be_handed_to_another(
    keys: MemberKeys, at: datetime
) -> None:
    member_id = await enrolled("LOST", keys, at)
    for _ in range(2):
        await replace_card(
            member_id, old_card="lost", new_card="FOUND", keys=keys, actor=ACTOR, at=at
        )
    assert await service.find(ContactKind.CARD, "FOUND", keys=keys) == member_id
    with pytest.raises(UnknownMember):
        await service.find(ContactKind.CARD, "LOST", keys=keys)
    assert await cards_of(member_id, keys) == ("FOUND",)
    assert await enrolled("LOST", keys, at) != member_id


async def logged() -> list[tuple[str, str, str, str]]:
    async with transaction() as connection:
        rows = await connection.fetch(
            "SELECT actor, action, subject, facts FROM audit_log ORDER BY no"
        )
    return [tuple(row) for row in rows]


async def test_a_card_may_be_replaced_by_itself_or_by_another_of_the_same_member(
    keys: MemberKeys, at: datetime
) -> None:
    member_id = await enrolled("FIRST", keys, at)
    await replace_card(member_id, old_card="FIRST", new_card="FIRST", keys=keys, actor=ACTOR, at=at)
    assert await cards_of(member_id, keys) == ("FIRST",)
    await add_card(member_id, card="SECOND", keys=keys, actor=ACTOR, at=at)
    await replace_card(
        member_id, old_card="FIRST", new_card="SECOND", keys=keys, actor=ACTOR, at=at
    )
    assert await cards_of(member_id, keys) == ("SECOND",)


async def test_a_card_of_another_is_refused_and_changes_nothing(
    keys: MemberKeys, at: datetime
) -> None:
    member_id, other = await enrolled("MINE", keys, at), await enrolled("YOURS", keys, at)
    with pytest.raises(CardTaken):
        await add_card(member_id, card="YOURS", keys=keys, actor=ACTOR, at=at)
    with pytest.raises(CardTaken):
        await replace_card(
            member_id, old_card="MINE", new_card="YOURS", keys=keys, actor=ACTOR, at=at
        )
    with pytest.raises(CardNotHeld):
        await replace_card(
            member_id, old_card="YOURS", new_card="NEW1", keys=keys, actor=ACTOR, at=at
        )
    assert await cards_of(member_id, keys) == ("MINE",)
    assert await service.find(ContactKind.CARD, "YOURS", keys=keys) == other


async def test_cards_are_bounded(keys: MemberKeys, at: datetime) -> None:
    member_id = await enrolled("CARD0", keys, at)
    for number in range(1, MOST_CARDS):
        await add_card(member_id, card=f"CARD{number}", keys=keys, actor=ACTOR, at=at)
    with pytest.raises(TooManyCards) as refused:
        await add_card(member_id, card="ONEMORE", keys=keys, actor=ACTOR, at=at)
    assert refused.value.facts == {"limit": MOST_CARDS}


async def test_cards_of_the_closed_and_the_unknown_are_not_changed(
    keys: MemberKeys, at: datetime
) -> None:
    member_id = await enrolled("CARD", keys, at)
    with pytest.raises(InvalidCard):
        await add_card(member_id, card="?", keys=keys, actor=ACTOR, at=at)
    with pytest.raises(UnknownMember):
        await add_card(MemberId(random_id()), card="NEW1", keys=keys, actor=ACTOR, at=at)
    await closing.close(member_id, actor=ACTOR, at=at)
    with pytest.raises(MemberIsClosed):
        await replace_card(
            member_id, old_card="CARD", new_card="NEW1", keys=keys, actor=ACTOR, at=at
        )


async def test_cards_added_at_once_are_all_kept(keys: MemberKeys, at: datetime) -> None:
    member_id = await enrolled("CARD0", keys, at)
    added = [f"CARD{number}" for number in range(1, 6)]
    await asyncio.gather(
        *(add_card(member_id, card=card, keys=keys, actor=ACTOR, at=at) for card in added)
    )
    assert sorted(await cards_of(member_id, keys)) == ["CARD0", *added]
    assert await logged() == [(ACTOR, "member_card.added", f"member:{member_id}", "{}")] * 5


async def test_one_card_for_two_members_at_once_goes_to_one(keys: MemberKeys, at: datetime) -> None:
    members = [await enrolled(f"CARD{number}", keys, at) for number in range(4)]

    async def attempt(member_id: MemberId) -> bool:
        try:
            await add_card(member_id, card="SHARED", keys=keys, actor=ACTOR, at=at)
        except CardTaken:
            return False
        return True

    won = await asyncio.gather(*(attempt(member_id) for member_id in members))
    assert won.count(True) == 1
    holder = await service.find(ContactKind.CARD, "SHARED", keys=keys)
    assert holder == members[won.index(True)]
