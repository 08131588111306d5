"""What a member brings into the pot of its group by an act of its own."""

from uuid import UUID

import msgspec

from coalition.families.evaluator.acts import Act
from coalition.families.groups import gathering, stakes
from coalition.families.groups.group_facts import judged
from coalition.families.groups.moving_out import bring
from coalition.families.groups.telling import note, tell
from coalition.families.kin import guardians
from coalition.families.kin.group_refusals import FrozenByGuardian, NoPot
from coalition.families.kin.speaking import By
from coalition.families.rule_sets.vocabulary import Channel, Event
from coalition.families.transfers.judging import Book
from coalition.kernel.database import Connection


class Brought(msgspec.Struct, frozen=True, kw_only=True):
    """That points went into a pot, and what of it this member has brought by now."""

    group_id: UUID
    member_id: UUID
    points: int
    brought: int


async def contribute(
    connection: Connection,
    group: UUID,
    member: UUID,
    points: int,
    book: Book,
    *,
    by: By,
    channel: Channel = Channel.ONLINE,
) -> Brought:
    """Bring points of a member into the pot, as it says itself, or a guardian for it.

    Each call brings more: whoever may ask twice does so under a claim of its own. Raises
    `UnknownGroup`, `NotInGroup`, `NotYourself`, `FrozenByGuardian`, `NoPot`,
    `GroupIsSeparating`, `GroupRefused` and what the ledger refuses.
    """
    found = await gathering.lock(connection, group, book)
    await found.check_speaks_for(connection, member, by)
    found.place_of(member)
    found.check_active()
    if found.pot in (None, member):
        raise NoPot
    if await guardians.stopped(connection, [member]):
        raise FrozenByGuardian
    act = Act(event=Event.CONTRIBUTE, at=found.at, points=points, channel=channel)
    await judged(connection, found, act, member)
    await bring(connection, found, member, points)
    pot = await stakes.pot_of(connection, found)
    (who,) = await stakes.leavers(connection, [member])
    await tell(connection, "contributed", found, member_id=member, points=points)
    await note(connection, "contributed", found, by, member=member, points=points)
    return Brought(
        group_id=group, member_id=member, points=points, brought=stakes.brought(pot, who.ids)
    )
