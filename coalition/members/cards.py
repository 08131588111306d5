"""Further cards for a member, and another card for a lost one; each change is in the audit log.

The log says whose cards changed and never which: a row of it is never erased.
"""

from datetime import datetime

import msgspec

from coalition.kernel.database import Connection, transaction
from coalition.kernel.ids import MemberId
from coalition.members import queries, rules, sealing
from coalition.members.blind_index import card_digest
from coalition.members.contacts import ContactKind
from coalition.members.locking import check_open
from coalition.members.personal import PersonalData
from coalition.members.queries import Claim, Standing, StoredMember
from coalition.members.refusals import (
    CardNotHeld,
    CardTaken,
    TooManyCards,
    UnknownMember,
)
from coalition.members.sealing import MemberKeys
from coalition.members.service import opened
from coalition.oversight import audit_log

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
        stored = await _locked(connection, member_id)
        data, key = opened(stored, member_id=member_id, keys=keys)
        if new in data.cards:
            return
        if len(data.cards) >= MOST_CARDS:
            raise TooManyCards(limit=MOST_CARDS)
        await _claim(connection, member_id, new, keys)
        await _keep(connection, member_id, stored, _with_cards(data, (*data.cards, new)), key)
        await _record(connection, member_id, at, action="member_card.added", actor=actor)


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
        stored = await _locked(connection, member_id)
        data, key = opened(stored, member_id=member_id, keys=keys)
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
        await _keep(connection, member_id, stored, _with_cards(data, cards), key)
        await _record(connection, member_id, at, action="member_card.replaced", actor=actor)


async def _locked(connection: Connection, member_id: MemberId) -> StoredMember:
    stored = await queries.lock_member(connection, member_id)
    if stored is None:
        raise UnknownMember
    check_open(Standing(stored.state, stored.merged_into))
    return stored


async def _claim(connection: Connection, member_id: MemberId, card: str, keys: MemberKeys) -> None:
    claim = Claim(card_digest(keys.blind_index_key, card), ContactKind.CARD, member_id)
    if not await queries.claim_contacts(connection, [claim]):
        raise CardTaken


def _with_cards(data: PersonalData, cards: tuple[str, ...]) -> PersonalData:
    return msgspec.structs.replace(data, cards=cards)


async def _keep(
    connection: Connection,
    member_id: MemberId,
    stored: StoredMember,
    data: PersonalData,
    key: bytes,
) -> None:
    assert stored.sealed is not None, "what is changed was there"
    version = stored.sealed.version + 1
    sealed = sealing.seal(msgspec.json.encode(data), member_id=member_id, key=key, version=version)
    await queries.change_personal_data(connection, member_id, sealed)


async def _record(
    connection: Connection, member_id: MemberId, at: datetime, *, action: str, actor: str
) -> None:
    subject = f"member:{member_id}"
    await audit_log.record(connection, actor=actor, action=action, subject=subject, facts={}, at=at)
