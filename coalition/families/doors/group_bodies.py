"""What members ask of groups at the door, field by field."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta

from coalition.families.doors.finding import Named
from coalition.families.doors.group_views import GroupView
from coalition.families.groups.invitation_rows import Invitation
from coalition.families.groups.invitations import Accepted
from coalition.families.groups.separating import Outcome
from coalition.families.kin.guardians import Ward
from coalition.families.kin.places import GroupState, PlaceRow
from coalition.families.rule_sets.vocabulary import Kind
from coalition.kernel.web.fields import Body, CodeText, PointsAmount, ShortText

Percent = Annotated[int, Meta(ge=0, le=100, description="Of what the member earns, in percent")]
KindText = Annotated[
    str,
    Meta(
        pattern=r"^[a-z][a-z0-9_-]{0,39}(?![\s\S])",
        description="A kind of family that the operator has bound rules to",
        examples=["family"],
    ),
]
Whose = Annotated[UUID | None, Meta(description="A ward of yours; without it you yourself")]


class FormBody(Body, frozen=True, kw_only=True):
    """A family that is to be; whoever asks is its head."""

    kind: KindText
    point_currency: CodeText | None = None


class NewcomerBody(Named, frozen=True, kw_only=True):
    """Somebody who is to join, named by exactly one of id, card, e-mail and phone."""

    role: Annotated[
        CodeText, Meta(description="What the member is to the head", examples=["spouse"])
    ]
    future_percent: Percent | None = None
    relationship: Annotated[
        CodeText | None, Meta(description="Where the role does not say it: a grandchild, in_law")
    ] = None


class AcceptBody(Body, frozen=True, kw_only=True):
    """How somebody joins; another share than was offered may be chosen where the rules let one."""

    future_percent: Percent | None = None


class RoleBody(Body, frozen=True, kw_only=True):
    """What a member is to the head from now on."""

    role: Annotated[CodeText, Meta(examples=["partner"])]


class ShareBody(Body, frozen=True, kw_only=True):
    """Which share of what it earns a member brings in from now on."""

    percent: Percent


class RightBody(Body, frozen=True, kw_only=True):
    """Whether a member may spend what all have."""

    may_spend: bool


class HeadBody(Body, frozen=True, kw_only=True):
    """Who takes a family over."""

    member_id: UUID


class LeaveBody(Body, frozen=True, kw_only=True):
    """Who leaves, and who takes over where that is the head."""

    member_id: Whose = None
    successor: UUID | None = None
    pay_fee_in_points: bool = False


class ContributionBody(Body, frozen=True, kw_only=True):
    """Points that are brought in."""

    points: PointsAmount
    member_id: Whose = None


class SeparateBody(Body, frozen=True, kw_only=True):
    """Who separates from the head; the head names the member."""

    member_id: Whose = None


class SettleBody(Body, frozen=True, kw_only=True):
    """How a separation is to end; wanted by both, it ends so."""

    outcome: Outcome


class NomineeBody(Body, frozen=True, kw_only=True):
    """Somebody who is no member, for whom the head may spend."""

    name: ShortText
    pay_fee_in_points: bool = False


class ExitQuery(Body, frozen=True, kw_only=True):
    """Whose leaving is asked for."""

    member: Whose = None


class GroupList(msgspec.Struct, frozen=True):
    """The families to which a member belongs, as it may see them."""

    items: list[GroupView]


class InvitationList(msgspec.Struct, frozen=True):
    """Invitations that can still be accepted, a member's own and its wards'."""

    items: list[Invitation]


class WardList(msgspec.Struct, frozen=True):
    """Whom a member guards."""

    items: list[Ward]


class PlaceAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A place in a family as it stands now."""

    no: int
    member_id: UUID | None
    role: str
    kind: Kind
    future_percent: int
    may_spend: bool

    @classmethod
    def of(cls, place: PlaceRow) -> "PlaceAnswer":
        """Return what is told of a place."""
        return cls(
            no=place.no,
            member_id=place.member_id,
            role=place.role,
            kind=place.kind,
            future_percent=place.future_percent,
            may_spend=place.may_spend,
        )


class AcceptedAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """An invitation that was accepted; its place, unless another has to accept too."""

    invitation: Invitation
    place: PlaceAnswer | None

    @classmethod
    def of(cls, done: Accepted) -> "AcceptedAnswer":
        """Return what is told of it."""
        place = None if done.place is None else PlaceAnswer.of(done.place)
        return cls(invitation=done.invitation, place=place)


class StruckAnswer(msgspec.Struct, frozen=True):
    """The place of somebody who is a nominee no more."""

    no: int


class WardAnswer(msgspec.Struct, frozen=True):
    """Whether a guardian has stopped a ward's spending and sending."""

    member_id: UUID
    stopped: bool


class ClosedAnswer(msgspec.Struct, frozen=True):
    """A family that has closed, with what all had going as the rules say."""

    group_id: UUID
    state: GroupState
    closed_at: datetime | None
