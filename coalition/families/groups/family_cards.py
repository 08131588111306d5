"""Further cards of members who share a wallet: judged, and paid for, by the rules of the group."""

from uuid import UUID

from coalition.families.evaluator.acts import Act
from coalition.families.groups import gathering
from coalition.families.groups.group_facts import judged
from coalition.families.groups.telling import tell
from coalition.families.kin import places
from coalition.families.kin.speaking import By
from coalition.families.rule_sets.vocabulary import Channel, Event, Mechanism
from coalition.families.transfers.judging import Book
from coalition.kernel.database import Connection
from coalition.kernel.ids import MemberId
from coalition.members import cards, queries, rules
from coalition.members.blind_index import card_digest


async def add_card(
    connection: Connection,
    member: UUID,
    card: str,
    book: Book,
    *,
    by: By,
    channel: Channel = Channel.STAFF,
) -> None:
    """Let a member be found by a further card; one that it holds already changes nothing.

    Where it shares a wallet the group's rules on `card` are asked first, and their fee is charged.
    Raises `GroupRefused`, `GroupIsSeparating` and what `cards.add_card` does.
    """
    digest = card_digest(book.keys.blind_index_key, rules.normal_card(card))
    held = await queries.holders_of_cards(connection, [digest])
    if held.get(digest) != member:
        for group in (await places.groups_of(connection, [member]))[member]:
            await _judge(connection, group, member, book, channel)
    await cards.add_card(MemberId(member), card=card, keys=book.keys, actor=by.name, at=book.at)


async def _judge(
    connection: Connection, group: UUID, member: UUID, book: Book, channel: Channel
) -> None:
    seen = await gathering.look(connection, group, book)
    if seen.rules.mechanism is not Mechanism.LINKED_WALLET:
        return
    found = await gathering.lock(connection, group, book)
    found.check_active()
    place = found.place_of(member)
    act = Act(event=Event.CARD, at=book.at, kind=place.kind, channel=channel)
    await judged(connection, found, act, member)
    await tell(connection, "card_added", found, member_id=member)
