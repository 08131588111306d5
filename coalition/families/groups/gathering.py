"""A group in hand: locked with everybody in it, beside its rules and what is agreed on.

The holders of all members, of the pool and of whoever else is concerned are locked first, in the
ledger's order, and then the group's row. So two acts on one group, or on one member, are done one
after the other, and whatever is read afterwards stays so until the transaction ends.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from coalition.families.kin import guardians, places
from coalition.families.kin.group_refusals import (
    GroupIsClosed,
    GroupIsSeparating,
    HeadOnly,
    NotInGroup,
    NotYourself,
    UnknownGroup,
)
from coalition.families.kin.places import GroupRow, GroupState, PlaceRow
from coalition.families.kin.speaking import By
from coalition.families.kin.transfer_refusals import NoRules
from coalition.families.rule_sets.books import Bound
from coalition.families.rule_sets.notation import RuleSet
from coalition.families.rule_sets.vocabulary import Mechanism
from coalition.families.transfers.judging import Book
from coalition.kernel.database import Connection
from coalition.ledger import holders


class GroupMovedError(Exception):
    """Somebody joined while the group was being locked; a lost race, to be run again."""

    sqlstate = "40001"


@dataclass(slots=True)
class OpenGroup:
    """A group as it stands; `places` are those that are taken."""

    row: GroupRow
    places: list[PlaceRow]
    bound: Bound
    book: Book

    @property
    def id(self) -> UUID:
        """Return the id of the group."""
        return self.row.id

    @property
    def at(self) -> datetime:
        """Return the instant of the act."""
        return self.book.at

    @property
    def rules(self) -> RuleSet:
        """Return the rule set under which the group runs."""
        return self.bound.rule_set

    @property
    def zone(self) -> ZoneInfo:
        """Return the zone in whose days the rules count."""
        return self.bound.zone

    @property
    def today(self) -> date:
        """Return the day of the act in that zone."""
        return self.at.astimezone(self.zone).date()

    @property
    def members(self) -> list[UUID]:
        """Return who belongs to the group, in the order of joining."""
        return [place.member_id for place in self.places if place.member_id is not None]

    @property
    def head_place(self) -> PlaceRow:
        """Return the place of the head."""
        return self.place_of(self.row.head)

    @property
    def pot(self) -> UUID | None:
        """Return the holder with whom points of the group lie together; None: each has its own."""
        if self.row.pool is not None:
            return self.row.pool
        swept = (Mechanism.SWEEP_TO_HEAD, Mechanism.LINKED_WALLET)
        return self.row.head if self.rules.mechanism in swept else None

    def find(self, member: UUID) -> PlaceRow | None:
        """Return the place of a member; None for who does not belong to the group."""
        return next((place for place in self.places if place.member_id == member), None)

    def place_of(self, member: UUID) -> PlaceRow:
        """Return the place of a member. Raises `NotInGroup`."""
        place = self.find(member)
        if place is None:
            raise NotInGroup
        return place

    def check_active(self) -> None:
        """Refuse what moves nothing any more."""
        if self.row.state is GroupState.CLOSED:
            raise GroupIsClosed
        if self.row.state is GroupState.SEPARATING:
            raise GroupIsSeparating

    def check_visible(self, by: By) -> None:
        """Refuse whoever does not belong to the group, as if there were none."""
        if by.member is not None and self.find(by.member) is None:
            raise UnknownGroup

    async def check_speaks_for(self, connection: Connection, member: UUID, by: By) -> None:
        """Refuse whoever is neither the member, nor a guardian of it, nor staff.

        Strangers hear that there is no such group.
        """
        if by.member is None:
            return
        if by.member == member:
            self.check_visible(by)
            return
        guarding = await guardians.guardians_of(connection, [member])
        if by.member not in guarding[member]:
            self.check_visible(by)
            raise NotYourself

    def check_head(self, by: By) -> None:
        """Refuse whoever is neither the head nor staff."""
        self.check_visible(by)
        if by.member is not None and by.member != self.row.head:
            raise HeadOnly


async def look(connection: Connection, group: UUID, book: Book) -> OpenGroup:
    """Return a group without locking anything. Raises `UnknownGroup` or `NoRules`."""
    row = await places.read_group(connection, group)
    if row is None:
        raise UnknownGroup
    return OpenGroup(row, await places.read_places(connection, group), _rules(row, book), book)


async def lock(
    connection: Connection,
    group: UUID,
    book: Book,
    *,
    also: Collection[UUID] = (),
) -> OpenGroup:
    """Return a group with everybody in it, and `also`, locked until the transaction ends.

    Raises `UnknownGroup`, `NoRules`, and what the ledger says of those of `also` who are not there,
    or not active.
    """
    seen = await look(connection, group, book)
    concerned = {*seen.members, *also, *(() if seen.row.pool is None else (seen.row.pool,))}
    states = await holders.lock(connection, concerned)
    for holder in also:
        if (refusal := holders.refusal_by_state(states, holder)) is not None:
            raise refusal
    row = await places.read_group(connection, group, is_to_be_locked=True)
    assert row is not None, "groups are never deleted"
    taken = await places.read_places(connection, group)
    found = OpenGroup(row, taken, _rules(row, book), book)
    if not concerned.issuperset(found.members):
        raise GroupMovedError
    return found


def _rules(row: GroupRow, book: Book) -> Bound:
    bound = book.rules.rule_set(row.rule_set_no, book.at)
    if bound is None:
        raise NoRules
    return bound
