"""Further cards for a member, and another card for a lost one; each change is in the audit log.

The log says whose cards changed and never which.
"""

from datetime import datetime

import msgspec

from coalition.kernel.database import Connection, transaction
from coalition.kernel.ids import MemberId
from coalition.members import kept_data, queries, rules
from coalition.members.blind_index import card_digest
from coalition.members.contacts import ContactKind
from coalition.members.personal import PersonalData
from coalition.members.queries import Claim
from coalition.members.refusals import (
    CardNotHeld,
    CardTaken,
    TooManyCards,
)
from coalition.members.sealing import MemberKeys

MOST_CARDS = 20


async def add_card(
    member_id: MemberId, *, card: str, keys: MemberKeys, actor: str, at: datetime
) -> None:
    """Let the member be found by `card` too; a card the member holds already changes nothing.

    Raises `InvalidCard`, `CardTaken`, `TooManyCards`, `UnknownMember`, `HolderMerged` or
    `MemberIsClosed`.
    """
    new = rules.normal_card(card)
    async with transaction() as connection:
        stored, data, key = await kept_data.locked(connection, member_id, keys)
        if new in data.cards:
            return
        if len(data.cards) >= MOST_CARDS:
            raise TooManyCards(limit=MOST_CARDS)
        await _claim(connection, member_id, new, keys)
        await kept_data.keep(
            connection, member_id, stored, _with_cards(data, (*data.cards, new)), key
        )
        await kept_data.record(connection, member_id, at, action="member_card.added", actor=actor)


async def replace_card(
    member_id: MemberId,
    *,
    old_card: str,
    new_card: str,
    keys: MemberKeys,
    actor: str,
    at: datetime,
) -> None:
    """Let the member be found by `new_card` in place of `old_card`; repeating changes nothing.

    The old card is free for another member afterwards. Raises `InvalidCard`, `CardNotHeld`,
    `CardTaken`, `UnknownMember`, `HolderMerged` or `MemberIsClosed`.
    """
    old, new = rules.normal_card(old_card), rules.normal_card(new_card)
    async with transaction() as connection:
        stored, data, key = await kept_data.locked(connection, member_id, keys)
        if old not in data.cards:
            if new in data.cards:
                return
            raise CardNotHeld
        if old == new:
            return
        if new not in data.cards:
            await _claim(connection, member_id, new, keys)
        given_up = Claim(card_digest(keys.blind_index_key, old), ContactKind.CARD, member_id)
        released = await queries.release_contacts(connection, [given_up])
        assert released, "a card in the sealed data is in the index"
        cards = tuple(dict.fromkeys(new if held == old else held for held in data.cards))
        await kept_data.keep(connection, member_id, stored, _with_cards(data, cards), key)
        await kept_data.record(
            connection, member_id, at, action="member_card.replaced", actor=actor
        )


async def _claim(connection: Connection, member_id: MemberId, card: str, keys: MemberKeys) -> None:
    claim = Claim(card_digest(keys.blind_index_key, card), ContactKind.CARD, member_id)
    if not await queries.claim_contacts(connection, [claim]):
        raise CardTaken


def _with_cards(data: PersonalData, cards: tuple[str, ...]) -> PersonalData:
    return msgspec.structs.replace(data, cards=cards)
