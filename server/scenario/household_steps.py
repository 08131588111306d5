"""What happens in a family beside joining and leaving: one Struct per verb, told apart by `do`.

Forming it, invitations, changes of places, nominees, cards, separation, guardians and death.
"""

from typing import Literal

from coalition.families.groups.separating import Outcome
from server.scenario.family_steps import Share
from server.scenario.names import Name, Word
from server.scenario.till_steps import Happening

_CHANGES = ("role", "share", "may_spend", "head")


class Form(Happening, frozen=True, kw_only=True, tag="form"):
    """A family of the story is formed now, as it is declared; without this, before the story."""

    family: Name


class Invite(Happening, frozen=True, kw_only=True, tag="invite"):
    """The head invites a member, who may accept until the invitation runs out."""

    family: Name
    member: Name
    role: Word
    share: Share | None = None
    relationship: Word | None = None


class Accept(Happening, frozen=True, kw_only=True, tag="accept"):
    """A member accepts its invitation, or `by` does so for it: its guardian."""

    family: Name
    member: Name
    by: Name | None = None


class Decline(Happening, frozen=True, kw_only=True, tag="decline"):
    """A member declines its invitation, or its guardian `by` does."""

    family: Name
    member: Name
    by: Name | None = None


class Change(Happening, frozen=True, kw_only=True, tag="change"):
    """One thing about a member of a family is another from now on."""

    family: Name
    member: Name
    role: Word | None = None
    share: Share | None = None
    may_spend: bool | None = None
    """Whether it may spend what lies there together: a right that its head gives and takes."""
    head: Literal[True] | None = None
    """It takes the family over from its head."""

    def __post_init__(self) -> None:
        """Refuse none of the four, and several."""
        if sum(getattr(self, field) is not None for field in _CHANGES) != 1:
            raise ValueError(f"name one of {', '.join(_CHANGES)}")


class Nominate(Happening, frozen=True, kw_only=True, tag="nominate"):
    """The head names somebody for whom it may spend."""

    family: Name
    nominee: Word
    fee_in_points: bool = False


class Strike(Happening, frozen=True, kw_only=True, tag="strike"):
    """The head strikes a nominee from the list."""

    family: Name
    nominee: Word
    fee_in_points: bool = False


class FurtherCard(Happening, frozen=True, kw_only=True, tag="further_card"):
    """A member gets one more card."""

    member: Name


class Separate(Happening, frozen=True, kw_only=True, tag="separate"):
    """It is to be settled whether a member leaves its family; meanwhile nothing moves there."""

    family: Name
    member: Name
    by: Name | None = None


class Settle(Happening, frozen=True, kw_only=True, tag="settle"):
    """`by` says how a separation should end; what both want, or two of the `staff`, is done."""

    family: Name
    by: Name
    outcome: Outcome


class CloseFamily(Happening, frozen=True, kw_only=True, tag="close_family"):
    """The head closes its family."""

    family: Name


class WouldTakeOut(Happening, frozen=True, kw_only=True, tag="would_take_out"):
    """A member looks at what it would take out if it left now; nothing happens."""

    family: Name
    member: Name


class Relate(Happening, frozen=True, kw_only=True, tag="relate"):
    """What `to` is to a member: declared by it, or asked by staff to be proved, or proved."""

    member: Name
    to: Name
    relationship: Word | None = None
    evidence: Literal["asked", "proved"] | None = None

    def __post_init__(self) -> None:
        """Refuse neither of the two, and both."""
        if (self.relationship is None) is (self.evidence is None):
            raise ValueError("name one of relationship, evidence")


class Stop(Happening, frozen=True, kw_only=True, tag="stop"):
    """A guardian stops what a minor spends and sends."""

    member: Name
    by: Name


class LetGoOn(Happening, frozen=True, kw_only=True, tag="let_go_on"):
    """A guardian lets a minor spend and send again."""

    member: Name
    by: Name


class Death(Happening, frozen=True, kw_only=True, tag="death"):
    """Two of the staff note that a member has died; what it has goes as its families' rules say."""

    member: Name
    heir: Name | None = None
    successor: Name | None = None
