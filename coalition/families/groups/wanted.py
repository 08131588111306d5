"""What is wanted in a group, as data: so it can wait for its fee and be done afterwards.

Each `run` does what the function of its name does, in a transaction of the caller.
"""

from uuid import UUID

from msgspec import Struct

from coalition.families.groups import (
    contributing,
    family_cards,
    forming,
    invitations,
    leaving,
    place_changes,
)
from coalition.families.groups.contributing import Brought
from coalition.families.groups.entering import Newcomer
from coalition.families.groups.gathering import OpenGroup
from coalition.families.groups.invitations import Accepted
from coalition.families.groups.leaving import Left
from coalition.families.groups.place_changes import HowAsked
from coalition.families.kin.places import PlaceRow
from coalition.families.kin.speaking import By
from coalition.families.rule_sets.vocabulary import Channel
from coalition.families.transfers.judging import Book
from coalition.kernel.database import Connection


class Form(Struct, frozen=True, kw_only=True, tag="form"):
    """A group is to be formed by its head."""

    kind: str
    group: UUID
    """The id that it gets."""
    point_currency: str | None = None

    async def run(self, connection: Connection, book: Book, by: By) -> OpenGroup:
        """Do it; see `forming.form`."""
        assert by.member is not None, "a group is formed by its head"
        return await forming.form(
            connection,
            self.kind,
            by.member,
            book,
            group=self.group,
            point_currency=self.point_currency,
        )


class Accept(Struct, frozen=True, kw_only=True, tag="accept"):
    """An invitation is accepted."""

    invitation: UUID
    future_percent: int | None = None
    channel: Channel = Channel.ONLINE

    async def run(self, connection: Connection, book: Book, by: By) -> Accepted:
        """Do it; see `invitations.accept`."""
        return await invitations.accept(
            connection,
            self.invitation,
            book,
            by=by,
            future_percent=self.future_percent,
            channel=self.channel,
        )


class TakeAlong(Struct, frozen=True, kw_only=True, tag="take_along"):
    """Somebody is taken along without an invitation."""

    group: UUID
    newcomer: Newcomer

    async def run(self, connection: Connection, book: Book, by: By) -> PlaceRow:
        """Do it; see `forming.take_along`."""
        return await forming.take_along(connection, self.group, self.newcomer, book, by=by)


class Leave(Struct, frozen=True, kw_only=True, tag="leave"):
    """A member leaves, or is removed."""

    group: UUID
    member: UUID
    successor: UUID | None = None
    pays_in_points: bool = False
    removes: bool = False

    async def run(self, connection: Connection, book: Book, by: By) -> Left:
        """Do it; see `leaving.leave`."""
        return await leaving.leave(
            connection,
            self.group,
            self.member,
            book,
            by=by,
            successor=self.successor,
            pays_in_points=self.pays_in_points,
            removes=self.removes,
        )


class ChangeRole(Struct, frozen=True, kw_only=True, tag="role"):
    """A member is to be something else to the head."""

    group: UUID
    member: UUID
    role: str

    async def run(self, connection: Connection, book: Book, by: By) -> PlaceRow:
        """Do it; see `place_changes.change_role`."""
        return await place_changes.change_role(
            connection, self.group, self.member, self.role, book, by=by
        )


class ChangeShare(Struct, frozen=True, kw_only=True, tag="share"):
    """Another share of what a member earns is to go in."""

    group: UUID
    member: UUID
    percent: int

    async def run(self, connection: Connection, book: Book, by: By) -> PlaceRow:
        """Do it; see `place_changes.change_share`."""
        return await place_changes.change_share(
            connection, self.group, self.member, self.percent, book, by=by
        )


class ChangeRight(Struct, frozen=True, kw_only=True, tag="right"):
    """A member may, or may not, spend what all have."""

    group: UUID
    member: UUID
    may_spend: bool

    async def run(self, connection: Connection, book: Book, by: By) -> PlaceRow:
        """Do it; see `place_changes.change_right`."""
        return await place_changes.change_right(
            connection, self.group, self.member, book, by=by, may_spend=self.may_spend
        )


class ChangeHead(Struct, frozen=True, kw_only=True, tag="head"):
    """Another adult is to be the head."""

    group: UUID
    successor: UUID

    async def run(self, connection: Connection, book: Book, by: By) -> OpenGroup:
        """Do it; see `place_changes.change_head`."""
        return await place_changes.change_head(connection, self.group, self.successor, book, by=by)


class Nominate(Struct, frozen=True, kw_only=True, tag="nominee"):
    """Somebody is named who is no member; `words` are its name."""

    group: UUID
    words: str
    pays_in_points: bool = False

    async def run(self, connection: Connection, book: Book, by: By) -> PlaceRow:
        """Do it; see `place_changes.name`."""
        asked = HowAsked(pays_in_points=self.pays_in_points)
        return await place_changes.name(
            connection, self.group, self.words, book, by=by, asked=asked
        )


class Strike(Struct, frozen=True, kw_only=True, tag="strike"):
    """A nominee is to be none any more."""

    group: UUID
    no: int

    async def run(self, connection: Connection, book: Book, by: By) -> None:
        """Do it; see `place_changes.strike`."""
        await place_changes.strike(connection, self.group, self.no, book, by=by)


class Contribute(Struct, frozen=True, kw_only=True, tag="contribute"):
    """Points are to be brought in."""

    group: UUID
    member: UUID
    points: int

    async def run(self, connection: Connection, book: Book, by: By) -> Brought:
        """Do it; see `contributing.contribute`."""
        return await contributing.contribute(
            connection, self.group, self.member, self.points, book, by=by
        )


class AddCard(Struct, frozen=True, kw_only=True, tag="card"):
    """A member is to have a further card; `words` are its number."""

    member: UUID
    words: str
    channel: Channel = Channel.STAFF

    async def run(self, connection: Connection, book: Book, by: By) -> None:
        """Do it; see `family_cards.add_card`."""
        await family_cards.add_card(
            connection, self.member, self.words, book, by=by, channel=self.channel
        )


Wanted = (
    Form
    | Accept
    | TakeAlong
    | Leave
    | ChangeRole
    | ChangeShare
    | ChangeRight
    | ChangeHead
    | Nominate
    | Strike
    | Contribute
    | AddCard
)
